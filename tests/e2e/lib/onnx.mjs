// Running ONNX files with onnxruntime, and looking into them.
import fs from 'node:fs';
import ort from 'onnxruntime-node';

/** Scores of `pictures` (`{ data: Float32Array, shape: [batch, channels, size, size] }`), one row a picture. */
export async function run(file, { data, shape }) {
  const session = await open(file);
  const { inputNames: [input], outputNames: [output] } = session;
  const result = (await session.run({ [input]: new ort.Tensor('float32', data, shape) }))[output];
  const [batch, width] = result.dims;
  const scores = Array.from({ length: batch }, (_, row) => [...result.data.slice(row * width, (row + 1) * width)]);
  await session.release();
  return { input, output, scores };
}

export const open = (file) => ort.InferenceSession.create(file, { logSeverityLevel: 3 });

/** Pictures (`pixel(x, y)` gives `[r, g, b]`) as the model sees them, prepared as `metadata` of its file says. */
export function tensor(pictures, said) {
  const [mean, std, size] = [JSON.parse(said.mean), JSON.parse(said.std), Number(said.image_size)];
  const data = new Float32Array(pictures.length * 3 * size * size);
  pictures.forEach((pixel, at) => {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        pixel(x, y).forEach((value, channel) => {
          data[((at * 3 + channel) * size + y) * size + x] = (value / 255 - mean[channel]) / std[channel];
        });
      }
    }
  });
  return { data, shape: [pictures.length, 3, size, size] };
}

/** Shares of scores. */
export function softmax(scores) {
  const most = Math.max(...scores);
  const shares = scores.map((score) => Math.exp(score - most));
  const sum = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => share / sum);
}

/** The model's `metadata_props`, read field by field: onnxruntime-node does not hand them out. */
export function metadata(file) {
  const found = {};
  for (const { field, bytes } of fields(fs.readFileSync(file))) {
    if (field !== 14) continue;
    const [key, value] = fields(bytes).map((entry) => Buffer.from(entry.bytes).toString());
    found[key] = value;
  }
  return found;
}

/** Version of the operators. */
export function opset(file) {
  const { bytes } = fields(fs.readFileSync(file)).find(({ field }) => field === 8);
  return fields(bytes).find(({ field }) => field === 2).number;
}

/** Fields of a message of Protocol Buffers: `{ field, number | bytes }`. */
function fields(message) {
  const all = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const [field, kind] = [Math.floor(key / 8), key % 8];
    if (kind === 0) all.push({ field, number: varint() });
    else if (kind === 5) all.push({ field, bytes: message.subarray(at, (at += 4)) });
    else {
      const length = varint();
      all.push({ field, bytes: message.subarray(at, (at += length)) });
    }
  }
  return all;
}

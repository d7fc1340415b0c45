// Files that tests drop on the page, made here so that each is exactly as good or as bad as its test says.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';

/** A folder for one test, removed when the process ends. */
export function temporaryFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heirloom-'));
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a file below a folder and returns its path. */
export function put(folder, name, bytes) {
  const file = path.join(folder, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, bytes);
  return file;
}

/** Numbers in [-scale, scale), the same for the same seed. */
function draw(count, seed, scale) {
  const values = new Float32Array(count);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    values[i] = ((state / 2 ** 32) * 2 - 1) * scale;
  }
  return values;
}

/** Names and shapes of a small ViT as timm saves it: 16 px, patch 4 (17 tokens), two layers, two heads, width 64. */
export function smallVit({ size = 16, patch = 4, width = 64, layers = 2, classes = 10 } = {}) {
  const tokens = (size / patch) ** 2 + 1;
  const shapes = {
    cls_token: [1, 1, width],
    pos_embed: [1, tokens, width],
    'patch_embed.proj.weight': [width, 3, patch, patch],
    'patch_embed.proj.bias': [width],
    'norm.weight': [width],
    'norm.bias': [width],
    'head.weight': [classes, width],
    'head.bias': [classes],
  };
  for (let layer = 0; layer < layers; layer++) {
    const parts = { 'attn.qkv': [3 * width, width], 'attn.proj': [width, width], 'mlp.fc1': [4 * width, width], 'mlp.fc2': [width, 4 * width] };
    for (const [part, [outputs, inputs]] of Object.entries(parts)) {
      shapes[`blocks.${layer}.${part}.weight`] = [outputs, inputs];
      shapes[`blocks.${layer}.${part}.bias`] = [outputs];
    }
    for (const norm of ['norm1', 'norm2']) {
      shapes[`blocks.${layer}.${norm}.weight`] = [width];
      shapes[`blocks.${layer}.${norm}.bias`] = [width];
    }
  }
  return Object.entries(shapes).map(([name, shape], index) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const isScale = /norm\d?\.weight$/.test(name);
    return { name, shape, data: isScale ? new Float32Array(count).fill(1) : draw(count, index + 1, 0.2) };
  });
}

/** A safetensors file of f32 tensors. `spoil(header, data)` may damage it. */
export function safetensors(tensors, { spoil = () => {} } = {}) {
  const header = {};
  let end = 0;
  for (const { name, shape, data } of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const data = Buffer.concat(tensors.map((tensor) => Buffer.from(tensor.data.buffer)));
  spoil(header, data);
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

/** Files of a small ViT: its weights, and beside them the only word on how many heads share its channels. */
export function smallModel(options) {
  const folder = temporaryFolder();
  const config = { architecture: 'vit_small_test', model_args: { num_heads: 2 } };
  return [put(folder, 'small.safetensors', safetensors(smallVit(options))), put(folder, 'config.json', JSON.stringify(config))];
}

/** Header of a safetensors file. */
export function readHeader(file) {
  const bytes = fs.readFileSync(file);
  return JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString());
}

/** An RGB PNG; `color(x, y)` gives `[r, g, b]`, or a plain `[r, g, b]` fills it. */
export function png(width, height, color) {
  const rows = Buffer.alloc(height * (1 + 3 * width));
  if (Array.isArray(color)) {
    const row = Buffer.alloc(1 + 3 * width);
    for (let x = 0; x < width; x++) row.set(color, 1 + 3 * x);
    for (let y = 0; y < height; y++) row.copy(rows, y * row.length);
  } else {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) rows.set(color(x, y), y * (1 + 3 * width) + 1 + 3 * x);
    }
  }
  const size = Buffer.alloc(13);
  size.writeUInt32BE(width, 0);
  size.writeUInt32BE(height, 4);
  size.set([8, 2, 0, 0, 0], 8);
  const chunk = (type, body) => {
    const named = Buffer.concat([Buffer.from(type), body]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(body.length, 0);
    frame.writeUInt32BE(crc32(named), 4);
    return Buffer.concat([frame.subarray(0, 4), named, frame.subarray(4)]);
  };
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk('IHDR', size), chunk('IDAT', zlib.deflateSync(rows, { level: 6 })), chunk('IEND', Buffer.alloc(0))]);
}

/** A zip of `{ name: bytes }`, stored without compression. */
export function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [name, body] of Object.entries(files)) {
    const label = Buffer.from(name);
    const common = Buffer.alloc(26); // from "version needed" to "extra length"
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(body), 10);
    common.writeUInt32LE(body.length, 14);
    common.writeUInt32LE(body.length, 18);
    common.writeUInt16LE(label.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, label, body]);
    const central = Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), common, Buffer.alloc(14), label]);
    central.writeUInt32LE(offset, 42);
    parts.push(local);
    directory.push(central);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, entries, end]);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

function crc32(bytes) {
  if (zlib.crc32) return zlib.crc32(bytes);
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A folder of small pictures, one folder a class: noise in the class's colour. */
export function smallPictures({ classes = ['blue', 'green', 'red'], each = 10, size = 24 } = {}) {
  const folder = path.join(temporaryFolder(), 'pictures');
  classes.forEach((name, index) => {
    for (let picture = 0; picture < each; picture++) {
      const noise = draw(size * size * 3, 1 + picture + 100 * index, 40);
      const base = [0, 1, 2].map((channel) => (channel === 2 - (index % 3) ? 190 : 60));
      const color = (x, y) => base.map((level, channel) => level + noise[3 * (y * size + x) + channel]);
      put(folder, `${name}/${picture}.png`, png(size, size, color));
    }
  });
  return folder;
}

/** Data that is too large for the repository, beside the checkout or where `HEIRLOOM_SHARED` says. */
export const SHARED = path.resolve(process.env.HEIRLOOM_SHARED ?? path.join(import.meta.dirname, '../../../../shared'));

/** A copy of some CIFAR pictures with the folders `train` and `test`. */
export function cifar({ classes, train, test }) {
  return copied('cifar10', { train, test }, classes);
}

/** A copy of some flowers with the folders `train` and `val`. */
export function flowers({ classes, train, val }) {
  return copied('flowers5', { train, val }, classes);
}

function copied(set, parts, classes) {
  const folder = path.join(temporaryFolder(), set);
  for (const [part, count] of Object.entries(parts)) {
    for (const name of classes) {
      const from = path.join(SHARED, 'data/pictures', set, part, name);
      for (const file of fs.readdirSync(from).sort().slice(0, count)) {
        put(folder, `${part}/${name}/${file}`, fs.readFileSync(path.join(from, file)));
      }
    }
  }
  return folder;
}

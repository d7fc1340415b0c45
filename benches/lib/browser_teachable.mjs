// Runs in a page: a model from pictures with TensorFlow.js, by the recipe of Teachable Machine.
import * as tf from '@tensorflow/tfjs';
import { getThreadsCount, setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { SIZE, fused, layers, random, stored } from './browser_mobilenet.mjs';

const [EPOCHS, BATCH, RATE, UNITS, ASIDE] = [50, 16, 1e-3, 100, 0.15];
const [MEAN, DEVIATION] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
let body;
let forward;

/** Starts a backend and loads the network: the stored one, or one of another width with random numbers. */
export async function open({ backend, threads, width, isFused }) {
  setWasmPaths('./');
  if (threads) setThreadsCount(threads);
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no ${backend} here`);
  const take = width === 1 ? stored(await (await fetch('weights')).arrayBuffer()) : random;
  body = layers(take, width);
  forward = isFused ? fused(take, width) : (pictures) => body.predict(pictures);
  return backend === 'wasm' ? getThreadsCount() : 1;
}

/** Of numbers 0 to 255, [rows, columns, 3]. */
async function features(pixels) {
  const found = tf.tidy(() => forward(pixels.toFloat().div(255).sub(MEAN).div(DEVIATION).expandDims(0)));
  const numbers = await found.data();
  tf.dispose([found, pixels]);
  return numbers;
}

/** Features of a picture made of a rule, and the time a picture takes when the first are through. */
export async function probe(count) {
  const values = Int32Array.from({ length: SIZE * SIZE * 3 }, (_, at) => {
    const [row, column, channel] = [Math.floor(at / 3 / SIZE), Math.floor(at / 3) % SIZE, at % 3];
    return (7 * row + 13 * column + 29 * channel) % 256;
  });
  const once = () => features(tf.tensor(values, [SIZE, SIZE, 3], 'int32'));
  const numbers = [...(await once())];
  const start = performance.now();
  for (let left = count; left > 0; left -= 1) await once();
  return { numbers, ms: (performance.now() - start) / count };
}

/** The middle square of a picture, drawn as large as the network wants it. */
async function featuresOf(blob) {
  const picture = await createImageBitmap(blob);
  const [scale, canvas] = [SIZE / Math.min(picture.width, picture.height), new OffscreenCanvas(SIZE, SIZE)];
  const [width, height] = [Math.ceil(picture.width * scale), Math.ceil(picture.height * scale)];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(picture, -Math.trunc((width - SIZE) / 2), -Math.trunc((height - SIZE) / 2), width, height);
  return features(tf.browser.fromPixels(context.getImageData(0, 0, SIZE, SIZE)));
}

/**
 * Learns from some pictures and checks with others, both `[address, label]`: seconds of all and of two parts, per cent
 * right, parameters, and bytes of what is saved.
 */
export async function teach({ learn, check, classes, seed }) {
  const fetched = (pictures) =>
    Promise.all(pictures.map(async ([address, label]) => [await (await fetch(address)).blob(), label]));
  const [toLearn, toCheck] = await Promise.all([fetched(learn), fetched(check)]);
  const laps = [performance.now()];
  const lap = () => laps.push(performance.now());
  const learned = await samplesOf(toLearn, classes);
  lap();
  const head = await trained(learned, classes, seed);
  lap();
  const checked = await samplesOf(toCheck, classes);
  const guesses = await head.predict(tf.tensor(checked.map(({ xs }) => xs))).argMax(1).data();
  lap();
  const right = (100 * checked.filter(({ label }, at) => guesses[at] === label).length) / checked.length;
  const between = (from, to) => (laps[to] - laps[from]) / 1000;
  return { seconds: between(0, 3), learning: between(1, 2), checking: between(2, 3), right, ...(await saved(head)) };
}

async function samplesOf(pictures, classes) {
  const samples = [];
  for (const [blob, label] of pictures) {
    const ys = Array.from({ length: classes }, (_, at) => Number(at === label));
    samples.push({ xs: await featuresOf(blob), ys, label });
  }
  return samples;
}

/** A dense layer on a dense layer; a part of each class is set aside, which the recipe looks at and does not use. */
async function trained(samples, classes, seed) {
  const draw = draws(seed);
  const parts = [[], []];
  for (let label = 0; label < classes; label += 1) {
    const own = shuffled(samples.filter((sample) => sample.label === label), draw);
    const kept = own.length - Math.ceil(ASIDE * own.length);
    parts[0].push(...own.slice(0, kept));
    parts[1].push(...own.slice(kept));
  }
  const [data, validationData] = parts.map((part) => {
    const mixed = shuffled(part, draw);
    const column = (key) => tf.data.array(mixed.map((sample) => sample[key]));
    return tf.data.zip({ xs: column('xs'), ys: column('ys') }).batch(BATCH);
  });
  const dense = (about, own) =>
    tf.layers.dense({ ...about, kernelInitializer: tf.initializers.varianceScaling({ seed: own }) });
  const head = tf.sequential({
    layers: [
      dense({ inputShape: body.outputs[0].shape.slice(1), units: UNITS, activation: 'relu' }, 2 * seed),
      dense({ units: classes, activation: 'softmax', useBias: false }, 2 * seed + 1),
    ],
  });
  head.compile({ optimizer: tf.train.adam(RATE), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  await head.fitDataset(data, { epochs: EPOCHS, validationData });
  return head;
}

/** Parameters, without the statistics of the batch norms, and bytes of the files that TensorFlow.js saves. */
async function saved(head) {
  const model = tf.sequential({ layers: [body, head] });
  let bytes;
  await model.save(tf.io.withSaveHandler(async ({ weightData, ...rest }) => {
    bytes = new Blob([JSON.stringify(rest), ...[weightData].flat()]).size;
    return { modelArtifactsInfo: {} };
  }));
  const parameters = model.trainableWeights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return { parameters, bytes };
}

function shuffled(items, draw) {
  const mixed = items.slice();
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    const other = Math.floor(draw() * (at + 1));
    [mixed[at], mixed[other]] = [mixed[other], mixed[at]];
  }
  return mixed;
}

/** Numbers in [0, 1), the same for the same seed. */
function draws(seed) {
  let state = Math.imul(seed, 2654435761);
  return () => {
    state = Math.imul(state, 1664525) + 1013904223;
    return (state >>> 0) / 2 ** 32;
  };
}

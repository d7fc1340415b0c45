// Runs in a page: MobileNetV2 up to the means over places in TensorFlow.js, as layers or with fused operations.
import * as tf from '@tensorflow/tfjs';

/** Expansion, channels, blocks, stride of the first. */
const STAGES = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]];
const EPSILON = 1e-5;
export const SIZE = 224;

/** Takes tensors, `(name, shape)`, out of a safetensors file of torchvision's names. */
export function stored(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  return (name, shape) => {
    const { dtype, shape: found, data_offsets } = header[name];
    if (`${found}` !== `${shape}`) throw new Error(`${name} is ${found}, not ${shape}`);
    const bytes = buffer.slice(...data_offsets.map((at) => 8 + length + at));
    return tf.tensor(Float32Array.from(dtype === 'F16' ? new Float16Array(bytes) : new Float32Array(bytes)), shape);
  };
}

/** Random numbers instead: what a width whose weights are not to be had costs. */
export const random = (name, shape) => (/var$/.test(name) ? tf.ones(shape) : tf.randomNormal(shape, 0, 0.1));

/** The model as Keras has it: pictures normalised as its weights want them in, 1280 features out. */
export function layers(take, width) {
  const convolve = (x, of) => {
    const { filter, norm } = weights(take, x, of);
    const { kernel, stride, channels } = of;
    // PyTorch pads both sides; "same" would pad only below and to the right where the stride is 2.
    const padded = stride === 2 ? tf.layers.zeroPadding2d({ padding: 1 }).apply(x) : x;
    const padding = stride === 2 ? 'valid' : 'same';
    const about = { kernelSize: kernel, strides: stride, padding, useBias: false, weights: [filter] };
    const layer = of.isDepthwise ? tf.layers.depthwiseConv2d(about) : tf.layers.conv2d({ ...about, filters: channels });
    const normed = tf.layers.batchNormalization({ epsilon: EPSILON, weights: norm }).apply(layer.apply(padded));
    return of.isLast ? normed : tf.layers.reLU({ maxValue: 6 }).apply(normed);
  };
  const input = tf.input({ shape: [SIZE, SIZE, 3] });
  const places = walk(input, width, convolve, (a, b) => tf.layers.add().apply([a, b]));
  return tf.model({ inputs: input, outputs: tf.layers.globalAveragePooling2d({}).apply(places) });
}

/** The same from pictures to features, batch norms folded into the convolutions, and ReLU6 done with these. */
export function fused(take, width) {
  const folded = new Map();
  const fold = (x, of) => {
    const { filter, norm: [scale, shift, mean, variance] } = weights(take, x, of);
    const by = scale.div(variance.add(EPSILON).sqrt());
    const parts = { filter: filter.mul(of.isDepthwise ? by.expandDims(1) : by), bias: shift.sub(mean.mul(by)) };
    Object.values(parts).forEach(tf.keep);
    return folded.set(of.weight, parts).get(of.weight);
  };
  const convolve = (x, of) => {
    const parts = folded.get(of.weight) ?? fold(x, of);
    const about = { x, ...parts, strides: of.stride, pad: (of.kernel - 1) / 2, dimRoundingMode: 'floor' };
    const operation = of.isDepthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
    return operation({ ...about, activation: of.isLast ? 'linear' : 'relu6' });
  };
  return (pictures) => walk(pictures, width, convolve, tf.add).mean([1, 2]);
}

function weights(take, x, { weight, norm, channels, kernel, isDepthwise }) {
  const filter = take(`features.${weight}.weight`, [channels, isDepthwise ? 1 : x.shape[3], kernel, kernel]);
  const parts = ['weight', 'bias', 'running_mean', 'running_var'];
  const numbers = parts.map((part) => take(`features.${norm}.${part}`, [channels]));
  return { filter: filter.transpose(isDepthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]), norm: numbers };
}

/** All blocks, of convolutions (with batch norm and, but for the last of a block, ReLU6) and sums. */
function walk(input, width, convolve, add) {
  const divisible = (channels) => {
    const near = Math.max(8, 8 * Math.floor((channels * width + 4) / 8));
    return near < 0.9 * channels * width ? near + 8 : near;
  };
  const one = (x, weight, norm, channels, about = {}) =>
    convolve(x, { weight, norm, channels, kernel: 1, stride: 1, isDepthwise: false, isLast: false, ...about });
  let x = one(input, '0.0', '0.1', divisible(32), { kernel: 3, stride: 2 });
  let block = 0;
  for (const [expansion, channels, count, first] of STAGES) {
    for (let at = 0; at < count; at += 1) {
      const [of, before, stride] = [`${(block += 1)}.conv`, x, at === 0 ? first : 1];
      const hidden = expansion * before.shape[3];
      const deep = expansion === 1 ? 0 : 1;
      if (deep) x = one(x, `${of}.0.0`, `${of}.0.1`, hidden);
      x = one(x, `${of}.${deep}.0`, `${of}.${deep}.1`, hidden, { kernel: 3, stride, isDepthwise: true });
      x = one(x, `${of}.${deep + 1}`, `${of}.${deep + 2}`, divisible(channels), { isLast: true });
      if (stride === 1 && before.shape[3] === x.shape[3]) x = add(before, x);
    }
  }
  return one(x, '18.0', '18.1', 1280);
}

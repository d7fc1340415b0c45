// The engines that are measured, what each can do, and how often.

/** Workloads of the transformers and the matrix product that they stand on. */
export const WORKS = ['MM', 'W0', 'W1', 'W2', 'W3', 'W4'];
const FORWARD = ['MM', 'W2', 'W3'];

/**
 * `native`: threads of a Python process running `script`; else a bundle in the browser. `coi`: served with COOP/COEP, so
 * that SharedArrayBuffer (threads) exists.
 */
export const ENGINES = {
  'torch-1t': { label: 'PyTorch CPU, 1 thread', native: 1, script: 'torch_ref.py', work: WORKS },
  'torch-2t': { label: 'PyTorch CPU, 2 threads', native: 2, script: 'torch_ref.py', work: WORKS },
  pillow: { label: 'Pillow, 1 thread', native: 1, script: 'resize_ref.py', work: ['RS'] },
  'tfjs-wasm': { label: 'TF.js wasm, no COI (1 thread)', bundle: 'tfjs', backend: 'wasm', work: WORKS },
  'tfjs-wasm-coi': { label: 'TF.js wasm, COI (its default: 1 thread)', bundle: 'tfjs', backend: 'wasm', coi: true, work: WORKS },
  'tfjs-wasm-coi-2t': {
    label: 'TF.js wasm, COI, 2 threads (a)', bundle: 'tfjs', backend: 'wasm', coi: true, threads: 2, claimCores: 4, work: WORKS,
  },
  'jaxjs-wasm': { label: 'jax-js wasm + jit, no COI (1 thread)', bundle: 'jaxjs', backend: 'wasm', work: WORKS },
  'jaxjs-wasm-coi': { label: 'jax-js wasm + jit, COI (2 threads)', bundle: 'jaxjs', backend: 'wasm', coi: true, work: WORKS },
  'ort-wasm': { label: 'ORT-web wasm, no COI (1 thread)', bundle: 'ort-wasm', backend: 'wasm', work: FORWARD },
  'ort-wasm-coi-1t': {
    label: 'ORT-web wasm, COI, numThreads=1', bundle: 'ort-wasm', backend: 'wasm', coi: true, threads: 1, work: FORWARD,
  },
  'ort-wasm-coi-default': {
    label: 'ORT-web wasm, COI, default (1 thread)', bundle: 'ort-wasm', backend: 'wasm', coi: true, work: FORWARD,
  },
  'ort-wasm-coi-2t': {
    label: 'ORT-web wasm, COI, numThreads=2', bundle: 'ort-wasm', backend: 'wasm', coi: true, threads: 2, work: FORWARD,
  },
  'tfjs-webgpu': { label: 'TF.js WebGPU', bundle: 'tfjs', backend: 'webgpu', gpu: true, work: ['MM', 'W0', 'W2'] },
  'jaxjs-webgpu': { label: 'jax-js WebGPU + jit', bundle: 'jaxjs', backend: 'webgpu', gpu: true, work: ['MM', 'W0', 'W2', 'W3'] },
  'ort-webgpu': { label: 'ORT-web WebGPU', bundle: 'ort-webgpu', backend: 'webgpu', gpu: true, work: ['MM', 'W2'] },
};

/** [warm-up runs, timed runs, time budget in ms] on a processor. */
export const TIMES = {
  MM: [10, 30, 20_000],
  W0: [5, 20, 60_000],
  W1: [3, 10, 60_000],
  W2: [3, 10, 40_000],
  W3: [3, 10, 40_000],
  W4: [2, 6, 60_000],
  RS: [2, 9, 20_000],
};
/** The same on software WebGPU, where the rest takes minutes and says nothing about a GPU. */
export const GPU_TIMES = { MM: [2, 5, 60_000], W0: [2, 9, 100_000], W2: [1, 2, 150_000], W3: [1, 2, 150_000] };

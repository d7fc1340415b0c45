// The page's "Make a model of all of it" and "Make me a small one" beside TensorFlow.js, on the same pictures and splits,
// in turn: seconds, per cent right on the checking pictures, parameters, bytes of the saved model.
//
//   node benches/teachable.mjs --site target/site      (`npm ci` in benches/peers and in tests/e2e first)
//     [--pictures FILE_OR_FOLDER ...]   instead of the page's two sets and flowers5; `train` and `val` are put together
//     [--seeds 5] [--cores 2]           of the page
//     [--backends wasm,wasm-2t,webgl]   of TensorFlow.js; also `cpu`. The fastest one here does the work.
//
// TensorFlow.js does what Teachable Machine does (googlecreativelab/teachablemachine-community, libraries/image): the
// middle square at 224 px through MobileNetV2, one picture at a time, means over places, 100 ReLU, softmax without bias,
// Adam 1e-3, 50 epochs of batches of 16, shuffled once, 15 % of each class set aside for its own chart; saved as f32. Its
// weights are the page's (torchvision's, width 1), so the pictures are normalised as these want it. Two rows more, of one
// seed: with batch norms folded and operations fused by hand, which Teachable Machine does not do; and of width 0.35, which
// it has, but whose weights are not to be had: random ones tell time and size.
//
// Seconds are from decoding the first picture until it is known how many checking pictures are right. `wasm-2t` needs the
// cross-origin headers that the page does without, and claims four cores, without which TensorFlow.js takes one thread.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { SHARED, put, readHeader, temporaryFolder } from '../tests/e2e/lib/files.mjs';
import * as step from '../tests/e2e/lib/steps.mjs';
import { visit } from '../tests/e2e/lib/visit.mjs';
import { openWith } from './lib/open.mjs';
import { interval } from './lib/paired.mjs';
import { read } from './lib/picture_files.mjs';
import { split } from './lib/split.mjs';

const ROOT = path.join(import.meta.dirname, '..');
const PEERS = path.join(import.meta.dirname, 'peers');
const { values } = parseArgs({
  options: {
    site: { type: 'string', default: 'target/site' },
    pictures: {
      type: 'string',
      multiple: true,
      default: [
        path.join(ROOT, 'static/samples/doodles.zip'),
        path.join(ROOT, 'static/samples/clothes.zip'),
        path.join(SHARED, 'data/pictures/flowers5'),
      ],
    },
    seeds: { type: 'string', default: '5' },
    cores: { type: 'string', default: '2' },
    backends: { type: 'string', default: 'wasm,wasm-2t,webgl' },
  },
});

/** PyTorch's features (torchvision, the shipped weights) of the picture that `probe` makes: some, and their sum. */
const REFERENCE = { first: [0.28301, 0.02978, 0.4209, 0.05698, 0, 0.07378], sum: 574.782 };
const PROBES = { wasm: 16, 'wasm-2t': 16, webgl: 3, cpu: 1 };
const FOLDER = temporaryFolder();
const ISOLATED = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/** What TensorFlow.js's page consists of. */
async function site() {
  const { build } = createRequire(path.join(PEERS, 'package.json'))('esbuild');
  const { outputFiles } = await build({
    entryPoints: [path.join(import.meta.dirname, 'lib/browser_teachable.mjs')],
    nodePaths: [path.join(PEERS, 'node_modules')],
    external: ['fs', 'path', 'crypto', 'worker_threads', 'perf_hooks', 'os', 'util', 'node-fetch', 'string_decoder'],
    bundle: true, minify: true, write: false, format: 'iife', globalName: 'teachable', logLevel: 'error',
  });
  const engine = path.join(PEERS, 'node_modules/@tensorflow/tfjs-backend-wasm/dist');
  const wasm = fs.readdirSync(engine).filter((name) => name.endsWith('.wasm'));
  return {
    'index.html': '<!doctype html><link rel=icon href=data:,><script src=teachable.js></script>',
    'teachable.js': outputFiles[0].text,
    weights: fs.readFileSync(path.join(ROOT, 'static/ancestors/mobilenet_v2.safetensors')),
    ...Object.fromEntries(wasm.map((name) => [name, fs.readFileSync(path.join(engine, name))])),
  };
}

/** A new page with the network in TensorFlow.js, of which `ask(name, argument)` calls a function. */
async function tensorflow(files, name, { width = 1, isFused = false }, body) {
  const [backend, threads] = [name.split('-')[0], /-(\d+)t/.exec(name)?.[1]];
  await visit(files, {}, async ({ page }) => {
    if (threads) {
      await page.route('**', async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, headers: { ...response.headers(), ...ISOLATED } });
      });
      await page.addInitScript(() => Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => 4 }));
      await page.reload();
    }
    const ask = (call, argument) => page.evaluate(([of, given]) => window.teachable[of](given), [call, argument]);
    const count = await ask('open', { backend, threads: Number(threads ?? 0), width, isFused });
    if (threads && count !== Number(threads)) throw new Error(`${name} has ${count} threads`);
    await body(ask);
  });
}

/** Milliseconds a picture takes; its features must be PyTorch's. */
async function probed(files, name, isFused) {
  let found;
  await tensorflow(files, name, { isFused }, async (ask) => (found = await ask('probe', PROBES[name])));
  const { ms, numbers } = found;
  const off = REFERENCE.first.map((value, at) => value - numbers[at]);
  off.push((REFERENCE.sum - numbers.reduce((a, b) => a + b)) / numbers.length);
  if (!off.every((value) => Math.abs(value) < 1e-3)) throw new Error(`${name}: other features than PyTorch's, by ${off}`);
  console.log(`TensorFlow.js ${name}${isFused ? ', fused' : ''}: ${ms.toFixed(0)} ms a picture; its features are PyTorch's`);
  return ms;
}

/** A model by the recipe, for one split. */
async function teachable(files, backend, pictures, seed, variant = {}) {
  const classes = [...new Set(pictures.map((picture) => picture.class))].sort();
  const { learn, check } = split(pictures, seed);
  const all = [...learn, ...check];
  const served = Object.fromEntries(all.map(({ bytes }, at) => [`picture${at}`, bytes]));
  const addresses = all.map((picture, at) => [`picture${at}`, classes.indexOf(picture.class)]);
  const sides = { learn: addresses.slice(0, learn.length), check: addresses.slice(learn.length) };
  const about = { ...sides, classes: classes.length, seed };
  let found;
  await tensorflow({ ...files, ...served }, backend, variant, async (ask) => (found = await ask('teach', about)));
  return { ...found, counts: [learn.length, check.length] };
}

/** The page's own: `press` makes a model and tells how often that is right, which is then saved. */
async function own(pictures, counts, seed, press) {
  let found;
  await visit(path.resolve(values.site), { query: `?engine=cpu&cores=${values.cores}#seed=${seed}` }, async (seen) => {
    await openWith(seen, undefined, pictures);
    const [learn, check] = counts;
    await step.waitFor(seen, 'pictures-summary', new RegExp(`\\b${learn} pictures to learn from, ${check} to check with`));
    const start = performance.now();
    const right = await press(seen);
    const seconds = (performance.now() - start) / 1000;
    const file = await step.saveFrom(seen, 'export-safetensors', path.join(FOLDER, 'model.safetensors'));
    // The statistics of the batch norms are none, and the first entry is about the file.
    const learned = Object.entries(readHeader(file)).filter(([name]) => !/running_|^__/.test(name));
    const parameters = learned.reduce((sum, [, { shape }]) => sum + shape.reduce((a, b) => a * b, 1), 0);
    found = { seconds, right, parameters, bytes: fs.statSync(file).size };
  });
  return found;
}

async function whole(seen) {
  await seen.at('fit-head').click();
  await step.waitFor(seen, 'train-status', /finished/i, 600_000);
  return (await step.curvesTable(seen)).at(-1).accuracy;
}

async function small(seen) {
  await seen.at('find-small').click();
  const words = await step.waitFor(seen, 'experiment-words', /enough/, 1_800_000);
  return Number(words.match(/ parameters \([^)]*\), ([\d.]+) %/)[1]);
}

/** One folder a class, where a set comes in two parts: with those the page would have one split for all seeds. */
function together(given) {
  if (!fs.existsSync(path.join(given, 'train'))) return given;
  const folder = path.join(FOLDER, path.basename(given));
  for (const picture of read(given)) put(folder, `${picture.class}/${path.basename(picture.path)}`, picture.bytes);
  return folder;
}

/** One set of pictures through all of them, in turn. */
async function compared(given) {
  const pictures = together(given);
  const set = read(pictures);
  const found = { recipe: [], all: [], small: [] };
  console.log(`\n${path.basename(given)}, ${set.length} pictures`);
  for (let seed = 1; seed <= Number(values.seeds); seed += 1) {
    const taught = await teachable(files, backend, set, seed);
    found.recipe.push(taught);
    found.all.push(await own(pictures, taught.counts, seed, whole));
    found.small.push(await own(pictures, taught.counts, seed, small));
    const told = (name) => `${name} ${found[name].at(-1).seconds.toFixed(1)} s, ${found[name].at(-1).right.toFixed(1)} %`;
    const parts = `${taught.learning.toFixed(1)} s of them the head, ${taught.checking.toFixed(1)} s checking`;
    console.log(`  seed ${seed}: ${told('recipe')} (${parts}); ${told('all')}; ${told('small')}`);
  }
  console.log([
    '| | runs | s | right, % | parameters | saved |',
    '| --- | --- | --- | --- | --- | --- |',
    row(`Teachable Machine's recipe, TensorFlow.js ${backend}`, found.recipe),
    row('the same, fused by hand', [await teachable(files, backend, set, 1, { isFused: true })]),
    row('the same, width 0.35, random weights', [await teachable(files, backend, set, 1, { width: 0.35 })], '–'),
    row('the page: all of it', found.all),
    row('the page: a small one', found.small),
  ].join('\n'));
  for (const name of found.recipe.length > 1 ? ['all', 'small'] : []) {
    const apart = (key) => interval(found[name].map((one, at) => one[key] - found.recipe[at][key]));
    console.log(`${name} - recipe, paired, 95 %: ${apart('right')} points, ${apart('seconds')} s`);
  }
}

function row(name, runs, right) {
  const mean = (key) => step.mean(runs.map((run) => run[key]));
  const sizes = `${(mean('parameters') / 1e6).toFixed(2)} M | ${(mean('bytes') / 1e6).toFixed(1)} MB`;
  return `| ${name} | ${runs.length} | ${mean('seconds').toFixed(1)} | ${right ?? mean('right').toFixed(1)} | ${sizes} |`;
}

const load = () => os.loadavg()[0].toFixed(1);
const files = await site();
console.log(`${os.cpus()[0].model}, ${os.cpus().length} cores; load ${load()}`);
const speeds = [];
for (const name of values.backends.split(',')) speeds.push([await probed(files, name, false), name]);
const [, backend] = speeds.toSorted(([a], [b]) => a - b)[0];
await probed(files, backend, true);
for (const pictures of values.pictures) await compared(pictures);
console.log(`\nload at the end ${load()}`);

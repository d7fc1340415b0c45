// node benches/page.mjs --site DIR [--webgpu] [--works W0,W1] [--runs N] [--peers A,B | --no-peers | --peers-from FILE]
//                       [--out FILE]
// The workloads of benches/peers/README.md in the built page and in its peers, in one run: every round measures each
// workload everywhere before it goes to the next, each time in a new browser or process, so that what is compared is
// measured within a minute. Exit status 1 when somebody computes something else than the others.
import fs from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { fault } from './lib/checks.mjs';
import { bench, withPage } from './lib/ours.mjs';
import { ratios, shown, table } from './lib/table.mjs';
import { ENGINES, GPU_TIMES, TIMES } from './peers/engines.mjs';

const text = { type: 'string' };
const flag = { type: 'boolean', default: false };
const { values: options } = parseArgs({
  options: {
    site: text, works: { type: 'string', default: 'MM,W0,W1,W2,W3,W4,RS' }, runs: { type: 'string', default: '3' },
    peers: { type: 'string', default: 'torch-1t,ort-wasm,jaxjs-wasm,pillow' }, 'peers-from': text, out: text,
    webgpu: flag, 'no-peers': flag,
  },
});
if (!options.site) throw new Error('name the built site: --site DIR');
const WORKS = options.works.split(',');
const RUNS = Number(options.runs);
/** Software WebGPU: the rest takes minutes and says nothing about a GPU. */
const WEBGPU_WORKS = ['MM', 'W0', 'W0-clip'];

const notes = [];
const faults = [];
const contenders = [...own(), ...(await peers())];
const results = {};
warnOfOthers();
for (let round = 0; round < RUNS; round++) {
  for (const work of WORKS) {
    for (const contender of contenders.filter(({ does }) => does(work))) await measure(contender, work, round);
  }
}
if (options['peers-from']) earlier(options['peers-from']);
if (options.out) fs.writeFileSync(options.out, JSON.stringify(results, null, 1));
console.log(`\n${os.cpus()[0].model}, ${os.cpus().length} cores; ${RUNS} rounds\n`);
console.log(table(contenders, WORKS, results));
console.log(['', ...ratios(contenders, results), '', ...notes, ...faults.map((sentence) => `FAULT: ${sentence}`)].join('\n'));
process.exitCode = faults.length ? 1 : 0;

/** The page's engines. A browser with relaxed SIMD is measured without it, too: not every browser has it. */
function own() {
  const times = (table, work) => table[work.split('-')[0]];
  const on = (engine, work, times) => withPage(options.site, engine, (page) => bench(page, work, times));
  const cpu = { name: 'heirloom-cpu', label: 'Heirloom', does: (work) => times(TIMES, work) };
  const plain = { name: 'heirloom-cpu-plain', label: 'Heirloom, plain SIMD', does: (work) => /^(MM|W\d)/.test(work) };
  const webgpu = { name: 'heirloom-webgpu', label: 'Heirloom, software WebGPU', does: (work) => WEBGPU_WORKS.includes(work) };
  return [
    { ...cpu, run: (work) => on('cpu', work, times(TIMES, work)) },
    { ...plain, run: (work) => on('cpu', `${work}-plain`, times(TIMES, work)) },
    ...(options.webgpu ? [{ ...webgpu, run: (work) => on('webgpu', work, times(GPU_TIMES, work)) }] : []),
  ];
}

/** Those of the wanted peers that can be measured here; the others keep an empty row and a note that says why. */
async function peers() {
  if (options['no-peers'] || options['peers-from']) return [];
  const names = [...options.peers.split(','), ...(options.webgpu ? ['jaxjs-webgpu'] : [])];
  const unknown = names.filter((name) => !ENGINES[name]);
  if (unknown.length) throw new Error(`${unknown} is no peer; there are: ${Object.keys(ENGINES)}`);
  // Its packages are another installation than those of the page's tests.
  const tools = await import('./peers/measure.mjs').catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    notes.push('No peer is measured: their packages are missing; `npm ci` in benches/peers installs them.');
  });
  await tools?.prepare();
  return names.map((name) => {
    const { label, work: works, gpu } = ENGINES[name];
    const why = tools?.missing(name);
    if (why) notes.push(`${label} is missing: ${why}.`);
    const run = async (work) => {
      const [warm, reps, budget] = (gpu ? GPU_TIMES : TIMES)[work];
      const answer = await tools.measure(name, work, { warm, reps, budget });
      if (answer.error) throw new Error(answer.error);
      return answer;
    };
    return { name, label, run, does: (work) => Boolean(tools) && !why && works.includes(work) };
  });
}

async function measure({ name, run }, work, round) {
  const told = `round ${round + 1}, ${name} ${work}`;
  let answer;
  try {
    answer = await run(work);
    const { median, min, max, n, firstCall } = answer;
    console.log(`${told}: ${shown(median)} ms (${shown(min)} to ${shown(max)}, n=${n}; first ${shown(firstCall)})`);
    const wrong = fault(work, answer);
    if (wrong) faults.push(`${name}: ${wrong}`);
  } catch (error) {
    faults.push(`${name} ${work}: ${String(error.message).split('\n')[0]}`);
    console.log(`${told}: ${faults.at(-1)}`);
  }
  ((results[name] ??= {})[work] ??= [])[round] = answer;
}

/** Rows of another run (`node benches/peers/bench.mjs --out FILE`): to look at, not to divide by. */
function earlier(file) {
  const { results: measured } = JSON.parse(fs.readFileSync(file, 'utf8'));
  for (const [name, works] of Object.entries(measured)) {
    contenders.push({ name: `earlier ${name}`, label: `${ENGINES[name]?.label ?? name}, another run` });
    results[`earlier ${name}`] = Object.fromEntries(Object.entries(works).map(([work, answer]) => [work, [answer]]));
  }
}

/** Figures of a busy machine are too high, and unevenly so. */
function warnOfOthers() {
  const [load] = os.loadavg();
  if (load > 0.5) notes.push(`Other programs were running when this began (load ${load.toFixed(1)}): repeat it on a quiet machine.`);
}

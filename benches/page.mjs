// node benches/page.mjs --site DIR [--webgpu] [--work W0,W1] [--runs N] [--out FILE]
// The peers' workloads (benches/peers/README.md) in the built page: median of the medians of N runs, each in a new
// browser. Exit status 1 when the page computes something else than the peers do.
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { launch } from '../tests/e2e/lib/browser.mjs';
import { serve } from '../tests/e2e/lib/server.mjs';

const here = import.meta.dirname;
const { values: options } = parseArgs({
  options: {
    site: { type: 'string' },
    webgpu: { type: 'boolean', default: false },
    runs: { type: 'string', default: '3' },
    out: { type: 'string' },
    work: { type: 'string', default: 'MM,W0,W1,W2,W3,W4,RS' },
  },
});
const RUNS = Number(options.runs);
const WORKS = options.work.split(',');
// [warm-up runs, timed runs, time budget in ms], as the peers get.
const ENGINES = {
  cpu: { MM: [10, 30, 20_000], W0: [5, 20, 60_000], W1: [3, 10, 60_000], W2: [3, 10, 40_000], W3: [3, 10, 40_000], W4: [3, 10, 60_000], RS: [2, 9, 20_000] },
  // Software WebGPU: the rest takes minutes and says nothing about a GPU.
  webgpu: { MM: [2, 5, 60_000], W0: [2, 9, 100_000] },
};
const LONGEST_MS = 300_000;
/** What every engine must find on the peers' weights and pictures: where it stands, its first values, how near. */
const CHECKS = {
  W0: [(answer) => answer.losses, [2.34338], 1e-4],
  W1: [(answer) => answer.losses, [2.35973], 1e-4],
  W2: [(answer) => answer.logits?.first, [-0.38734, 0.0876, 0.00246], 1e-3],
  W3: [(answer) => answer.mad?.first, [115.8063, 115.8429, 115.917], 1e-2],
};

async function once(engine, work, [warm, reps, budget]) {
  const site = await serve(path.resolve(options.site));
  const browser = await launch({ gpu: engine === 'webgpu' });
  let timer;
  try {
    const page = await browser.newPage();
    await page.goto(`${site.url}?bench&engine=${engine}`);
    await page.waitForFunction(() => window.ready, null, { timeout: 120_000 });
    const late = new Promise((_, fail) => {
      timer = setTimeout(() => fail(new Error(`no answer within ${LONGEST_MS / 1000} s`)), LONGEST_MS);
    });
    const answer = page.evaluate((request) => window.bench(request), { work, t: { warm, reps, budget } });
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    await browser.close();
    site.close();
  }
}

const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};
const shown = (ms) => (ms === undefined ? '-' : ms >= 100 ? ms.toFixed(0) : ms.toFixed(ms < 10 ? 2 : 1));

/** Whether the answer's numbers are those of the peers; a sentence when they are not. */
function fault(work, answer) {
  work = work.replace('-plain', '');
  if (!CHECKS[work]) return null;
  const [values, expected, tolerance] = CHECKS[work];
  const got = values(answer) ?? [];
  const isNear = expected.every((value, index) => Math.abs(value - got[index]) <= tolerance);
  return isNear ? null : `${work} found ${got.slice(0, expected.length)}, the peers find ${expected}`;
}

const results = {};
const faults = [];
for (const engine of options.webgpu ? ['cpu', 'webgpu'] : ['cpu']) {
  for (const work of WORKS) {
    const times = ENGINES[engine][work.replace('-plain', '')];
    if (!times) continue;
    const answers = [];
    for (let run = 0; run < RUNS; run++) {
      try {
        const answer = await once(engine, work, times);
        answers.push(answer);
        const wrong = fault(work, answer);
        if (wrong) faults.push(`${engine}: ${wrong}`);
        console.log(`${engine} ${work} run ${run + 1}: ${shown(answer.median)} ms (${shown(answer.min)} to ${shown(answer.max)}, n=${answer.n}; first ${shown(answer.firstCall)})`);
      } catch (error) {
        faults.push(`${engine} ${work}: ${String(error.message).split('\n')[0]}`);
        console.log(`${engine} ${work} run ${run + 1}: ${faults.at(-1)}`);
        break;
      }
    }
    if (answers.length) {
      (results[engine] ??= {})[work] = { median: median(answers.map((answer) => answer.median)), answers };
    }
  }
}
if (options.out) fs.writeFileSync(options.out, JSON.stringify(results, null, 1));
printTable();
for (const sentence of faults) console.log(`FAULT: ${sentence}`);
process.exitCode = faults.length ? 1 : 0;

function printTable() {
  const rows = [['ms, median', ...WORKS]];
  const add = (name, of) => rows.push([name, ...WORKS.map((work) => shown(of(work)))]);
  for (const [engine, measured] of Object.entries(results)) {
    add(`Heirloom ${engine} (${RUNS} runs)`, (work) => measured[work]?.median);
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  console.log('');
  rows.forEach((row) => console.log(row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ')));
  const { W2, W3 } = results.cpu ?? {};
  if (W2 && W3) console.log(`\nW3 is ${(W3.median / W2.median).toFixed(3)} x W2 (at most 1.1 is wanted)`);
}

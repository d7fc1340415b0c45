// node benches/profile.mjs --site DIR [--work W1] [--steps N] [--top N]
// Where a step's time goes on the CPU engine: the functions of the built engine by the time spent in themselves. The site
// must keep its functions' names, as `cargo xtask test page` builds it. `--work W1-plain`: without relaxed SIMD.
// Plain text, made to be committed as docs/profile_w1.txt.
import os from 'node:os';
import { parseArgs } from 'node:util';
import { fault } from './lib/checks.mjs';
import { bench, withPage } from './lib/ours.mjs';
import { profiled, selfTimes } from './lib/profiler.mjs';
import { shown } from './lib/table.mjs';

const text = (fallback) => ({ type: 'string', default: fallback });
const { values: options } = parseArgs({
  options: { site: { type: 'string' }, work: text('W1'), steps: text('12'), top: text('40') },
});
if (!options.site) throw new Error('name the built site: --site DIR');
const { work } = options;
const BUDGET_MS = 280_000;

await withPage(options.site, 'cpu', async (page, browser) => {
  // Once unwatched: by then the optimising compiler has seen every loop.
  const plain = await bench(page, work, [2, 5, BUDGET_MS]);
  const wrong = fault(work, plain);
  if (wrong) throw new Error(wrong);
  let watched;
  const profile = await profiled(page, async () => {
    watched = await bench(page, work, [0, Number(options.steps), BUDGET_MS]);
  });
  const { ms, functions } = selfTimes(profile);
  const top = functions.slice(0, Number(options.top));
  if (!top.some(({ name }) => name.includes('::'))) {
    throw new Error('the engine has no names: build the site with `cargo xtask test page`, not with `cargo xtask build`');
  }
  console.log(`${work} on the CPU engine: ${shown(plain.median)} ms, ${shown(watched.median)} ms while it is profiled`);
  console.log(`${os.cpus()[0].model}, Chromium ${browser.version()}, one thread; ${watched.n} steps, ${shown(ms)} ms with the making of the model\n`);
  console.log('self %  function');
  for (const { name, share } of top) console.log(`${(share * 100).toFixed(2).padStart(6)}  ${name.slice(0, 150)}`);
  const rest = functions.slice(top.length).reduce((sum, { share }) => sum + share, 0);
  console.log(`${(rest * 100).toFixed(2).padStart(6)}  ${functions.length - top.length} others`);
});

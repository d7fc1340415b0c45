// Counts what one step asks of WebGPU: node dispatches.mjs [WORK] (default W0), with HEIRLOOM_SITE as in the tests.
import path from 'node:path';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const work = process.argv[2] ?? 'W0';

/** Runs in the engine's worker: wraps the calls that cost time on every GPU. */
function count() {
  const counts = (globalThis.__counts = {});
  const wrap = (type, name) => {
    const original = type.prototype[name];
    type.prototype[name] = function (...args) {
      counts[name] = (counts[name] ?? 0) + 1;
      return original.apply(this, args);
    };
  };
  wrap(GPUComputePassEncoder, 'dispatchWorkgroups');
  wrap(GPUQueue, 'submit');
  wrap(GPUQueue, 'writeBuffer');
  wrap(GPUDevice, 'createBuffer');
  wrap(GPUDevice, 'createComputePipeline');
  wrap(GPUBuffer, 'mapAsync');
}

await visit(SITE, { query: '?bench&engine=webgpu', gpu: true }, async ({ page }) => {
  await page.waitForFunction(() => window.ready, null, { timeout: 120_000 });
  const [engine] = page.workers();
  const bench = (t) => page.evaluate(([work, t]) => window.bench({ work, t }), [work, t]);
  await bench({ warm: 2, reps: 1, budget: 600_000 });
  await engine.evaluate(count);
  const read = () => engine.evaluate(() => ({ ...globalThis.__counts }));
  // One run with `reps` steps has the set-up of one model; the difference of two is what the steps took.
  const sums = [];
  for (const reps of [2, 6]) {
    await engine.evaluate(() => Object.keys(globalThis.__counts).forEach((key) => delete globalThis.__counts[key]));
    await bench({ warm: 1, reps, budget: 600_000 });
    sums.push(await read());
  }
  const per = Object.fromEntries(Object.keys(sums[1]).map((key) => [key, (sums[1][key] - (sums[0][key] ?? 0)) / 4]));
  console.log(`${work}, per step:`, per);
});

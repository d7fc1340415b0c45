// A training step in few dispatches: on a GPU each costs 24 to 71 µs, however small its work, and a small model's work
// is small. Software WebGPU is asked for the same dispatches as a GPU.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { countStep } from './lib/dispatches.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');

/**
 * Most dispatches of a step of W0 (benches/peers/README.md), without gradient clipping and with it. burn's own operations
 * took 403 without; ours take 147 and 181.
 */
const CEILINGS = { W0: 190, 'W0-clip': 225 };
/** Two layers, forward and backward, take more than this: whoever counts fewer does not see them all. */
const FEWEST = 30;

/** A page whose worker dispatches once for its model and three times, two of them in one submit, for every step. */
const THREE_A_STEP = {
  'index.html': `<!doctype html><html lang="en"><head><title>A page</title><link rel="icon" href="data:,"></head>
    <body><main><h1>Hello</h1></main><script src="page.js"></script></body></html>`,
  'page.js': `const worker = new Worker('worker.js');
    worker.onmessage = () => { window.ready = true; };
    window.bench = ({ t: { reps } }) => new Promise((done) => { worker.onmessage = done; worker.postMessage(reps); })
      .then(() => ({}));`,
  'worker.js': `(async () => {
    const device = await (await navigator.gpu.requestAdapter()).requestDevice();
    onmessage = ({ data: reps }) => {
      const module = device.createShaderModule({ code: '@compute @workgroup_size(1) fn main() {}' });
      const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
      const submit = (dispatches) => {
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        for (let i = 0; i < dispatches; i++) pass.dispatchWorkgroups(1);
        pass.end();
        device.queue.submit([encoder.finish()]);
      };
      submit(1);
      for (let step = 0; step < reps; step++) { submit(2); submit(1); }
      postMessage('done');
    };
    postMessage('ready');
  })();`,
};

test('the dispatches of a step are counted, and not those of the model that it trains', async () => {
  await visit(THREE_A_STEP, { gpu: true }, async ({ page }) => {
    const { dispatches, submit, kernels } = await countStep(page, 'any');
    assert.deepEqual([dispatches, submit, ...Object.values(kernels)], [3, 2, 3]);
  });
});

test('a training step stays below its ceiling of dispatches', { timeout: 600_000 }, async (t) => {
  await visit(SITE, { gpu: true, query: '?bench&engine=webgpu' }, async ({ page }) => {
    for (const [work, ceiling] of Object.entries(CEILINGS)) {
      const { kernels, ...calls } = await countStep(page, work);
      t.diagnostic(`${work}: ${JSON.stringify(calls)}`);
      const most = Object.entries(kernels).slice(0, 25).map(([kernel, count]) => `${count} x ${kernel}`).join('\n');
      assert.ok(Number.isInteger(calls.dispatches), `${work}: the steps differ, ${calls.dispatches} dispatches on average`);
      assert.ok(calls.dispatches >= FEWEST, `${work}: only ${calls.dispatches} dispatches were seen`);
      assert.ok(calls.dispatches <= ceiling, `${work}: ${calls.dispatches} dispatches, at most ${ceiling}:\n${most}`);
    }
  });
});

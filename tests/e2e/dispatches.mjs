// Counts what one step asks of WebGPU: node dispatches.mjs [WORK...] (default W0), with HEIRLOOM_SITE as in the tests.
import path from 'node:path';
import { countStep } from './lib/dispatches.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const [, , ...named] = process.argv;

await visit(SITE, { query: '?bench&engine=webgpu', gpu: true }, async ({ page }) => {
  for (const work of named.length ? named : ['W0']) {
    const { kernels, ...calls } = await countStep(page, work);
    console.log(`${work}, a step:`, calls);
    console.table(Object.entries(kernels).map(([kernel, dispatches]) => ({ kernel: kernel.slice(0, 100), dispatches })));
  }
});

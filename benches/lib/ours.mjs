// One workload in the built page, in a new browser.
import path from 'node:path';
import { launch } from '../../tests/e2e/lib/browser.mjs';
import { serve } from '../../tests/e2e/lib/server.mjs';

const LONGEST_MS = 300_000;

/** Opens the page for benchmarks and calls `body(page, browser)` once its engine (`cpu` or `webgpu`) has a device. */
export async function withPage(folder, engine, body) {
  const site = await serve(path.resolve(folder));
  const browser = await launch({ gpu: engine === 'webgpu' });
  try {
    const page = await browser.newPage();
    await page.goto(`${site.url}?bench&engine=${engine}`);
    await page.waitForFunction(() => window.ready, null, { timeout: 120_000 });
    return await body(page, browser);
  } finally {
    await browser.close();
    site.close();
  }
}

/** What the engine answers: `median`, `ms`, and the numbers that it found. */
export function bench(page, work, [warm, reps, budget]) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`no answer within ${LONGEST_MS / 1000} s`)), LONGEST_MS);
  });
  const answer = page.evaluate((request) => window.bench(request), { work, t: { warm, reps, budget } });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

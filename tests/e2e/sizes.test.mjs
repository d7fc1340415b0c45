// Pictures of sizes whose products are powers of two, and strips: what 32-bit arithmetic gets wrong, in the built page.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { png, put, smallModel, temporaryFolder } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');

function pictures(sizes) {
  const folder = temporaryFolder();
  for (const [name, hue] of [['castle', 40], ['forest', 180]]) {
    sizes.forEach(([width, height], i) => {
      put(folder, `${name}/${i}.png`, png(width, height, (x, y) => [hue, (x + i) % 256, y % 256]));
    });
  }
  return folder;
}

/** A tiny model that sees pictures of 224 px. */
const large = () => smallModel({ size: 224, patch: 56 });

for (const [name, size, model] of [
  ['1024 × 1024', [1024, 1024], smallModel],
  ['3072 × 2048', [3072, 2048], smallModel],
  ['256 × 256, seen at 224 px,', [256, 256], large],
]) {
  test(`pictures of ${name} are taken in, shown and measured by one engine`, { timeout: 180_000 }, async () => {
    await visit(SITE, { query: '?engine=cpu#size=16&measure=2' }, async (visit) => {
      await step.engineReady(visit, /^CPU/);
      const [engine] = visit.page.workers();
      await step.giveAncestor(visit, model(), /64/);
      await step.givePictures(visit, pictures([size, size, size]), /castle[^]*forest/);
      // A thumbnail for each picture.
      await visit.page.waitForFunction(() => {
        const shown = document.querySelectorAll('[data-testid=pictures-summary] img');
        return [...shown].filter((picture) => picture.naturalWidth > 0).length === 6;
      });
      assert.equal((await step.measureHeads(visit, 4)).length, 4);
      assert.equal(visit.page.workers()[0], engine, 'no restart of the engine');
    });
  });
}

test('strips one pixel wide are named within seconds by one engine that stays small', { timeout: 120_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu#size=16' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    const [engine] = visit.page.workers();
    await step.giveAncestor(visit, large(), /64/);
    const folder = temporaryFolder();
    const strips = [[1, 16_384], [16_384, 1], [1, 3000]];
    const files = strips.map(([width, height]) => put(folder, `${width}x${height}.png`, png(width, height, (x, y) => [(x + y) % 256, 80, 160])));
    await visit.at('try-input').setInputFiles(files);
    await visit.page.waitForFunction((count) => document.querySelectorAll('[data-testid=prediction]').length === count, files.length);
    assert.equal(visit.page.workers()[0], engine, 'no restart of the engine');
  });
});

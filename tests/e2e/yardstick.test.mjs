// A model at once: the shipped MobileNetV2 as it is, with a new last layer, from pictures to a file.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');

test('doodles and the shipped MobileNetV2 are a model at once, without a choice', { timeout: 300_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await visit.at('shipped-mobilenet-v2').click();
    await step.waitFor(visit, 'ancestor-summary', /mobilenet_v2\.safetensors/);
    await visit.at('sample-doodles').click();
    await step.waitFor(visit, 'pictures-summary', /320 pictures to learn from, 80 to check with/);
    const start = performance.now();
    await visit.at('fit-head').click();
    const said = await step.waitFor(visit, 'train-status', /finished/i);
    console.log(`a fitted head after ${((performance.now() - start) / 1000).toFixed(1)} s: ${said.trim()}`);
    const right = Number(said.match(/ancestor as it is (\d+) %/)?.[1]);
    assert.ok(right >= 85, `${right} % of five classes: ${said}`);
    const rows = await step.curvesTable(visit);
    assert.ok(rows.every(({ arm }) => arm === 'ancestor as it is'), JSON.stringify(rows));

    const models = await visit.at('trial-run').locator('option').allTextContents();
    assert.ok(models.some((name) => /ancestor as it is/.test(name)), models.join(', '));
    const file = await step.saveFrom(visit, 'export-safetensors', path.join(temporaryFolder(), 'doodles.safetensors'));
    const summary = await step.giveAncestor(visit, file, /doodles\.safetensors/);
    assert.match(summary, /Classes it knows\s*5/);
    assert.deepEqual(await step.notices(visit), []);
  });
});

// A model at once: the shipped MobileNetV2 as it is, with a new last layer, from pictures to a file.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { smallModel, smallPictures, temporaryFolder } from './lib/files.mjs';
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

    // How small may it be? The first choice is smaller than the whole, and nearly as often right.
    await visit.at('find-small').click();
    const words = await step.waitFor(visit, 'experiment-words', /blocks? (is|are) enough/, 180_000);
    const [, share, small, all] = words.match(/\((\d+) % of all, [^)]*\), ([\d.]+) %[^;]*; all of it ([\d.]+) %/) ?? [];
    assert.ok(Number(share) <= 50, `more than half of the ancestor: ${words}`);
    assert.ok(Number(small) >= 80 && Number(all) >= 85, words);
    assert.match(words, /Chosen by 320 training pictures, each held out once/);
    const marks = await visit.at('experiment-chart').locator('path.point').count();
    assert.ok(marks >= 8, `${marks} depths in the chart`);

    const models = await visit.at('trial-run').locator('option').allTextContents();
    assert.ok(models.some((name) => /the first \d+ blocks/.test(name)), models.join(', '));
    const chosen = await visit.at('trial-run').locator('option:checked').textContent();
    assert.match(chosen, /the first \d+ blocks/);
    const file = await step.saveFrom(visit, 'export-safetensors', path.join(temporaryFolder(), 'doodles.safetensors'));
    const summary = await step.giveAncestor(visit, file, /doodles\.safetensors/);
    // It opens as what it is: a model of fewer parameters than the 2.2 M of all blocks.
    assert.match(summary, /Parameters\s*(\d+(\.\d+)? k|1\.\d+ M)/);
    assert.match(summary, /Classes it knows\s*5/);
    assert.deepEqual(await step.notices(visit), []);
  });
});

test('the small one is trained on where minutes are given, and limits choose anew', { timeout: 180_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu#size=16&minutes=0.01' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, smallModel(), /64/);
    await step.givePictures(visit, smallPictures({ classes: ['blue', 'red'], each: 10 }), /blue[^]*red/);
    await step.enter(visit, 'most-mb', 100);
    await visit.at('find-small').click();
    const words = await step.waitFor(visit, 'experiment-words', /enough/);
    assert.match(words, /The first block is enough[^]*Trained on: \d+(\.\d+)? % of the checking pictures right/);
    const status = await step.waitFor(visit, 'train-status', /finished/i);
    assert.match(status, /trained on \d+(\.\d+)? %/);
    const chosen = () => visit.at('trial-run').locator('option:checked').textContent();
    assert.match(await chosen(), /ancestor, trained on/);
    assert.equal(await visit.at('trial-run').locator('option').filter({ hasText: 'trained on' }).count(), 1);
    // 100 bytes are too few for any: the smallest is named, and that it is too large.
    await step.enter(visit, 'most-mb', 0.0001);
    await step.waitFor(visit, 'experiment-words', /No depth keeps the limits/);
    assert.deepEqual(await step.notices(visit), []);
    await visit.checkAccessibility();
  });
});

test('where no picture can be held out that is said', { timeout: 120_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu#size=16' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, smallModel(), /64/);
    await step.givePictures(visit, smallPictures({ classes: ['blue', 'red'], each: 4 }), /blue[^]*red/);
    await visit.at('find-small').click();
    await step.waitFor(visit, 'experiment-words', /No depth was chosen: that takes a class with five training pictures/);
  });
});

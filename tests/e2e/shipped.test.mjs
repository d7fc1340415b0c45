// The larger shipped ancestor: 43 MB that nobody fetches unasked, nor twice.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');

test('the ViT-S/14 comes when it is asked for, once, and is there after a reload', { timeout: 300_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    const asked = () => visit.site.requests.filter((name) => name.endsWith('vit_s14.safetensors')).length;
    await step.engineReady(visit, /^CPU/);
    assert.equal(asked(), 0);
    await visit.at('shipped-vit-s14').click();
    const summary = await step.waitFor(visit, 'ancestor-summary', /Layers\s*12/);
    assert.match(summary, /vit_s14\.safetensors/);
    assert.match(summary, /Heads per layer\s*6\s*Width\s*384 \(64 per head\)\s*Picture size\s*224 × 224 px, patches of 14 px\s*Parameters\s*21\.6 M/);
    assert.equal(asked(), 1);
    await step.waitFor(visit, 'saved-status', /^Saved/);
    await visit.page.reload();
    await step.engineReady(visit, /^CPU/);
    assert.equal(await step.waitFor(visit, 'ancestor-summary', /Layers\s*12/), summary);
    await visit.at('shipped-vit-s14').click();
    // Time enough for a request, if there were to be one.
    await visit.page.waitForTimeout(3000);
    await step.waitFor(visit, 'ancestor-summary', /Layers\s*12/);
    assert.equal(asked(), 1, 'it was taken from the store');
  });
});

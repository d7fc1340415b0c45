// An engine that dies must not take the person's work with it.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { smallModel, smallPictures } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');

test('an engine that dies is replaced, and ancestor, pictures and heads are there again', { timeout: 120_000 }, async () => {
  const model = smallModel();
  await visit(SITE, { query: '?engine=cpu#size=16&measure=1&heads=2&layers=1' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, model, /64/);
    await step.givePictures(visit, smallPictures({ classes: ['blue', 'red'], each: 5 }), /blue[^]*red/);
    const rows = await step.measureHeads(visit, 4);
    const [engine] = visit.page.workers();
    // What a panic's last words look like: a GPU error ends in one, and the worker with it.
    await engine.evaluate(() => {
      postMessage(['panic', 'the device was lost']);
      close();
    });
    await step.expectNotice(visit, /the device was lost/);
    await step.closeNotices(visit);
    await step.engineReady(visit, /^CPU/);
    await step.waitFor(visit, 'ancestor-summary', /64/);
    await step.waitFor(visit, 'pictures-summary', /blue[^]*red/);
    await visit.page.waitForFunction((count) => document.querySelectorAll('[data-testid=heads-table] tbody tr').length === count, rows.length);
    assert.notEqual(visit.page.workers()[0], engine, 'a new worker');
    assert.deepEqual(await step.headsTable(visit), rows, 'the new engine measures the same');
    const programs = visit.site.requests.filter((name) => /engine.*\.wasm$/.test(name)).map((name) => path.basename(name));
    assert.deepEqual(programs, ['engine-cpu_bg.wasm'], 'the new engine starts from the module that is there');
  });
});

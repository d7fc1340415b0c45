// Nothing lost: a reload, a dead engine and a full disk in the middle of training, and a project on another machine.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { png, put, smallModel, smallPictures, temporaryFolder } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const folder = temporaryFolder();
const model = smallModel();
const red = put(folder, 'unseen.png', png(24, 24, [190, 60, 60]));
/** Enough to be broken off in the middle on a machine ten times as fast (2 cores do 500 in a second), few enough to finish. */
const STEPS = 8_000;
const FINISHED = 240_000;
const settings = (steps, validate = 25) => `#size=16&measure=1&heads=2&layers=1&batch=4&validate=${validate}&steps=${steps}`;
const LONG_RACE = `?engine=cpu${settings(STEPS, 200)}`;

/** Ancestor, pictures, measured heads, and a race that has begun. */
async function race(visit) {
  await step.engineReady(visit, /^CPU/);
  await step.giveAncestor(visit, model, /64/);
  await step.givePictures(visit, smallPictures({ classes: ['blue', 'red'], each: 6 }), /blue[^]*red/);
  await step.measureHeads(visit, 4);
  await step.planned(visit, '54.5 k', 52);
  await visit.at('train-start').click();
}

/** The rows of the curves as text. */
const rows = (visit) =>
  visit.at('train-table').locator('tbody tr').evaluateAll((all) => all.map((row) => row.textContent.trim()));

async function atLeastRows(visit, count) {
  await visit.page.waitForFunction(
    (count) => document.querySelectorAll('[data-testid=train-table] tbody tr').length >= count, count, { timeout: 120_000 });
  return rows(visit);
}

/** Seconds since the last save, as the page says. */
async function secondsUnsaved(visit) {
  const said = await step.waitFor(visit, 'saved-status', /^Saved /);
  return /just now/.test(said) ? 1 : Number(said.match(/([\d.]+) s ago/)?.[1] ?? 60);
}

async function predict(visit) {
  await visit.at('try-input').setInputFiles(red);
  await step.waitFor(visit, 'prediction', /(blue|red), \d+ % sure/);
  assert.deepEqual(Object.keys(await step.shares(visit)).sort(), ['blue', 'red']);
  return (await visit.at('prediction').first().textContent()).trim();
}

/** The points measured before must stand in the curves, the same to the last digit shown. */
function assertKept(before, after) {
  assert.deepEqual(before.filter((row) => !after.includes(row)), [], 'points of the curves are lost');
}

/** Rows of the curves that stood there long enough to be saved: a small race is saved after each pass over its pictures. */
async function savedRows(visit) {
  const before = await atLeastRows(visit, 6);
  await visit.page.waitForTimeout(3000);
  return before;
}

test('after a reload in the middle of training everything is there and the race goes on by itself', { timeout: 420_000 }, async (t) => {
  await visit(SITE, { query: LONG_RACE }, async (visit) => {
    await race(visit);
    const before = await savedRows(visit);
    const lost = await secondsUnsaved(visit);
    assert.ok(lost <= 30, `${lost} s are not saved`);
    // A request of the old page may end with it.
    visit.allow(/failed request.*ERR_ABORTED/);
    await visit.page.reload();
    await step.engineReady(visit, /^CPU/);
    await step.waitFor(visit, 'ancestor-summary', /64/);
    await step.waitFor(visit, 'pictures-summary', /blue[^]*red/);
    await step.waitFor(visit, 'train-status', /step [1-9]\d* of 8000/);
    assertKept(before, await rows(visit));
    assert.equal(await visit.at('heads-table').locator('tbody tr').count(), 4, 'the heads are there');
    await step.waitFor(visit, 'train-status', /finished/i, FINISHED);
    assertKept(before, await rows(visit));
    const said = await predict(visit);
    t.diagnostic(`at most ${lost} s were not saved at the reload`);

    // And the models that were trained to their end are there after another one.
    await step.waitFor(visit, 'saved-status', /^Saved /);
    await visit.page.waitForTimeout(1000);
    await visit.page.reload();
    await step.engineReady(visit, /^CPU/);
    await step.waitFor(visit, 'train-status', /finished/i, FINISHED);
    assert.equal(await predict(visit), said);
    await visit.at('projects-open').click();
    await visit.checkAccessibility();
  });
});

test('an engine that dies in the middle of training is replaced and the race goes on by itself', { timeout: 420_000 }, async (t) => {
  await visit(SITE, { query: LONG_RACE }, async (visit) => {
    await race(visit);
    const before = await savedRows(visit);
    const lost = await secondsUnsaved(visit);
    const [engine] = visit.page.workers();
    const start = Date.now();
    await engine.evaluate(() => {
      postMessage(['panic', 'the device was lost']);
      close();
    });
    await step.expectNotice(visit, /the device was lost[^]*training goes on/);
    await step.closeNotices(visit);
    await step.engineReady(visit, /^CPU/);
    await step.waitFor(visit, 'train-status', /step [1-9]\d* of 8000/);
    const back = (Date.now() - start) / 1000;
    assertKept(before, await rows(visit));
    assert.ok(lost <= 30, `${lost} s are lost`);
    await step.waitFor(visit, 'train-status', /finished/i, FINISHED);
    await predict(visit);
    t.diagnostic(`${lost} s lost, training again after ${back.toFixed(1)} s`);
  });
});

test('a full disk is said and training finishes in memory', { timeout: 300_000 }, async () => {
  const quota = 900_000;
  await visit(SITE, { query: `?engine=cpu&quota=${quota}${settings(60)}` }, async (visit) => {
    await race(visit);
    await step.expectNotice(visit, /could not be saved[^]*no room/);
    await step.waitFor(visit, 'saved-status', /^Not saved/);
    await step.waitFor(visit, 'train-status', /finished/i);
    await predict(visit);
    assert.equal((await step.notices(visit)).filter((text) => /no room/.test(text)).length, 1, 'said once');
    // What was saved before is still readable.
    visit.allow(/failed request.*ERR_ABORTED/);
    await visit.page.reload();
    await step.engineReady(visit, /^CPU/);
    await step.waitFor(visit, 'ancestor-summary', /64/);
  });
});

test('a project opens on another machine and names pictures just the same', { timeout: 300_000 }, async (t) => {
  const zip = path.join(folder, 'project.zip');
  let said;
  await visit(SITE, { query: `?engine=cpu${settings(30)}` }, async (visit) => {
    await race(visit);
    await step.waitFor(visit, 'train-status', /finished/i);
    said = await predict(visit);
    await step.waitFor(visit, 'saved-status', /^Saved /);
    await visit.at('projects-open').click();
    await visit.at('project-rename').first().fill('Colours');
    await visit.at('project-rename').first().press('Tab');
    await step.waitFor(visit, 'project-name', /Colours/);
    await step.saveFrom(visit, 'export-project', zip);

    await t.test('another project begins empty, and the first one comes back', async () => {
      await visit.at('project-new').click();
      await step.waitFor(visit, 'project-name', /Project 2/);
      assert.equal(await visit.at('ancestor-summary').count(), 0);
      await visit.at('project-open').first().click();
      await step.waitFor(visit, 'train-status', /finished/i);
      assert.equal(await predict(visit), said);
      await visit.at('project-delete').first().click();
      await visit.at('project-delete').first().click();
      await visit.page.waitForFunction(() => !document.querySelector('[data-testid=project-list]'));
    });
  });
  // A new browser: its store is empty.
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await visit.at('projects-open').click();
    await visit.at('import-project').setInputFiles(put(folder, 'bad.zip', Buffer.from('no zip at all, but long enough to look at')));
    await step.expectNotice(visit, /bad\.zip cannot be opened: .*the zip directory at its end is missing, so it is cut off/);
    await step.closeNotices(visit);
    await visit.at('import-project').setInputFiles(zip);
    await step.waitFor(visit, 'train-status', /finished/i);
    await step.waitFor(visit, 'project-name', /Colours/);
    assert.equal(await predict(visit), said);
  });
});

// What an earlier version saved opens unchanged: a project and a link.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const SAVED = path.join(import.meta.dirname, '../fixtures/version_1');
const facts = JSON.parse(fs.readFileSync(path.join(SAVED, 'facts.json'), 'utf8'));

test('a project of an earlier version opens with all it held', { timeout: 180_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await visit.at('projects-open').click();
    await visit.at('import-project').setInputFiles(path.join(SAVED, 'project.zip'));
    await step.waitFor(visit, 'pool-status', /^Finished: 6 models/);
    const said = async (handle) => ((await visit.at(handle).first().textContent()) ?? '').trim();
    // What is assumed of how pictures were prepared was not said then.
    const assumed = /Assumed.*were trained with 0\.5 for both\)/;
    assert.equal((await said('ancestor-summary')).replace(assumed, ''), facts['ancestor-summary']);
    for (const handle of ['pictures-summary', 'pool-status']) assert.equal(await said(handle), facts[handle]);
    await visit.at('method').selectOption('cluster');
    await step.waitFor(visit, 'train-status', /finished/i);
    assert.deepEqual(await step.headsTable(visit), facts.heads);
    for (const handle of ['kept-heads', 'train-status']) assert.equal(await said(handle), facts[handle]);
  });
});

test('a link of an earlier version with every setting changed is understood whole', { timeout: 120_000 }, async () => {
  const link = fs.readFileSync(path.join(SAVED, 'link.txt'), 'utf8').trim();
  await visit(SITE, { query: `#${link}`, permissions: ['clipboard-read', 'clipboard-write'] }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    assert.deepEqual(await step.notices(visit), [], 'nothing was left out');
    await visit.at('copy-link').click();
    await step.waitFor(visit, 'copy-link-status', /copied/i);
    const copied = await visit.page.evaluate(() => navigator.clipboard.readText());
    const settings = (fragment) => Object.fromEntries(new URLSearchParams(fragment));
    // What were ticks then are choices of three now.
    assert.deepEqual(settings(new URL(copied).hash.slice(1)), { ...settings(link), scale: 'literal', learned: 'learned' });
  });
});

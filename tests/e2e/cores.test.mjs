// Several cores: what comes of a race is the same, to the bit, however many compute it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { smallModel, smallPictures, temporaryFolder } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');

/** The weights of a descendant raced with so many cores. */
const raced = async (cores) => {
  const model = smallModel();
  const fragment = '#size=16&measure=1&steps=300&batch=8&validate=2&heads=2&layers=1&drop_path=0.1';
  let found;
  await visit(SITE, { query: `?engine=cpu&cores=${cores}${fragment}` }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, model, /64/);
    await step.givePictures(visit, smallPictures({ classes: ['blue', 'red'], each: 12 }), /blue[^]*red/);
    await step.measureHeads(visit, 4);
    await visit.at('train-start').click();
    // Only a race that they take part in says so.
    if (cores > 1) await visit.page.waitForFunction((words) => document.querySelector('.job-note')?.textContent.includes(words), `, ${cores} cores`);
    await step.waitFor(visit, 'train-status', /finished/i);
    const file = await step.saveFrom(visit, 'export-safetensors', path.join(temporaryFolder(), 'descendant.safetensors'));
    found = fs.readFileSync(file);
  });
  return found;
};

test('a race has the same bits with one, two and four cores', { timeout: 240_000 }, async () => {
  const alone = await raced(1);
  for (const cores of [2, 4]) assert.ok((await raced(cores)).equals(alone), `${cores} cores gave other weights`);
});

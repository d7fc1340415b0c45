// How folders are read stands there, and the other reading is a click away; damaged pictures stop nothing.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { png, put, smallModel, temporaryFolder } from './lib/files.mjs';
import { SMALL } from './lib/small.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');

/** Fruit by days, the days called alike. */
function sessions() {
  const folder = path.join(temporaryFolder(), 'fruit');
  for (const [index, fruit] of ['apple', 'pear'].entries()) {
    for (let picture = 0; picture < 8; picture++) {
      const level = 10 * picture;
      const colour = index ? [level, 200, 40] : [200, level, 40];
      put(folder, `${fruit}/session${1 + (picture >> 2)}/${picture}.png`, png(20, 20, () => colour));
    }
  }
  return folder;
}

test('folders inside folders are read the other way at a click', { timeout: 120_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    const read = await step.givePictures(visit, sessions(), /2 classes/);
    assert.match(read, /apple[\s\S]*pear/);
    assert.doesNotMatch(await visit.at('pictures-summary').locator('table').textContent(), /session/);
    await step.waitFor(visit, 'folders-read', /`apple` was taken for a class, not `session1`/);
    await visit.checkAccessibility();
    await visit.at('folders-otherwise').click();
    await step.waitFor(visit, 'folders-read', /`session1` was taken for a class, not `apple`/);
    assert.match(await visit.at('pictures-summary').locator('table').textContent(), /session1[\s\S]*session2/);
    await visit.at('folders-otherwise').click();
    await step.waitFor(visit, 'folders-read', /`apple` was taken/);
  });
});

test('heads are measured past damaged pictures, which are named', { timeout: 120_000 }, async () => {
  const folder = path.join(temporaryFolder(), 'pets');
  for (const [index, pet] of ['cat', 'dog'].entries()) {
    for (let picture = 0; picture < 6; picture++) {
      const bytes = png(20, 20, (x, y) => [(x * 7 + picture * 31) & 255, (y * 13) & 255, index ? 220 : 30]);
      // Whole at both ends, damaged between.
      if (picture === 0) bytes.fill(0xa5, bytes.length >> 1, (bytes.length >> 1) + 16);
      put(folder, `${pet}/${picture}.png`, bytes);
    }
  }
  await visit(SITE, { query: `?engine=cpu#${SMALL}` }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, smallModel(), /64/);
    await step.givePictures(visit, folder, /2 classes/);
    await step.measureHeads(visit, 4);
    await step.expectNotice(visit, /measured without these pictures.*0\.png/);
  });
});

// Sample pictures that ship with the page.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { waitFor } from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');

for (const [name, classes] of [
  ['doodles', ['cat', 'fish', 'flower', 'house', 'star']],
  ['clothes', ['bag', 'boot', 'sandal', 't-shirt', 'trousers']],
]) {
  test(`one click brings 400 ${name} in five classes`, async () => {
    await visit(SITE, { query: '?engine=cpu' }, async (page) => {
      await page.at(`sample-${name}`).click();
      const summary = await waitFor(page, 'pictures-summary', /5 classes/);
      assert.match(summary, /320 pictures to learn from, 80 to check with/);
      for (const label of classes) assert.ok(summary.includes(label), `${label} is missing: ${summary}`);
    });
  });
}

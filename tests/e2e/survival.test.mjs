// What is left of the ancestor before any training, for several sizes of the learngene.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { plan, SMALL } from './lib/small.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');

test('the price of a smaller learngene stands there before any training', { timeout: 120_000 }, async () => {
  await visit(SITE, { query: `?engine=cpu#${SMALL}&eps=0` }, async (visit) => {
    await plan(visit);
    await visit.at('survival-start').click();
    await visit.at('survival-table').waitFor();
    const rows = await visit.at('survival-table').locator('tbody tr').evaluateAll((all) =>
      all.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
    assert.ok(rows.length >= 5 && /chosen/.test(rows[0][0]), JSON.stringify(rows));
    const whole = rows.filter(([, heads, ffns]) => heads === '4' && ffns === '2');
    for (const cells of whole) assert.deepEqual(cells.slice(4), ['100 %', '100 %'], 'nothing was left out');
    const [, heads, , , plain] = rows.at(-1);
    assert.ok(Number(heads) < 4 && parseInt(plain, 10) < 100, `${rows.at(-1)}`);
    await visit.checkAccessibility();
    // Of other pictures it says nothing.
    await visit.at('pictures-clear').click();
    await step.waitFor(visit, 'engine-status', /^CPU/);
    assert.equal(await visit.at('survival-table').count(), 0);
  });
});

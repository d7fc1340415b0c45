// Tied layers (TLEG) on the shipped classroom ancestor: learned, read off at two depths, raced and taken home.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { readHeader, temporaryFolder } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const SETTINGS = '#method=tleg&size=32&share=0.1&aux=2&layers=2&head_steps=3&distil_steps=3&batch=4&steps=2&validate=2&arms=inherited+scratch';

test('two layers are learned and give descendants of any depth', { timeout: 600_000 }, async (t) => {
  const then = step.inOrder(t);
  await visit(SITE, { query: `?engine=cpu${SETTINGS}` }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    assert.equal(await visit.at('method').inputValue(), 'tleg');
    await visit.at('shipped-classroom').click();
    await step.waitFor(visit, 'ancestor-summary', /classroom/);
    await visit.at('sample-doodles').click();
    await step.waitFor(visit, 'pictures-summary', /pictures to learn from/);

    await then('the stored layers are learned, and what they store is said', async () => {
      await visit.at('tied-start').click();
      await step.waitFor(visit, 'tied-status', /^Learned: the helper model names \d+ % .* the ancestor \d+ %/, 300_000);
      assert.match(await visit.at('tied-facts').textContent(), /Stored\s*[\d.]+ [kM].*of the ancestor/);
      assert.ok(await visit.at('pool-losses').isVisible());
    });

    const begins = () => visit.at('descendant-table').locator('tbody tr td:nth-child(2)').allTextContents();
    await then('the slider changes depth, parameters and what each layer begins as, at once', async () => {
      assert.deepEqual(await begins(), ['θ_B + 1/2 · θ_A', 'θ_B + 2/2 · θ_A']);
      const before = await visit.at('descendant-summary').textContent();
      await visit.at('depth-slider').fill('3');
      await visit.page.waitForFunction(() =>
        document.querySelectorAll('[data-testid=descendant-table] tbody tr').length === 3);
      assert.deepEqual((await begins()).at(-1), 'θ_B + 3/3 · θ_A');
      assert.notEqual(await visit.at('descendant-summary').textContent(), before);
    });

    await then('the page has no serious accessibility fault', () => visit.checkAccessibility());

    await then('the descendant races, and is saved with its three layers', async () => {
      await visit.at('train-start').click();
      await step.waitFor(visit, 'train-status', /finished/i, 300_000);
      // Two starts, checked at the beginning and at the end.
      assert.equal((await step.curvesTable(visit)).length, 2 * 2);
      const file = path.join(temporaryFolder(), 'descendant.safetensors');
      const header = readHeader(await step.saveFrom(visit, 'export-safetensors', file));
      assert.ok(header['blocks.2.attn.qkv.weight'] && !header['blocks.3.attn.qkv.weight']);
      assert.equal(header['head.weight'].shape[0], 5);
    });
    assert.deepEqual(await step.notices(visit), []);
  });
});

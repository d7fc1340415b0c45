// Learngene by layers from a dropped ancestor to an exported descendant that opens again, on the CPU engine.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { cifar, readHeader, SHARED, smallModel, smallPictures, temporaryFolder } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const RESNET = path.join(SHARED, 'data/models/resnet56_cifar10.safetensors');
const absent = !fs.existsSync(RESNET) && !process.env.CI && 'the real ancestor is not beside this checkout';

/** Compares layers and returns the rows of `cka-table`: `{ layer, similarity, score, chosen }`. */
async function condense(visit, layers) {
  await visit.at('condense').click();
  await visit.at('cka-table').waitFor({ state: 'attached', timeout: 120_000 });
  const rows = await visit.at('cka-table').locator('tbody tr').evaluateAll((all) =>
    all.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
  assert.equal(rows.length, layers);
  return rows.map((cells) => ({
    layer: cells[0],
    similarity: cells.slice(1, -2).map(Number),
    score: Number(cells.at(-2)),
    chosen: cells.at(-1) === 'yes',
  }));
}

/** Numbers that CKA can give, and the best `k` ticked. */
function checkSimilarity(rows, pseudo, k) {
  for (const { similarity, score } of rows) {
    assert.equal(similarity.length, pseudo);
    assert.ok(similarity.every((value) => value > -0.5 && value <= 1.0001), `${similarity}`);
    const mean = similarity.reduce((sum, value) => sum + value, 0) / pseudo;
    assert.ok(Math.abs(score - mean) < 1e-3, `${score} is not the mean ${mean}`);
  }
  const chosen = rows.filter((row) => row.chosen);
  assert.equal(chosen.length, k);
  const best = rows.map((row) => row.score).sort((a, b) => b - a)[k - 1];
  assert.ok(chosen.every((row) => row.score >= best - 1e-4), 'the best layers are chosen');
}

const sources = async (visit) =>
  visit.at('descendant-table').locator('tbody tr td:nth-child(2)').allTextContents();

async function trainAndSave(visit) {
  await visit.at('train-start').click();
  await step.waitFor(visit, 'train-status', /finished/i);
  // Two starts, checked at the beginning, in the middle and at the end.
  assert.equal((await step.curvesTable(visit)).length, 2 * 3);
  return step.saveFrom(visit, 'export-safetensors', path.join(temporaryFolder(), 'descendant.safetensors'));
}

test('layers of a small ViT are compared, chosen, inherited, trained and taken home', { timeout: 300_000 }, async (t) => {
  const then = step.inOrder(t);
  const model = smallModel({ layers: 4 });
  const settings = '#method=layers&size=16&k=2&pseudo=2&pseudo_steps=6&probe=8&layers=3&steps=6&batch=6&validate=3';
  await visit(SITE, { query: `?engine=cpu${settings}` }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    assert.equal(await visit.at('method').inputValue(), 'layers');
    await step.giveAncestor(visit, model, /64/);
    await step.givePictures(visit, smallPictures(), /green/);

    let rows;
    await then('every layer is compared and the best are ticked', async () => {
      rows = await condense(visit, 4);
      checkSimilarity(rows, 2, 2);
      assert.ok(await visit.at('cka-chart').isVisible());
      await step.planned(visit, '155 k', 75);
      const names = rows.filter((row) => row.chosen).map((row) => `from ${row.layer}`);
      assert.deepEqual(await sources(visit), [...names, 'random']);
    });

    await then('the person may overrule', async () => {
      for (const [index, { chosen }] of rows.entries()) {
        if (chosen !== (index === 3)) await visit.at(`layer-${index + 1}`).click();
      }
      await visit.page.waitForFunction(() =>
        document.querySelectorAll('[data-testid=descendant-table] tbody tr td:nth-child(2)')[0]?.textContent === 'from blocks.3');
      assert.deepEqual(await sources(visit), ['from blocks.3', 'random', 'random']);
      await step.enter(visit, 'layers-k', 1);
      const best = rows.toSorted((a, b) => b.score - a.score)[0];
      await visit.page.waitForFunction((name) =>
        document.querySelectorAll('[data-testid=descendant-table] tbody tr td:nth-child(2)')[0]?.textContent === name, `from ${best.layer}`);
    });

    await then('the page has no serious accessibility fault', () => visit.checkAccessibility());

    const file = await (async () => {
      await step.enter(visit, 'freeze-epochs', 0.5);
      return trainAndSave(visit);
    })();
    await then('the export has the layers and the classes, and is an ancestor again', async () => {
      const header = readHeader(file);
      assert.deepEqual(header['head.weight'].shape, [3, 64]);
      assert.ok(header['blocks.2.attn.qkv.weight'] && !header['blocks.3.attn.qkv.weight']);
      await step.giveAncestor(visit, file, /descendant/);
    });

    await then('the other method is still there', async () => {
      await visit.at('method').selectOption('cluster');
      await visit.at('measure-heads').waitFor();
      assert.equal(await visit.at('condense').count(), 0);
    });
  });
});

test('stages of ResNet-56 go the same way', { skip: absent, timeout: 600_000 }, async (t) => {
  const then = step.inOrder(t);
  const settings = '#method=layers&size=32&k=1&pseudo=1&pseudo_steps=4&probe=8&layers=3&steps=4&batch=8&validate=2&lr=0.001';
  await visit(SITE, { query: `?engine=cpu${settings}` }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, RESNET, /ResNet/i);
    await step.givePictures(visit, cifar({ classes: ['cat', 'frog', 'ship'], train: 8, test: 4 }), /frog/);

    await then('every stage is compared', async () => {
      const rows = await condense(visit, 3);
      assert.deepEqual(rows.map((row) => row.layer), ['layer1', 'layer2', 'layer3']);
      checkSimilarity(rows, 3, 1);
    });

    await then('stages that do not fit are refused with a sentence', async () => {
      for (const index of [1, 2, 3]) {
        const box = visit.at(`layer-${index}`);
        if ((await box.isChecked()) !== (index === 3)) await box.click();
      }
      await step.expectNotice(visit, /channels/);
      await visit.at('layer-3').click();
      await visit.at('layer-1').click();
      await step.closeNotices(visit);
      await visit.page.waitForFunction(() =>
        document.querySelectorAll('[data-testid=descendant-table] tbody tr td:nth-child(2)')[0]?.textContent === 'from layer1');
    });

    const file = await trainAndSave(visit);
    await then('the export is a ResNet again', async () => {
      const header = readHeader(file);
      assert.deepEqual(header['fc.weight'].shape, [3, 64]);
      assert.ok(header['bn1.running_mean']);
      await step.giveAncestor(visit, file, /ResNet/i);
    });
  });
});

// A pool of small models from a dropped ancestor to a model that is cut out, taken home and opened again, on the CPU engine;
// SN-Net beside it; and a reload in the middle.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { savedPicture } from './lib/charts.mjs';
import { png, put, readHeader, smallModel, smallPictures, temporaryFolder } from './lib/files.mjs';
import { metadata, opset, run, softmax, tensor } from './lib/onnx.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const SIZE = 16;
/** Two models of two blocks: two whole ones, and four ways through their only stitch layer. */
const WAYS = 6;
/**
 * Parameters and operations of each, by hand. A block of width w has 12 w² + 13 w parameters (w = 16: 3280, w = 32: 12704);
 * before it come 3 · 4² · w + w for the patches and 18 w for the tokens, behind it 2 w for the norm and 2 w + 2 for two
 * classes; the stitch has 16 · 32 + 32. Operations are two for each product: 17 tokens, 16 patches.
 */
const COSTS = [
  [7698, 270528], [17730, 619840], [21010, 742784], [27682, 958848], [30434, 1074624], [33714, 1197568],
];
const folder = temporaryFolder();
const ancestor = smallModel();
const settings = ({ head = 4, distil, pool }) =>
  `#method=pool&basis=pca&size=${SIZE}&batch=4&small=2x16+2x32&head_steps=${head}&distil_steps=${distil}&pool_steps=${pool}`;

async function bring(visit) {
  await step.engineReady(visit, /^CPU/);
  await step.giveAncestor(visit, ancestor, /64/);
  await step.givePictures(visit, smallPictures({ classes: ['blue', 'red'], each: 6, size: SIZE }), /blue[^]*red/);
}

/** Cells of a table's rows as text. */
const rows = (visit, handle) =>
  visit.at(handle).locator('tbody tr').evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));

const marks = (visit) => visit.at('pool-chart').locator('path.dot').count();

/** Puts the slider at a place from 0 to 200. */
const budget = (visit, place) =>
  visit.at('budget-slider').evaluate((slider, place) => {
    slider.value = place;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
  }, String(place));

/** Chooses the first stitched model of the method in use in the table, and says its blocks and its parameters. */
const chooseStitched = (visit) =>
  visit.at('pool-table').locator('tbody tr').evaluateAll((all) => {
    const row = all.find((row) => row.cells[2].textContent.trim() === '1' && row.querySelector('button'));
    row.querySelector('button').click();
    return { path: row.cells[1].textContent.trim(), parameters: Number(row.cells[3].textContent) };
  });

test('a pool is made, cut from, taken home, kept, and compared with SN-Net', { timeout: 600_000 }, async (t) => {
  const then = step.inOrder(t);
  const to = (name) => path.join(folder, name);
  const pixel = (x, y) => [200 - 9 * x, 30 + 11 * y, (x * y) % 256];
  const picture = put(folder, 'picture.png', png(SIZE, SIZE, pixel));
  const predict = async (visit) => {
    await visit.at('try-input').setInputFiles(picture);
    await step.waitFor(visit, 'prediction', /(blue|red), \d+ % sure/);
    return step.shares(visit);
  };
  await visit(SITE, { query: `?engine=cpu${settings({ distil: 4, pool: 4 })}` }, async (visit) => {
    await bring(visit);
    assert.equal(await visit.at('method').inputValue(), 'pool');

    await then('the small models learn, are stitched and judged', async () => {
      await visit.at('pool-start').click();
      await step.waitFor(visit, 'pool-status', /^Finished: 6 models/);
      assert.equal(await visit.at('pool-grid').locator('rect.instance').count(), 4, 'one square a block');
      assert.equal(await marks(visit), WAYS, 'one mark a way');
      const table = await rows(visit, 'pool-table');
      assert.equal(table.length, WAYS);
      for (const [way, , , , , milliseconds, start, right] of table) {
        assert.equal(way, 'Pool');
        assert.ok(Number(milliseconds) > 0, milliseconds);
        assert.ok([start, right].every((share) => Number(share) >= 0 && Number(share) <= 100), `${start}, ${right}`);
      }
      assert.deepEqual(table.map(([, , , parameters, flops]) => [Number(parameters), Number(flops)]).sort(([a], [b]) => a - b), COSTS);
      const best = Number((await visit.at('pool-status').textContent()).match(/the best is right for (\d+) %/)?.[1]);
      step.sameShare(best, Math.max(...table.map((cells) => Number(cells[7]))), 'the best model');
      const losses = await rows(visit, 'pool-losses-table');
      const curves = ["ancestor's head", 'model 2 × 16', 'model 2 × 32', 'stitched whole'];
      assert.deepEqual(losses.map(([name, at]) => `${name} ${at}`), curves.flatMap((name) => [1, 2, 3, 4].map((at) => `${name} ${at}`)));
      assert.ok(losses.every(([, , loss]) => Number(loss) > 0));
    });

    await then('the budget slider picks the best model that fits', async () => {
      await budget(visit, 0);
      await step.waitFor(visit, 'pool-path', /^all of 2 × 16, nothing stitched/);
      assert.equal(await visit.at('pool-grid').locator('rect.instance.on').count(), 2);
      assert.equal((await visit.at('budget-value').textContent()).trim(), '7.70 k parameters', 'the smallest model');
      await budget(visit, 200);
      await step.waitFor(visit, 'budget-value', /^33\.7 k parameters$/);
      await visit.at('budget-kind').selectOption('milliseconds');
      await step.waitFor(visit, 'budget-value', / ms$/);
    });

    for (const [name, words] of Object.entries({ pool: /instance/, 'pool-scatter': /operations/, 'pool-losses': /loss/i })) {
      await then(`the picture of ${name} is saved as it stands`, () => savedPicture(visit, name, words, folder));
    }
    await then('the page has no serious accessibility fault', () => visit.checkAccessibility());

    let shown, chosen;
    await then('a stitched model is cut out and is the one that names pictures', async () => {
      chosen = await chooseStitched(visit);
      assert.match(chosen.path, /^\d × 16 → \d × 32$/);
      await step.waitFor(visit, 'pool-path', /stitch 1, then from block/);
      assert.equal(await visit.at('pool-grid').locator('path.stitch').count(), 1);
      await visit.at('pool-cut').click();
      await step.waitFor(visit, 'trial-run', new RegExp(`cut from the pool: ${chosen.path}`));
      shown = await predict(visit);
    });

    await then('it goes home, and onnxruntime says of a picture what the page says', async () => {
      const header = readHeader(await step.saveFrom(visit, 'export-safetensors', to('cut.safetensors')));
      assert.deepEqual(header['stitch.weight'].shape, [32, 16]);
      assert.deepEqual(header['end.head.weight'].shape, [2, 32]);
      const { __metadata__, ...tensors } = header;
      const sizes = Object.values(tensors).map(({ shape }) => shape.reduce((a, b) => a * b, 1));
      assert.equal(sizes.reduce((a, b) => a + b), chosen.parameters, 'as many as the table says');
      const graph = await step.saveFrom(visit, 'export-onnx', to('cut.onnx'));
      assert.equal(opset(graph), 17);
      const said = metadata(graph);
      const labels = JSON.parse(said.labels);
      assert.deepEqual(labels, ['blue', 'red']);
      const { scores } = await run(graph, tensor([pixel], said));
      softmax(scores[0]).forEach((share, at) => {
        const percent = Number(shown[labels[at]]);
        assert.ok(Math.abs(100 * share - percent) <= 0.51, `${labels[at]}: onnxruntime ${100 * share} %, page ${percent} %`);
      });
      await step.saveFrom(visit, 'export-package', to('package.zip'));
    });

    await then('pool, table and cut-out model are there after a reload', async () => {
      const before = await rows(visit, 'pool-table');
      await step.waitFor(visit, 'saved-status', /^Saved /);
      await visit.page.waitForTimeout(2000);
      // A request of the old page may end with it.
      visit.allow(/failed request.*ERR_ABORTED/);
      await visit.page.reload();
      await step.engineReady(visit, /^CPU/);
      await step.waitFor(visit, 'pool-status', /^Finished: 6 models/);
      assert.deepEqual(await rows(visit, 'pool-table'), before);
      await step.waitFor(visit, 'trial-run', new RegExp(`cut from the pool: ${chosen.path}`));
      assert.deepEqual(await predict(visit), shown);
    });

    await then('SN-Net stands beside it in the same chart', async () => {
      await visit.at('method').selectOption('stitch');
      await step.waitFor(visit, 'pool-status', /Not started/);
      await visit.at('pool-start').click();
      await step.waitFor(visit, 'pool-status', /^Finished: 6 models/);
      assert.equal(await marks(visit), 2 * WAYS);
      assert.deepEqual(new Set((await rows(visit, 'pool-table')).map(([way]) => way)), new Set(['Pool', 'SN-Net']));
      assert.match(await visit.page.locator('#training').textContent(), /Both ways: same ancestor/);
      const compared = Object.fromEntries((await rows(visit, 'pool-compare')).map(([measure, ...ways]) => [measure, ways]));
      assert.equal(Object.keys(compared).length, 8, JSON.stringify(compared));
      // The same models either way: 7698 and 27682 parameters, with a stitch of 544, beside an ancestor of 105034.
      assert.deepEqual(compared['of these, the small models alone (anchors)'], Array(2).fill('35.4 k'));
      assert.deepEqual(compared['Stored parameters, all models and stitches'], Array(2).fill('35.9 k (34 % of the ancestor)'));
      const table = await rows(visit, 'pool-table');
      ['Pool', 'SN-Net'].forEach((way, at) => {
        const right = table.filter((cells) => cells[0] === way).map((cells) => Number(cells[7]));
        const told = ['Right on average over all models, %', 'Right, the best model, %'].map((measure) => Number(compared[measure][at]));
        [step.mean(right), Math.max(...right)].forEach((share, measure) =>
          assert.ok(Math.abs(told[measure] - share) <= 0.11, `${way}: ${told} beside ${right}`));
        assert.match(compared['Smallest model: parameters, right'][at], /^7\.70 k, \d+ %$/);
        assert.match(compared['The ancestor with its new head, right'][at], /^\d+ %$/);
      });
      const better = compared['Models in which it is the better one'].map((count) => Number(count.match(/^(\d) of 6$/)?.[1]));
      assert.ok(better[0] + better[1] <= WAYS, `${better}`);
      const { path } = await chooseStitched(visit);
      await visit.at('pool-cut').click();
      await step.waitFor(visit, 'trial-run', new RegExp(`cut from the SN-Net: ${path}`));
    });

    await then('the package of the model cut out is an ancestor again', async () => {
      await step.giveAncestor(visit, to('package.zip'), /package\.zip[^]*→/);
    });
  });
});

test('after a reload in the middle the pool goes on by itself', { timeout: 600_000 }, async (t) => {
  // Enough to be broken off in the middle on a machine ten times as fast.
  const each = 3000;
  const steps = 4 + 3 * each;
  await visit(SITE, { query: `?engine=cpu${settings({ distil: each, pool: each })}` }, async (visit) => {
    await bring(visit);
    await visit.at('pool-start').click();
    const stepOf = (status) => Number(status.match(/step (\d+) of/)[1]);
    const before = stepOf(await step.waitFor(visit, 'pool-status', /step [1-9]\d+ of/));
    // A small pool is saved after each pass over its pictures; this save is younger than what stood there.
    await visit.page.waitForTimeout(3000);
    await step.waitFor(visit, 'saved-status', /^Saved just now/);
    visit.allow(/failed request.*ERR_ABORTED/);
    await visit.page.reload();
    await step.engineReady(visit, /^CPU/);
    const after = stepOf(await step.waitFor(visit, 'pool-status', new RegExp(`step \\d+ of ${steps}`)));
    assert.ok(after >= before, `step ${after} after the reload, ${before} before`);
    await step.waitFor(visit, 'ancestor-summary', /64/);
    await step.waitFor(visit, 'pictures-summary', /blue[^]*red/);
    const head = (await rows(visit, 'pool-losses-table')).filter(([name]) => /head/.test(name));
    assert.equal(head.length, 4, 'the losses from before are there');
    await step.waitFor(visit, 'pool-status', /^Finished: 6 models/, 300_000);
    assert.equal(await marks(visit), WAYS);
    t.diagnostic(`step ${before} before the reload, ${after} after it`);

    // Paused, it stays paused over a reload.
    await visit.at('pool-start').click();
    await step.waitFor(visit, 'pool-status', /step [1-9]\d+ of/);
    await visit.at('pool-pause').click();
    await step.waitFor(visit, 'pool-status', /^Paused/);
    await visit.page.waitForTimeout(2000);
    await visit.page.reload();
    await step.engineReady(visit, /^CPU/);
    await step.waitFor(visit, 'pool-status', /^Paused/);
    await visit.at('pool-stop').click();
    await step.waitFor(visit, 'pool-status', /^Stopped/);
  });
});

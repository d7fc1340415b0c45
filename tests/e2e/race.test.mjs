// Races and experiments as a person runs them: starts × seeds, a family of sizes, a sweep, fewer pictures.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { safetensors, smallModel, smallPictures, temporaryFolder } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const model = () => smallModel();
const SETTINGS = 'size=16&measure=2&heads=2&layers=2&batch=4&steps=6&validate=3&lr=0.001';

/** The page with everything measured, for the settings of an address. */
async function measured(settings, body) {
  await visit(SITE, { query: `?engine=cpu#${SETTINGS}&${settings}` }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, model(), /64/);
    await step.givePictures(visit, smallPictures({ classes: ['blue', 'red'], each: 10 }), /blue[^]*red/);
    await step.measureHeads(visit, 4);
    await step.planned(visit, '105 k', 100);
    await body(visit);
  });
}

/** Rows of a table by the words of their cells. */
const rows = (visit, handle) =>
  visit.at(handle).locator('tbody tr').evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));

async function train(visit) {
  await visit.at('train-start').click();
  await step.waitFor(visit, 'train-status', /finished/i);
}

test('starts × seeds are drawn with bands and summed up in sentences', { timeout: 180_000 }, async () => {
  await measured('arms=inherited+scratch+first&seeds=2', async (visit) => {
    assert.ok(await visit.at('arm-first').isChecked() && !(await visit.at('arm-whole').isChecked()), 'the address chose the starts');
    assert.match(await step.waitFor(visit, 'train-budget', /36 steps \(6 runs\)/), /about .* on this machine/);
    await train(visit);
    const bands = visit.at('train-chart').locator('path.spread');
    assert.equal(await bands.count(), 3);
    for (const band of await bands.evaluateAll((all) => all.map((one) => one.getAttribute('d')))) {
      assert.match(band, /^M[\d. -]+(L[\d. -]+)+Z$/, 'a closed band');
    }
    assert.equal((await rows(visit, 'train-table')).length, 3 * 2 * 3, 'three starts, two seeds, steps 0, 3 and 6');
    const words = await visit.at('race-words').locator('li').allTextContents();
    assert.equal(words.length, 3, 'two against scratch, inherited against first layers');
    for (const sentence of words) {
      assert.match(sentence, /^(Inherited|First layers|From scratch|Neither) .*(reached|level).*\.$/);
      assert.doesNotMatch(sentence, /NaN|undefined|inf/);
    }
    const numbers = await rows(visit, 'statistics-table');
    assert.deepEqual(numbers.map(([start]) => start), ['inherited', 'from scratch', 'first layers']);
    // Mean, deviation and range of the two seeds' last points.
    const curves = await step.curvesTable(visit);
    for (const [start, last] of numbers) {
      const [average, , low, high] = last.match(/^([\d.]+) % ± ([\d.]+) % \(([\d.]+) % to ([\d.]+) %\)$/).slice(1).map(Number);
      const ends = step.ends(curves, start);
      assert.equal(ends.length, 2, 'two seeds');
      [[average, step.mean(ends)], [low, Math.min(...ends)], [high, Math.max(...ends)]].forEach(([told, shown]) =>
        assert.ok(Math.abs(told - shown) <= 0.11, `${start}: ${last}, but the curves end at ${ends}`));
    }
    await visit.checkAccessibility();
  });
});

test('a family of two sizes keeps every model and is drawn against its size', { timeout: 180_000 }, async () => {
  await measured('experiment=family&sizes=2x2+1x1', async (visit) => {
    assert.equal(await visit.at('family-sizes').inputValue(), '2x2 1x1');
    await train(visit);
    const points = await rows(visit, 'experiment-table');
    assert.deepEqual(points.map((cells) => cells.slice(0, 3)), [['inherited', '2', '2'], ['from scratch', '2', '2'], ['inherited', '1', '1'], ['from scratch', '1', '1']]);
    assert.deepEqual(points.map((cells) => cells[3]), ['105 k', '105 k', '46.2 k', '46.2 k'], 'one head of 32 channels instead of two, one layer instead of two');
    for (const cells of points) {
      assert.match(cells[8], /^\d+\.\d %$/, 'every size has its accuracy');
      assert.deepEqual(cells.slice(9, 11), [cells[8], cells[8]], 'one seed is lowest and highest');
    }
    assert.equal(await visit.at('experiment-chart').locator('path.point').count(), 4);
    await visit.at('family-axis').selectOption('heads');
    assert.match(await visit.at('experiment-chart').getAttribute('aria-label'), /heads/);
    const words = await step.waitFor(visit, 'experiment-words', /heads/);
    const [, best, apart] = words.match(/Inherited: best with \d heads × \d layers, ([\d.]+) % with .*?; between the best and the worst of 2 lie ([\d.]+) points/);
    const inherited = points.filter(([start]) => start === 'inherited').map((cells) => parseFloat(cells[8]));
    assert.equal(Number(best), Math.max(...inherited));
    assert.ok(Math.abs(apart - (Math.max(...inherited) - Math.min(...inherited))) <= 0.11, `${words}: ${inherited}`);
    const models = await visit.at('trial-run').locator('option').allTextContents();
    assert.equal(models.length, 5, 'four trained ones and the ancestor, which has classes');
    assert.match(models[3], /1 heads × 1 layers.*from scratch/);
    await visit.at('trial-run').selectOption('2');
    const file = await step.saveFrom(visit, 'export-safetensors', path.join(temporaryFolder(), 'small-one.safetensors'));
    assert.match(await step.giveAncestor(visit, file, /small-one/), /Layers\s*1\s*Heads per layer\s*1\s*Width\s*64 \(32 per head\)/);
    await visit.checkAccessibility();
  });
});

test('a sweep is a heat map and keeps its best model; a stopped one shows what it has', { timeout: 180_000 }, async () => {
  await measured('experiment=sweep&rates=0.0001+0.001&batches=2+4&arms=inherited', async (visit) => {
    await train(visit);
    const cells = await visit.at('experiment-chart').locator('rect.tone').count();
    assert.equal(cells, 4);
    const points = await rows(visit, 'experiment-table');
    assert.deepEqual(points.map((cells) => `${cells[5]} ${cells[6]}`), ['0.0001 2', '0.001 2', '0.0001 4', '0.001 4']);
    assert.match(await step.waitFor(visit, 'experiment-words', /best with rate/), /best and the worst of 4/);
    assert.equal(await visit.at('trial-run').locator('option').count(), 2, 'the best model alone, and the ancestor');
    await visit.at('experiment-race').selectOption('1');
    assert.equal((await rows(visit, 'train-table')).length, 3, 'the curves of one race');

    await step.open(visit, 'train-steps');
    await step.enter(visit, 'train-steps', 400);
    await visit.at('train-start').click();
    await step.waitFor(visit, 'train-status', /step [2-9].*race 1 of 4/);
    await visit.at('train-stop').click();
    await step.waitFor(visit, 'train-status', /stopped/i);
    const kept = await step.curvesTable(visit);
    assert.ok(kept.length > 0 && kept.length < 400 / 3, `${kept.length} points`);
    assert.deepEqual(kept.map(({ arm, step }) => [arm, step]), kept.map((_, at) => ['inherited', 3 * at]), 'checked every three steps');
  });
});

test('fewer pictures are an experiment of their own', { timeout: 180_000 }, async () => {
  await measured('experiment=shares&shares=25+100', async (visit) => {
    await train(visit);
    const points = await rows(visit, 'experiment-table');
    assert.deepEqual(points.map((cells) => cells[7]), ['25 %', '25 %', '100 %', '100 %']);
    assert.equal(await visit.at('experiment-chart').locator('path.curve').count(), 2);
    assert.match(await step.waitFor(visit, 'experiment-words', /from scratch/), /of the pictures|with no share/);
  });
});

test('an engine that dies for want of memory is asked again with half as many pictures at a time', { timeout: 180_000 }, async () => {
  await measured('steps=100000', async (visit) => {
    await visit.at('train-start').click();
    await step.waitFor(visit, 'train-status', /step [2-9]/);
    const [engine] = visit.page.workers();
    await engine.evaluate(() => {
      postMessage(['panic', 'wgpu error: Out of Memory']);
      close();
    });
    await step.expectNotice(visit, /2 pictures at a time/);
    await step.closeNotices(visit);
    await step.waitFor(visit, 'train-status', /step [2-9]/);
    await visit.at('train-stop').click();
    await step.waitFor(visit, 'train-status', /stopped/i);
  });
});

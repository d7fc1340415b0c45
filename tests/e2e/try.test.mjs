// Trying a model: pictures, drawing pad, camera, what it looks at, what it mixes up.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { png, put, smallModel, smallPictures, temporaryFolder } from './lib/files.mjs';
import { SMALL, train } from './lib/small.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const CLASSES = ['blue', 'green', 'red'];

/** Cells of a table's body, row headers included. */
const rows = (visit, handle) =>
  visit.at(handle).locator('tbody tr').evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));

const picture = (visit) => visit.at('look-map').evaluate((map) => map.innerHTML);

test('a trained descendant shows what it says, what it looks at and where it is wrong', { timeout: 300_000 }, async (t) => {
  const then = step.inOrder(t);
  await visit(SITE, { query: `?engine=cpu#${SMALL}&steps=2&share=0.5&eps=0` }, async (visit) => {
    await train(visit, smallPictures({ each: 12 }));

    await then('pictures are named, with bars of the classes', async () => {
      const folder = temporaryFolder();
      const files = [[30, 60, 200], [200, 60, 30]].map((color, index) => put(folder, `new-${index}.png`, png(20, 24, color)));
      await visit.at('try-input').setInputFiles(files);
      await visit.page.waitForFunction(() => document.querySelectorAll('[data-testid=prediction]').length === 2);
      for (const prediction of await visit.at('prediction').all()) {
        const shares = await step.sharesOf(prediction);
        assert.deepEqual(Object.keys(shares).sort(), CLASSES);
        const sum = Object.values(shares).reduce((sum, share) => sum + Number(share), 0);
        assert.ok(Math.abs(sum - 100) <= 2, JSON.stringify(shares));
      }
    });

    await then('attention lies over a picture and follows layer, head and strength', async () => {
      await visit.at('look-open').first().click();
      await visit.at('look-map').waitFor();
      const layers = await visit.at('look-layer').locator('option').evaluateAll((all) => all.map((option) => option.value));
      assert.deepEqual(layers, ['0', '1', 'rollout']);
      assert.equal(await visit.at('look-layer').inputValue(), '1', 'the last layer comes first');
      assert.equal(await visit.at('look-map').locator('rect').count(), 16);
      const seen = new Set([await picture(visit)]);
      for (const layer of ['0', 'rollout']) {
        const before = await picture(visit);
        await visit.at('look-layer').selectOption(layer);
        await visit.page.waitForFunction((before) => document.querySelector('[data-testid=look-map]').innerHTML !== before, before);
        seen.add(await picture(visit));
      }
      assert.equal(seen.size, 3, 'each layer and the rollout look differently');
      assert.ok(await visit.at('look-head').isDisabled(), 'the rollout has no heads');
      await visit.at('look-layer').selectOption('1');
      await visit.page.waitForFunction(() => !document.querySelector('[data-testid=look-head]').disabled);
      const mean = await picture(visit);
      await visit.at('look-head').selectOption('1');
      // One head is not the mean.
      await visit.page.waitForFunction((mean) => document.querySelector('[data-testid=look-map]').innerHTML !== mean, mean);
      await visit.at('look-opacity').fill('40');
      assert.equal(await visit.at('look-map').locator('g').getAttribute('opacity'), '0.4');
      await visit.checkAccessibility();
      await visit.page.keyboard.press('Escape');
      await visit.page.waitForFunction(() => !document.querySelector('[data-testid=look]').open);
      assert.ok(await visit.at('look-open').first().evaluate((button) => button === document.activeElement), 'the focus comes back');
    });

    await then('a drawing is named after each stroke', async () => {
      await visit.at('way-pad').check();
      const box = await visit.at('pad').boundingBox();
      const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
      const ink = () => visit.at('pad').evaluate((pad) => {
        const { data } = pad.getContext('2d').getImageData(0, 0, pad.width, pad.height);
        let dark = 0;
        for (let i = 0; i < data.length; i += 4) dark += data[i] < 128;
        return dark / (data.length / 4);
      });
      assert.equal(await ink(), 0);
      assert.ok(await visit.at('pad-undo').isDisabled());
      await visit.page.mouse.move(...at(0.2, 0.2));
      await visit.page.mouse.down();
      await visit.page.mouse.move(...at(0.8, 0.2), { steps: 5 });
      await visit.page.mouse.up();
      const first = await step.waitFor(visit, 'pad-prediction', /(blue|green|red), \d+ % sure/);
      const thin = await ink();
      // A line of 0.6 × the side, 14 of 280 px wide, with round ends.
      assert.ok(Math.abs(thin - 0.6 * 14 / 280) < 0.006, `${thin} of the pad is ink`);
      assert.doesNotMatch(first, /NaN/);

      await visit.at('pad-width').fill('40');
      await visit.page.mouse.move(...at(0.5, 0.3));
      await visit.page.mouse.down();
      await visit.page.mouse.move(...at(0.5, 0.9), { steps: 5 });
      await visit.page.mouse.up();
      assert.ok((await ink()) > thin + 0.06, 'the second stroke is thicker');
      await visit.at('pad-undo').click();
      assert.ok(Math.abs((await ink()) - thin) < 1e-6, 'undo takes back the last stroke');
      await visit.at('pad-colours').selectOption('light');
      assert.ok(Math.abs((await ink()) - (1 - thin)) < 0.01, 'white on black');
      await visit.at('pad-clear').click();
      await step.waitFor(visit, 'pad-prediction', /What you draw/);

      await visit.at('pad').focus();
      for (const key of ['Space', 'ArrowRight', 'ArrowRight', 'ArrowDown', 'Space']) await visit.page.keyboard.press(key);
      await step.waitFor(visit, 'pad-prediction', /(blue|green|red), \d+ % sure/);
      assert.ok((await ink()) < 1, 'the keyboard draws too');
      await visit.at('pad-prediction').getByTestId('look-open').click();
      await visit.at('look-map').waitFor();
      await visit.at('look-close').click();
    });

    await then('cells of the matrix open their pictures', async () => {
      await visit.at('confusion-start').click();
      await visit.at('confusion').waitFor();
      const matrix = (await rows(visit, 'confusion')).map((row) => row.slice(1).map(Number));
      assert.equal(matrix.flat().reduce((a, b) => a + b), 18);
      for (const [truth, counts] of matrix.entries()) {
        for (const [said, count] of counts.entries()) {
          const cell = visit.at('confusion').locator('tbody tr').nth(truth).locator('button').nth(said);
          if (count === 0) {
            assert.ok(await cell.isDisabled());
            continue;
          }
          await cell.click();
          const pictures = visit.at('confusion-pictures').getByTestId('judged');
          await visit.page.waitForFunction(
            (count) => document.querySelectorAll('[data-testid=confusion-pictures] [data-testid=judged] img').length === count, count);
          for (const text of await pictures.allTextContents()) {
            assert.ok(text.includes(`${CLASSES[truth]}/`), `${text} lies in the folder of its class`);
            assert.match(text, truth === said ? new RegExp(`${CLASSES[said]}, \\d+ % sure`) : new RegExp(`${CLASSES[truth]}, called ${CLASSES[said]}`));
          }
          const loaded = await pictures.locator('img').evaluateAll((all) => all.every((image) => image.naturalWidth > 0 && image.src.startsWith('data:')));
          assert.ok(loaded, 'the small pictures are there');
        }
      }
    });

    await then('the numbers of each class are those of the matrix', async () => {
      const matrix = (await rows(visit, 'confusion')).map((row) => row.slice(1).map(Number));
      const classes = await rows(visit, 'class-table');
      assert.deepEqual(classes.map(([name]) => name), CLASSES);
      const share = (right, all) => (all === 0 ? '–' : `${Math.round((right / all) * 100)} % (${right} of ${all})`);
      classes.forEach(([, count, recall, precision], index) => {
        const row = matrix[index].reduce((a, b) => a + b);
        const column = matrix.reduce((sum, counts) => sum + counts[index], 0);
        assert.equal(Number(count), row);
        assert.equal(recall, share(matrix[index][index], row));
        assert.equal(precision, share(matrix[index][index], column));
      });
    });

    await then('the worst mistakes stand sorted, and each opens', async () => {
      const matrix = (await rows(visit, 'confusion')).map((row) => row.slice(1).map(Number));
      const wrong = matrix.flat().reduce((a, b) => a + b) - matrix.reduce((sum, row, index) => sum + row[index], 0);
      const worst = visit.at('worst').getByTestId('judged');
      assert.equal(await worst.count(), Math.min(20, wrong));
      assert.ok(wrong > 0, 'two steps cannot have taught it everything');
      const losses = (await visit.at('judged-loss').allTextContents()).map((text) => Number(text.match(/loss ([\d.]+)/)[1]));
      assert.deepEqual(losses, [...losses].sort((a, b) => b - a));
      await worst.first().click();
      await visit.at('look-map').waitFor();
      assert.equal(await visit.at('look').locator('h3').textContent().then((title) => /called/.test(title)), true);
      await visit.at('look-close').click();
      await visit.checkAccessibility();
    });

    await then('the ancestor, which has a classifier, is tried as well', async () => {
      await visit.at('trial-run').selectOption('ancestor');
      assert.equal(await visit.at('confusion').count(), 0, 'what the other model said is gone');
      await visit.at('way-files').check();
      await visit.at('try-input').setInputFiles(put(temporaryFolder(), 'new.png', png(20, 20, [10, 200, 10])));
      assert.match(await step.waitFor(visit, 'prediction', /sure/), /class \d+, \d+ % sure/);
    });
  });
});

/** Counts in the page how many glances are on their way at most. */
const countGlances = (visit) =>
  visit.page.evaluate(() => {
    const count = (window.__glances = { sent: 0, waiting: 0, most: 0 });
    const post = Worker.prototype.postMessage;
    const heard = new WeakSet();
    const isGlance = (message) => /"(command|event)":\{"Glance"/.test(String(message?.[0]));
    Worker.prototype.postMessage = function (message, ...rest) {
      if (!heard.has(this)) {
        heard.add(this);
        this.addEventListener('message', ({ data }) => { if (isGlance(data)) count.waiting -= 1; });
      }
      if (isGlance(message)) {
        count.sent += 1;
        count.waiting += 1;
        count.most = Math.max(count.most, count.waiting);
      }
      return post.call(this, message, ...rest);
    };
  });

const naming = () => smallModel();

test('the camera is seen and named, on and on, one frame at a time', { timeout: 120_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu', camera: true }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, naming(), /64/);
    await countGlances(visit);
    await visit.at('way-camera').check();
    await visit.at('camera-start').focus();
    await visit.page.keyboard.press('Enter');
    await visit.at('camera-name').waitFor();
    await visit.page.waitForFunction(() => document.querySelector('[data-testid=camera-preview]').videoWidth > 0);
    await visit.checkAccessibility();
    await visit.at('camera-name').click();
    await step.waitFor(visit, 'camera-prediction', /class \d+, \d+ % sure/);

    await visit.at('camera-continuous').check();
    await visit.page.waitForFunction(() => window.__glances.sent >= 5);
    const start = await visit.page.evaluate(() => window.__glances.sent);
    await visit.page.waitForTimeout(3000);
    const { sent, most } = await visit.page.evaluate(() => window.__glances);
    assert.equal(most, 1, 'never two on their way');
    assert.ok(sent - start <= 7, `${sent - start} frames in three seconds`);

    // An engine that is busy gets no more: the frame that waits is the only one.
    await visit.page.evaluate(() => { window.__glances.most = 0; });
    await visit.page.workers()[0].evaluate(() => { const end = Date.now() + 2500; while (Date.now() < end); });
    assert.ok((await visit.page.evaluate(() => window.__glances.most)) <= 1);

    await visit.at('camera-continuous').uncheck();
    await visit.page.waitForFunction(() => window.__glances.waiting === 0);
    await visit.at('camera-stop').click();
    await visit.at('camera-start').waitFor();
    const still = await visit.page.evaluate(() => window.__glances.sent);
    await visit.page.waitForTimeout(1200);
    assert.equal(await visit.page.evaluate(() => window.__glances.sent), still, 'a camera that is off sends nothing');
    const tracks = await visit.at('camera-preview').evaluate((video) => video.srcObject?.getTracks().map((track) => track.readyState) ?? []);
    assert.deepEqual(tracks.filter((state) => state === 'live'), [], 'the camera is let go');

    await visit.at('camera-start').click();
    await visit.at('camera-name').waitFor();
    const live = await visit.at('camera-preview').evaluateHandle((video) => video.srcObject.getTracks()[0]);
    assert.equal(await live.evaluate((track) => track.readyState), 'live');
    await visit.at('way-pad').check();
    assert.equal(await live.evaluate((track) => track.readyState), 'ended', 'leaving the camera switches it off');
  });
});

test('a camera that is denied, absent or kept from the page is a sentence', { timeout: 60_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, naming(), /64/);
    await visit.at('way-camera').check();
    const refused = async (name, pattern) => {
      await visit.page.evaluate((name) => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', name));
      }, name);
      await visit.at('camera-start').click();
      const said = await step.waitFor(visit, 'camera-refused', pattern);
      assert.ok(/[.]$/.test(said) && said.length > 40, said);
    };
    await refused('NotAllowedError', /does not let this page/);
    await refused('NotFoundError', /No camera/);
    await refused('NotReadableError', /another program/);
    await refused('TypeError', /TypeError/);
    await visit.page.evaluate(() => {
      Object.defineProperty(navigator, 'mediaDevices', { value: undefined });
      Object.defineProperty(window, 'isSecureContext', { value: false });
    });
    await visit.at('camera-start').click();
    await step.waitFor(visit, 'camera-refused', /https/);
    await visit.checkAccessibility();
  });
});

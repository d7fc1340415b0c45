// A model as one web page: saved from the built page, opened from the disk with no network, opened in Heirloom again.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import zlib from 'node:zlib';
import { launch } from './lib/browser.mjs';
import { png, put, smallPictures, temporaryFolder } from './lib/files.mjs';
import { SMALL, train } from './lib/small.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const CLASSES = ['blue', 'green', 'red'];

test('the page that a model is put in is small', () => {
  const player = fs.readFileSync(path.join(SITE, 'player.html'));
  assert.ok(player.subarray(0, 512).includes('<meta name="heirloom-player"'));
  const bytes = zlib.gzipSync(player).length;
  assert.ok(bytes <= 200 * 1024, `${bytes} bytes as gzip`);
});

test('a trained model leaves as a page that names pictures alone, and comes back', { timeout: 300_000 }, async (t) => {
  const then = step.inOrder(t);
  const folder = temporaryFolder();
  const saved = path.join(folder, 'model.html');
  // Larger, smaller and as large as the model sees them.
  const files = [[41, 23], [7, 12], [16, 16], [640, 333]].map(([width, height], at) =>
    put(folder, `picture-${at}.png`, png(width, height, (x, y) => [(37 * at + 5 * x) % 256, (3 * y) % 256, (x * y) % 256])));
  const expected = [];

  await visit(SITE, { query: `?engine=cpu#${SMALL}&steps=4` }, async (visit) => {
    await train(visit, smallPictures({ each: 8 }));
    await then('the page says what the model makes of pictures', async () => {
      await visit.at('try-input').setInputFiles(files);
      await visit.page.waitForFunction((count) => document.querySelectorAll('[data-testid=prediction]').length === count, files.length);
      for (const prediction of await visit.at('prediction').all()) expected.push(await step.sharesOf(prediction));
      assert.ok(!visit.site.requests.some((request) => request.endsWith('player.html')), 'the player is fetched only to save');
    });
    await then('it is saved', async () => {
      await step.saveFrom(visit, 'export-page', saved);
      assert.ok(visit.site.requests.some((request) => request.endsWith('player.html')));
    });
  });

  await then('alone and without a network it says the same', async () => {
    const browser = await launch({ camera: true });
    try {
      const context = await browser.newContext({ viewport: { width: 360, height: 800 }, serviceWorkers: 'block' });
      const page = await context.newPage();
      const faults = [];
      await context.setOffline(true);
      context.on('request', (request) => request.url().startsWith('file:') || faults.push(`request: ${request.url()}`));
      context.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
      context.on('weberror', (event) => faults.push(String(event.error())));
      await page.goto(pathToFileURL(saved).href);
      const at = (handle) => page.getByTestId(handle);
      await page.waitForFunction(() => /blue, green, red/.test(document.querySelector('[data-testid=player-classes]').textContent));
      const card = await at('player-card').textContent();
      // Eight pictures of each of three classes, a fifth of them kept back.
      assert.match(card, /\d+ pictures it had not learned from: \d+ right \([\d.]+ %\)/);
      assert.match(card, /Parameters104,579/);
      assert.match(card, /16 × 16 px/);
      let worst = 0;
      for (const [index, file] of files.entries()) {
        const before = await at('player-answer').innerHTML();
        await at('player-input').setInputFiles(file);
        await page.waitForFunction((before) => document.querySelector('[data-testid=player-answer]').innerHTML !== before, before);
        const bars = await at('player-answer').locator('li').evaluateAll((rows) =>
          rows.map((row) => [row.querySelector('span').textContent, row.querySelector('progress').value]));
        assert.deepEqual(bars.map(([label]) => label).sort(), CLASSES);
        for (const [label, share] of bars) {
          const percent = Number(expected[index][label]);
          worst = Math.max(worst, Math.abs(100 * share - percent));
          // The page rounds to whole per cent; a thousandth is what 16-bit numbers may cost.
          assert.ok(Math.abs(100 * share - percent) <= 0.5 + 0.1, `${file}: ${label} ${100 * share} %, in Heirloom ${percent} %`);
        }
        assert.match(await at('player-headline').textContent(), /^(blue|green|red), \d+\.\d % sure$/);
      }
      const plain = await page.locator('#shown').evaluate((shown) => shown.toDataURL());
      await at('player-look').check();
      assert.notEqual(await page.locator('#shown').evaluate((shown) => shown.toDataURL()), plain, 'what it looks at is drawn');

      await at('player-draw').click();
      const before = await at('player-answer').innerHTML();
      await at('player-pad').focus();
      for (const key of [' ', 'ArrowDown', 'ArrowDown', 'ArrowRight', ' ']) await page.keyboard.press(key);
      assert.notEqual(await at('player-answer').innerHTML(), before, 'a drawing is named');
      const drawn = await at('player-answer').innerHTML();
      await at('player-camera').click();
      await page.waitForFunction((drawn) => document.querySelector('[data-testid=player-answer]').innerHTML !== drawn, drawn);
      await at('player-camera').click();

      const text = put(folder, 'notes.png', 'no picture');
      await at('player-input').setInputFiles(text);
      await page.waitForFunction(() => /no picture that this browser can read/.test(document.querySelector('[data-testid=player-error]').textContent));
      assert.deepEqual(faults, []);
    } finally {
      await browser.close();
    }
  });

  await then('Heirloom opens it as an ancestor that says the same', async () => {
    await visit(SITE, { query: `?engine=cpu#${SMALL}` }, async (visit) => {
      await step.engineReady(visit, /^CPU/);
      await step.giveAncestor(visit, saved, /F16/);
      await visit.at('try-input').setInputFiles(files);
      await visit.page.waitForFunction((count) => document.querySelectorAll('[data-testid=prediction]').length === count, files.length);
      for (const [index, prediction] of (await visit.at('prediction').all()).entries()) {
        const shares = await step.sharesOf(prediction);
        for (const label of CLASSES) assert.ok(Math.abs(Number(shares[label]) - Number(expected[index][label])) <= 1, label);
      }
    });
  });
});

// The site without a network after one visit, and a newer version that comes while the page is open.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from './lib/files.mjs';
import { SMALL, train } from './lib/small.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const sum = (bytes) => `sha256-${createHash('sha256').update(bytes).digest('base64')}`;
const front = (site) => JSON.parse(fs.readFileSync(path.join(site, 'offline.js'), 'utf8').match(/^const SITE = (.*);\n/)[1]);

/** A copy of the site that may be changed. */
function copy() {
  const folder = path.join(temporaryFolder(), 'site');
  fs.cpSync(SITE, folder, { recursive: true, filter: (file) => !file.endsWith('.safetensors') });
  return folder;
}

/** Puts another page into the site, and its sum into the list; in a copy that is not whole, the sum of something else. */
function change(site, mark, isWhole = true) {
  const page = path.join(site, 'index.html');
  const html = fs.readFileSync(page, 'utf8').replace(/<html lang="en"[^>]*>/, `<html lang="en" data-mark="${mark}">`);
  fs.writeFileSync(page, html);
  const { version, files } = front(site);
  const script = fs.readFileSync(path.join(site, 'offline.js'), 'utf8').replace(version, sum(mark));
  fs.writeFileSync(path.join(site, 'offline.js'), script.replace(files['index.html'], sum(isWhole ? html : mark)));
}

const mark = (visit) => visit.page.evaluate(() => document.documentElement.dataset.mark ?? '');
const update = (visit) => visit.page.evaluate(async () => {
  const kept = await navigator.serviceWorker.getRegistration();
  await kept.update().catch(() => {});
  const worker = kept.installing ?? kept.waiting;
  if (!worker) return 'none';
  while (worker.state === 'installing') await new Promise((then) => setTimeout(then, 50));
  return worker.state;
});
const caches = (visit) => visit.page.evaluate(() => window.caches.keys());

test('the list names every file that was built, but for the ancestors', () => {
  const { files } = front(SITE);
  const built = fs.readdirSync(SITE, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(SITE, path.join(entry.parentPath ?? entry.path, entry.name)).replaceAll(path.sep, '/'))
    .filter((name) => name !== 'offline.js' && !name.startsWith('static/ancestors/'));
  assert.deepEqual(Object.keys(files).sort(), built.sort());
  for (const name of ['index.html', 'player.html', 'engine_bg.wasm']) {
    assert.equal(files[name], sum(fs.readFileSync(path.join(SITE, name))), name);
  }
  const manifest = JSON.parse(fs.readFileSync(path.join(SITE, 'static/manifest.json'), 'utf8'));
  for (const { src } of manifest.icons) assert.ok(`static/${src}` in files, src);
});

test('after one visit everything works with the network cut, and updates wait', { timeout: 400_000 }, async (t) => {
  const then = step.inOrder(t);
  const site = copy();
  await visit(site, { query: '?engine=cpu', offline: true }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.waitFor(visit, 'offline', /opens without a network/);
    assert.equal(await visit.page.evaluate(() => navigator.serviceWorker.controller), null, 'the running page is not taken over');

    await then('a race runs and a model is saved with no network', async () => {
      await visit.context.setOffline(true);
      visit.site.requests.length = 0;
      // An address that differs in its fragment alone would be no visit.
      await visit.page.goto('about:blank');
      await visit.page.goto(`${visit.site.url}?engine=cpu#${SMALL}&steps=2`);
      await train(visit);
      const saved = await step.saveFrom(visit, 'export-page', path.join(temporaryFolder(), 'model.html'));
      assert.ok(fs.statSync(saved).size > 100_000);
      assert.deepEqual(visit.site.requests, []);
      await visit.context.setOffline(false);
    });

    await then('a copy of which one file is another one is not taken', async () => {
      change(site, 'broken', false);
      // The browser says so in its console.
      visit.allow(/index\.html|integrity|digest/);
      assert.equal(await update(visit), 'redundant');
      assert.equal((await caches(visit)).length, 1, 'nothing is left of it');
      await visit.page.reload();
      assert.equal(await mark(visit), '');
    });

    await then('a newer version waits while the page is open, and says so', async () => {
      change(site, 'newer');
      assert.equal(await update(visit), 'installed');
      await step.waitFor(visit, 'offline', /newer version/);
      await visit.page.reload();
      assert.equal(await mark(visit), '', 'a reload alone is still the version that runs');
      await step.waitFor(visit, 'offline', /newer version/);
    });

    await then('once every tab was closed it is the newer one, and the older is gone', async () => {
      const page = await visit.context.newPage();
      await visit.page.close();
      await page.waitForTimeout(500);
      await visit.context.setOffline(true);
      await page.goto(`${visit.site.url}?engine=cpu`);
      visit.page = page;
      assert.equal(await mark(visit), 'newer');
      await step.engineReady(visit, /^CPU/);
      assert.equal((await caches(visit)).length, 1);
    });
  });
});

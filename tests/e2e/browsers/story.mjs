// What a person does first, in a browser that is not Chromium: the CPU engine, from an ancestor to a saved file.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { put, readHeader, smallModel, smallPictures, temporaryFolder, zip } from '../lib/files.mjs';
import { serve } from '../lib/server.mjs';
import * as step from '../lib/steps.mjs';

const SITE = path.resolve(process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../../target/site'));
const WHOLE_MODEL = path.join(SITE, 'static/ancestors/mobilenet_v2.safetensors');
/** Settings of a race that takes seconds, and long enough that the page says how many cores take part. */
const RACE = '#size=16&measure=1&steps=300&batch=8&validate=2&heads=2&layers=1';

/** What the page rightly says where there is no store for files (WebKitGTK, a private window). */
const NOT_KEPT = /^Your work is not kept when this page closes/;

/** A zip of the small pictures, as a person would make it. */
function zipped() {
  const folder = smallPictures({ classes: ['blue', 'red'], each: 12 });
  const names = fs.readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.png'));
  const files = names.map((name) => [name.replaceAll(path.sep, '/'), fs.readFileSync(path.join(folder, name))]);
  return put(temporaryFolder(), 'pictures.zip', zip(Object.fromEntries(files)));
}

/** Starts a browser, gives `body` its tab and a way to take steps, and ends it. */
async function inBrowser(t, open, body) {
  const then = step.inOrder(t);
  const site = await serve(SITE);
  const seconds = (since) => ((performance.now() - since) / 1000).toFixed(1);
  const started = performance.now();
  const tab = await open();
  console.log(`${tab.browser.version} after ${seconds(started)} s`);
  /** A step, how long it took, and a look for complaints. */
  const timed = (name, body) => then(name, async () => {
    const since = performance.now();
    const result = await body();
    console.log(`${name}: ${seconds(since)} s${result ? `: ${result}` : ''}`);
    tab.check();
    const stores = await tab.evaluate('return Boolean(navigator.storage?.getDirectory)');
    const said = await step.notices(tab);
    assert.deepEqual(said.filter((text) => stores || !NOT_KEPT.test(text)), []);
  });
  /** An address that differs in its fragment alone would be no visit, so it leaves the page first. */
  const go = async (rest) => {
    await tab.go('about:blank');
    await tab.go(site.url + rest);
  };
  try {
    await body({ site, tab, timed, go });
  } finally {
    await tab.close();
    site.close();
  }
}

/** A shipped ancestor, doodles, and the smallest model that is large enough, taken home. */
export const story = (t, open) => inBrowser(t, open, async ({ tab, timed, go }) => {
  await timed('the page gets ready', async () => {
    await go('?engine=cpu&cores=2');
    return step.engineReady(tab, /^CPU/);
  });
  await timed('the classroom ancestor opens', async () => {
    await tab.at('shipped-classroom').click();
    await step.waitFor(tab, 'ancestor-summary', /classroom\.safetensors/);
  });
  await timed('the doodles come', async () => {
    await tab.at('sample-doodles').click();
    await step.waitFor(tab, 'pictures-summary', /320 pictures to learn from, 80 to check with/);
  });
  await timed('heads are measured', async () => {
    await tab.at('measure-heads').click();
    return step.waitFor(tab, 'kept-heads', /\d+ of \d+/);
  });
  await timed('a small one is small enough', async () => {
    await tab.at('find-small').click();
    return step.waitFor(tab, 'experiment-words', /(is|are) enough/, 300_000);
  });
  await timed('it goes home and opens again', async () => {
    const file = await tab.saveFrom('export-safetensors', '.safetensors');
    assert.ok(Object.keys(readHeader(file)).length > 10);
    await step.giveAncestor(tab, file, new RegExp(path.basename(file).replaceAll('.', '\\.')));
  });
  await timed('a checkpoint opens from a file', async () => {
    await step.giveAncestor(tab, WHOLE_MODEL, /mobilenet_v2\.safetensors/);
  });
  if (!(await tab.evaluate('return Boolean(navigator.storage?.getDirectory)'))) return;
  // Twice: a page that the browser keeps for the way back must not keep the store too.
  for (const name of ['it is there after leaving the page', 'it is there after leaving it once more']) {
    // Before the next save is due, what stands there is still said of the one before.
    await tab.page.waitForTimeout(5000);
    await timed(name, async () => {
      await step.waitFor(tab, 'saved-status', /^Saved/);
      await go('?engine=cpu&cores=2');
      await step.waitFor(tab, 'ancestor-summary', /mobilenet_v2\.safetensors/);
      await step.waitFor(tab, 'pictures-summary', /320 pictures to learn from/);
    });
  }
});

/** Files of one's own, a race that a second worker takes part in, and the page without its server. */
export const race = (t, open) => inBrowser(t, open, async ({ site, tab, timed, go }) => {
  await timed('a model and a zip of pictures open', async () => {
    await go(`?engine=cpu&cores=2${RACE}`);
    await step.engineReady(tab, /^CPU/);
    await step.giveAncestor(tab, smallModel(), /small\.safetensors/);
    await tab.at('pictures-input').setInputFiles(zipped());
    await step.waitFor(tab, 'pictures-summary', /^2 classes/);
    await tab.at('measure-heads').click();
    await step.waitFor(tab, 'kept-heads', /\d of 4/);
  });
  await timed('two cores race', async () => {
    await tab.at('train-start').click();
    // What the page says of a race that runs is gone with it.
    const note = 'document.querySelector(".job-note")?.textContent';
    await tab.evaluate(`window.__notes = ""; setInterval(() => (window.__notes += ${note} ?? ""), 20)`);
    await step.waitFor(tab, 'train-status', /finished/i);
    assert.match(await tab.evaluate('return window.__notes'), /, 2 cores/, 'the second core took no part');
  });
  await timed('it opens with the server gone', async () => {
    await step.waitFor(tab, 'offline', /opens without a network/);
    site.close();
    await go('?engine=cpu');
    return step.engineReady(tab, /^CPU/);
  });
});

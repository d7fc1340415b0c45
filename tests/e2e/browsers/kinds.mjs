// One model and one folder of every kind that people bring, opened in a browser: what the page says of each. Native tests
// hold these models to PyTorch's numbers; here another browser must say the same as Chromium.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { png, put, temporaryFolder, zip } from '../lib/files.mjs';
import { serve } from '../lib/server.mjs';
import * as step from '../lib/steps.mjs';
import { visit } from '../lib/visit.mjs';

const FIXTURES = path.join(import.meta.dirname, '../../fixtures');
const at = (...names) => path.join(FIXTURES, ...names);
const inside = (...names) => fs.readdirSync(at(...names)).map((name) => at(...names, name)).filter((file) => fs.statSync(file).isFile());

/** Sets of files that are one model, by kind. */
function models() {
  const folder = temporaryFolder();
  const kinds = new Map();
  const { models, resnet } = JSON.parse(fs.readFileSync(at('zoo/reference.json')));
  for (const [name, { config }] of [...Object.entries(models), ['hf_resnet', resnet]]) {
    const files = [at('zoo', `${name}.safetensors`)];
    if (config) files.push(put(folder, `${name}/config.json`, JSON.stringify(config)));
    kinds.set(name, files);
  }
  const weights = inside('checkpoints', 'hf_vit');
  for (const name of ['hub', 'trainer']) kinds.set(`brought/${name} with weights`, [...weights, ...inside('brought', name)]);
  for (const name of ['hub', 'trainer', 'transformers5', 'vgg', 'flat', 'bom', 'wrapped']) kinds.set(`brought/${name}`, inside('brought', name));
  for (const name of ['endings', 'mm']) for (const file of inside('brought', name)) kinds.set(`brought/${name}/${path.basename(file)}`, [file]);
  for (const name of ['hf_vit', 'hf_deit', 'hf_dinov2_registers', 'hf_shards', 'trainer']) kinds.set(`checkpoints/${name}`, inside('checkpoints', name));
  const alone = ['brought', 'checkpoints', 'cnn', 'mobilenet'].flatMap((name) => inside(name));
  for (const file of alone.filter((file) => /\.(safetensors|pth)$/.test(file))) {
    const beside = path.join(path.dirname(file), 'timm.json');
    kinds.set(path.relative(FIXTURES, file), fs.existsSync(beside) ? [file, beside] : [file]);
  }
  // With a convolutional network the page turns to layers and stays there, so these come last.
  const isNetwork = ([kind]) => /resnet|vgg|cnn|mobilenet|torchvision/.test(kind);
  return new Map([...kinds].sort((a, b) => isNetwork(a) - isNetwork(b)));
}

/** Zips of pictures by kind: those that stand there, and one of each folder. */
function folders() {
  const folder = temporaryFolder();
  const kinds = new Map();
  for (const name of fs.readdirSync(at('cases')).filter((name) => /^\d/.test(name))) {
    for (const entry of fs.readdirSync(at('cases', name), { withFileTypes: true })) {
      const kind = `${name}/${entry.name}`;
      if (!entry.isDirectory()) {
        if (entry.name.endsWith('.zip')) kinds.set(kind, at('cases', kind));
        continue;
      }
      const names = fs.readdirSync(at('cases', kind), { recursive: true }).filter((file) => fs.statSync(at('cases', kind, file)).isFile());
      const files = names.sort().map((file) => [`${entry.name}/${file.replaceAll(path.sep, '/')}`, fs.readFileSync(at('cases', kind, file))]);
      kinds.set(kind, put(folder, `${kind}.folder.zip`, zip(Object.fromEntries(files))));
    }
  }
  return kinds;
}

const SITE = path.resolve(process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../../target/site'));
const START = '?engine=cpu#measure=4';

/** Opens every kind in Chromium and in another browser, and fails where they say different things. */
export async function sameKinds(open) {
  let expected;
  await visit(SITE, { query: START }, async (page) => {
    await step.engineReady(page, /^CPU/);
    expected = await kinds(page);
  });
  const site = await serve(SITE);
  const tab = await open();
  try {
    await tab.go(site.url + START);
    await step.engineReady(tab, /^CPU/);
    const said = await kinds(tab);
    for (const [kind, there] of Object.entries(expected)) assert.deepEqual(said[kind], there, `${kind} in ${tab.browser.version}`);
    console.log(`${Object.keys(said).length} kinds as in Chromium, in ${tab.browser.version}`);
  } finally {
    await tab.close();
    site.close();
  }
}

/** Text of a handle, with single spaces; nothing where it is not there. */
async function text(tab, handle) {
  const found = (await tab.at(handle).count()) ? await tab.at(handle).first().textContent() : '';
  return (found ?? '').replace(/\s+/g, ' ').trim();
}

/** Waits until what the page says of a job has come and stands still. */
async function settled(tab, say, before) {
  const end = Date.now() + 60_000;
  let last = before;
  while (Date.now() < end) {
    await tab.page.waitForTimeout(150);
    const now = JSON.stringify(await say());
    if (now !== before && now === last) return JSON.parse(now);
    last = now;
  }
  throw new Error(`the page goes on saying ${last}`);
}

/**
 * What the page says of every kind: `{ kind: ... }`, of a model its summary, notices, and heads with their distances on
 * four pictures; of a folder how it was read.
 */
async function kinds(tab) {
  const said = {};
  const pictures = Object.fromEntries(['red', 'blue'].flatMap((name, index) => [0, 1].map((picture) =>
    [`${name}/${picture}.png`, png(16, 16, (x, y) => [(x * 15) & 255, (y * 13 + 60 * picture) & 255, index ? 220 : 30])])));
  const sample = put(temporaryFolder(), 'pictures.zip', zip(pictures));
  await close(tab);
  const forPictures = async () => [await text(tab, 'pictures-summary'), await text(tab, 'folders-read'), await step.notices(tab)];
  for (const [kind, file] of folders()) {
    const before = JSON.stringify(await forPictures());
    await tab.at('pictures-input').setInputFiles(file);
    said[kind] = await settled(tab, forPictures, before);
    await clear(tab);
  }
  await tab.at('pictures-input').setInputFiles(sample);
  await step.waitFor(tab, 'pictures-summary', /^2 classes/);
  const forModel = async () => [await text(tab, 'ancestor-summary'), await step.notices(tab)];
  for (const [kind, files] of models()) {
    const before = JSON.stringify(await forModel());
    await tab.at('ancestor-input').setInputFiles(files);
    const [summary, notices] = await settled(tab, forModel, before);
    await close(tab);
    said[kind] = { summary, notices };
    if (await tab.at('measure-heads').count()) {
      await tab.at('measure-heads').click();
      await step.waitFor(tab, 'kept-heads', /\d+ of \d+/);
      said[kind].heads = await text(tab, 'heads-table');
    }
  }
  return said;
}

async function clear(tab) {
  await close(tab);
  if (!(await tab.at('pictures-clear').count())) return;
  await tab.at('pictures-clear').click();
  await settled(tab, () => text(tab, 'pictures-summary'), undefined);
}

/** Closes all notices. */
async function close(tab) {
  for (let count = 0; count < 20 && (await tab.at('notice').count()); count += 1) await tab.page.locator('[data-testid=notice] button.close').first().click();
}

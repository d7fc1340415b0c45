// Folders dropped as a person drops them, by the browser's own drag: a model's folder finds step 1 wherever it falls,
// folders of pictures step 2, and what is not needed is passed over with a word.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { png, put, temporaryFolder, zip } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const BROUGHT = path.join(import.meta.dirname, '../fixtures/brought');

/** Drags files and folders from the desktop onto the middle of an element (`null`: of the page), and lets go. */
async function drop(visit, target, paths) {
  const { page } = visit;
  let [x, y] = [640, 450];
  if (target) {
    const element = page.locator(target).first();
    await element.scrollIntoViewIfNeeded();
    const box = await element.boundingBox();
    [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  }
  const desktop = await visit.context.newCDPSession(page);
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) {
    await desktop.send('Input.dispatchDragEvent', { type, x, y, data });
  }
  await desktop.detach();
}

/** A folder as it is cloned from the Hub without its large files: other programs' weights, a pointer, a description. */
function hub() {
  const folder = path.join(temporaryFolder(), 'vit-flowers');
  fs.cpSync(path.join(BROUGHT, 'hub'), folder, { recursive: true });
  fs.renameSync(path.join(folder, 'gitattributes.txt'), path.join(folder, '.gitattributes'));
  fs.copyFileSync(path.join(BROUGHT, 'bom/model.safetensors'), path.join(folder, 'model.safetensors'));
  for (const file of ['config.json', 'preprocessor_config.json']) {
    fs.copyFileSync(path.join(BROUGHT, 'transformers5', file), path.join(folder, file));
  }
  return folder;
}

/** Pictures of two classes below `folder`, put where `place` says. */
function pets(place) {
  const folder = path.join(temporaryFolder(), 'pets');
  for (const [index, pet] of ['cat', 'dog'].entries()) {
    for (let picture = 0; picture < 8; picture++) {
      put(folder, place(pet, picture), png(20, 20, (x, y) => [x * 9 + picture, y * 5, index ? 220 : 30]));
    }
  }
  return folder;
}

test('a folder of the Hub that is dropped anywhere becomes the ancestor', { timeout: 120_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await drop(visit, null, [hub()]);
    const said = await step.waitFor(visit, 'ancestor-summary', /Layers2Heads per layer2Width32[\s\S]*Parameters19\.5 k/);
    assert.match(said, /`pytorch_model\.bin` is a git-lfs pointer and not needed/);
    assert.match(said, /`\.gitattributes`, `flax_model\.msgpack`, `README\.md` and `tf_model\.h5` are not used/);
    // Step 2 has nothing to say about a model's folder.
    assert.equal(await visit.at('pictures-summary').locator('table').count(), 0);
    assert.deepEqual((await step.notices(visit)).filter((text) => /found no picture/.test(text)), []);
  });
});

test('folders of pictures are walked and read as they lie', { timeout: 240_000 }, async () => {
  const zipped = (() => {
    const files = {};
    for (const [index, fruit] of ['apple', 'pear'].entries()) {
      for (let at = 0; at < 6; at++) files[`fruit/${fruit}/${at}.png`] = png(20, 20, (x) => [x * 8 + at, 90, index * 200]);
    }
    return put(temporaryFolder(), 'fruit.zip', zip(files));
  })();
  const kinds = [
    // More files than the browser lists at once, a thumbnail's folder beside them.
    {
      folder: (() => {
        const folder = pets((pet, at) => `${pet}/${at}.png`);
        for (let at = 0; at < 120; at++) put(folder, `cat/more${at}.png`, png(4, 4, () => [at, 2 * at, 30]));
        put(folder, 'cat/@eaDir/0.png/SYNOPHOTO_THUMB_S.png', png(4, 4, () => [1, 2, 3]));
        put(folder, '.DS_Store', Buffer.from('x'));
        return folder;
      })(),
      said: /2 classes/,
      table: /cat[\s\S]*dog/,
      never: /eaDir/,
    },
    {
      folder: pets((pet, at) => `${at < 6 ? 'train' : 'val'}/${pet}/${at}.png`),
      said: /2 classes/,
      table: /cat\s*6\s*2[\s\S]*dog\s*6\s*2/,
      hint: /train and val folders decide/,
    },
    { folder: zipped, said: /2 classes/, table: /apple[\s\S]*pear/ },
  ];
  for (const { folder, said, table, never, hint } of kinds) {
    await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
      await step.engineReady(visit, /^CPU/);
      await drop(visit, '#pictures', [folder]);
      await step.waitFor(visit, 'pictures-summary', said);
      const text = await visit.at('pictures-summary').textContent();
      const rows = (await visit.at('pictures-summary').locator('table').innerText()).replace(/\t/g, ' ');
      assert.match(rows, table, text);
      if (never) assert.doesNotMatch(text, never);
      if (hint) assert.match(text, hint);
    });
  }
});

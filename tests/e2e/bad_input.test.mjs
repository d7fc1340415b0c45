// Whatever is dropped: a sentence, nothing lost, and the page still works.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { png, put, safetensors, smallPictures, smallVit, temporaryFolder, zip } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const folder = temporaryFolder();
const good = put(folder, 'good.safetensors', safetensors(smallVit()));
const bytes = safetensors(smallVit());

const CHECKPOINTS = {
  'a truncated file': ['truncated.safetensors', bytes.subarray(0, bytes.length - 1000), /truncated\.safetensors is damaged: .* the file stops after \d+; it is cut off/],
  'a header larger than the file': ['oversized.safetensors', oversized(), /oversized\.safetensors is damaged: its header claims 1099511627776 bytes/],
  'overlapping tensors': ['overlapping.safetensors', safetensors(smallVit(), { spoil: overlap }), /norm\.\w+ and norm\.\w+ overlap at byte \d+/],
  'numbers that are none': ['nan.safetensors', safetensors(spoiled(NaN)), /blocks\.1\.mlp\.fc1\.weight holds 16384 of 16384 values that are not finite numbers/],
  'a text named as weights': ['letter.safetensors', Buffer.from('Dear Sir or Madam, '.repeat(50)), /letter\.safetensors is plain text;/],
  'a picture named as weights': ['flower.safetensors', png(8, 8, [9, 9, 9]), /flower\.safetensors is a picture \(PNG\);/],
  'another kind of model': ['gpt.safetensors', safetensors(languageModel()), /gpt\.safetensors.*language model/],
  'a model without some of its tensors': ['resnet.safetensors', safetensors(halfAResnet()), /layer1\.0\.conv2\.weight.*missing/],
  'an empty file': ['empty.safetensors', Buffer.alloc(0), /empty\.safetensors is empty, perhaps a download that was cut off;/],
};

test('a bad checkpoint gets a sentence and the ancestor stays', { timeout: 300_000 }, async (t) => {
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, good, /good/);
    for (const [name, [file, body, sentence]] of Object.entries(CHECKPOINTS)) {
      await t.test(name, async () => {
        await visit.at('ancestor-input').setInputFiles(put(folder, file, body));
        await step.expectNotice(visit, sentence, 30_000);
        assert.match(await visit.at('ancestor-summary').textContent(), /good/, 'the good ancestor must stay');
        await step.closeNotices(visit);
      });
    }
    await t.test('then a good one still opens', () => step.giveAncestor(visit, put(folder, 'second.safetensors', bytes), /second/));
  });
});

const PICTURES = {
  'a picture of 100 megapixels': [{ 'a/huge.png': png(10_000, 10_000, [40, 90, 40]) }, /huge\.png[^]*10000 × 10000[^]*megapixel/i],
  'a file that is no picture': [{ 'a/notes.png': Buffer.from('no picture at all') }, /notes\.png[^]*expected/],
  'a picture cut off': [{ 'a/cut.png': png(64, 64, [200, 9, 9]).subarray(0, 80) }, /cut\.png[^]*cut off/],
};

test('a bad picture is named with its reason and the others stay', { timeout: 300_000 }, async (t) => {
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.givePictures(visit, smallPictures(), /red/);
    for (const [name, [files, reason]] of Object.entries(PICTURES)) {
      await t.test(name, async () => {
        const dropped = path.join(temporaryFolder(), 'bad');
        for (const [file, body] of Object.entries(files)) put(dropped, file, body);
        await visit.at('pictures-folder-input').setInputFiles(dropped);
        await waitForReason(visit, reason);
        assert.match(await visit.at('pictures-summary').textContent(), /red/, 'the good pictures must stay');
        await step.closeNotices(visit);
      });
    }
    await t.test('a zip of zips', async () => {
      const inner = zip({ 'red/1.png': png(8, 8, [250, 0, 0]) });
      await visit.at('pictures-input').setInputFiles(put(folder, 'nested.zip', zip({ 'inner.zip': inner })));
      await waitForReason(visit, /inner\.zip[^]*zip inside a zip/);
      await step.closeNotices(visit);
    });
    await t.test('a truncated zip', async () => {
      const whole = zip({ 'red/1.png': png(8, 8, [250, 0, 0]), 'blue/1.png': png(8, 8, [0, 0, 250]) });
      await visit.at('pictures-input').setInputFiles(put(folder, 'cut.zip', whole.subarray(0, whole.length - 40)));
      await waitForReason(visit, /cut\.zip[^]*cut off/);
    });
  });
});

test('one class, or one picture, is said to be too little', { timeout: 120_000 }, async (t) => {
  // The summary speaks of classes anyway; what is meant is the sentence.
  for (const [name, [given, sentence]] of Object.entries({
    'one class': [smallPictures({ classes: ['only'], each: 4 }), /found one class \(only, 4 pictures\), expected at least two/i],
    'one picture': [smallPictures({ classes: ['only'], each: 1 }), /found one picture \([^]*only\/0\.png\), expected at least two classes/i],
  })) {
    await t.test(name, () => visit(SITE, { query: '?engine=cpu#measure=1&size=16' }, async (visit) => {
      await step.engineReady(visit, /^CPU/);
      await step.giveAncestor(visit, good, /good/);
      await visit.at('pictures-folder-input').setInputFiles(given);
      await step.expectNotice(visit, sentence);
    }));
  }
});

/** A reason may stand in a notice or in the summary of the pictures. */
async function waitForReason(visit, pattern, timeout = 60_000) {
  const end = Date.now() + timeout;
  let seen = [];
  while (Date.now() < end) {
    seen = [...(await step.notices(visit)), ...(await visit.at('pictures-summary').allTextContents())];
    const found = seen.find((text) => pattern.test(text));
    visit.check();
    if (found) return found;
    await visit.page.waitForTimeout(100);
  }
  assert.fail(`nothing matched ${pattern}: ${JSON.stringify(seen)}`);
}

function oversized() {
  const file = Buffer.from(bytes);
  file.writeBigUInt64LE(2n ** 40n);
  return file;
}

function overlap(header) {
  header['norm.bias'].data_offsets = header['norm.weight'].data_offsets;
}

function spoiled(value) {
  const tensors = smallVit();
  tensors.find(({ name }) => name === 'blocks.1.mlp.fc1.weight').data.fill(value);
  return tensors;
}

function tensor(name, shape) {
  return { name, shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
}

function languageModel() {
  return [tensor('wte.weight', [50, 8]), tensor('h.0.attn.c_attn.weight', [8, 24])];
}

function halfAResnet() {
  return [tensor('conv1.weight', [8, 3, 7, 7]), tensor('layer1.0.conv1.weight', [8, 8, 3, 3]), tensor('layer1.0.bn1.weight', [8])];
}

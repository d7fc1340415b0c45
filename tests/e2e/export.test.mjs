// Everything that can be taken home, and what other programs make of it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { savedPicture } from './lib/charts.mjs';
import { png, put, readHeader, smallModel, smallPictures, temporaryFolder } from './lib/files.mjs';
import { metadata, opset, run, softmax, tensor } from './lib/onnx.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const SIZE = 16;
// Three heads of 32 channels at a width of 64: a shape that timm's own attention does not have.
const [HEADS, LAYERS, WIDTH] = [3, 2, 64];
const FRAGMENT = `#size=${SIZE}&measure=1&steps=6&batch=4&validate=2&heads=${HEADS}&layers=${LAYERS}&augment=0`;

test('what is taken home is what the page showed', { timeout: 300_000 }, async (t) => {
  const then = step.inOrder(t);
  const folder = temporaryFolder();
  const to = (name) => path.join(folder, name);
  const model = smallModel();
  // As large as the model's pictures: such a picture is used as it is, so that its numbers are known here.
  const pixel = (x, y) => [200 - 9 * x, 30 + 11 * y, (x * y) % 256];
  const picture = put(folder, 'picture.png', png(SIZE, SIZE, pixel));
  await visit(SITE, { query: `?engine=cpu${FRAGMENT}` }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, model, /64/);
    await step.givePictures(visit, smallPictures({ classes: ['blue', 'red'], each: 6, size: SIZE }), /blue[^]*red/);
    await step.measureHeads(visit, 4);
    // Three heads of 32 are more than the 64 channels of the ancestor's two.
    await step.planned(visit, '121 k', 115);

    await then('an untrained descendant goes home in both formats', async () => {
      const [weights, graph] = [to('untrained.safetensors'), to('untrained.onnx')];
      await step.saveFrom(visit, 'export-safetensors', weights);
      await step.saveFrom(visit, 'export-onnx', graph);
      assert.deepEqual(readHeader(weights)['blocks.0.attn.qkv.weight'].shape, [3 * HEADS * 32, WIDTH]);
      const { scores } = await run(graph, tensor([pixel], metadata(graph)));
      assert.equal(scores[0].length, 2);
    });

    await then('a small race is run', async () => {
      await visit.at('train-start').click();
      await step.waitFor(visit, 'train-status', /finished/i);
    });

    await then('the curves are the table', async () => {
      const lines = fs.readFileSync(await step.saveFrom(visit, 'export-curves', to('curves.csv')), 'utf8').trim().split('\n');
      assert.equal(lines.shift(), 'arm,seed,step,epoch,train_loss,validation_loss,validation_accuracy');
      const shown = await visit.at('train-table').locator('tbody tr').evaluateAll((rows) =>
        rows.map((row) => [...row.cells].slice(1).map((cell) => Number(cell.textContent))));
      const saved = lines.map((line) => line.split(',').slice(1).map(Number));
      assert.equal(saved.length, 8, 'two starts, measured at steps 0, 2, 4 and 6');
      const rounded = saved.map(([seed, step, epoch, loss, validation, accuracy]) =>
        [seed, step, [epoch, 2], [accuracy * 100, 1], [validation, 4], [loss, 4]]);
      assert.equal(shown.length, rounded.length);
      shown.forEach((row, at) => row.forEach((cell, column) => {
        const [value, digits] = [rounded[at][column]].flat();
        assert.ok(Math.abs(cell - value) <= 0.51 * 10 ** -(digits ?? 0), `row ${at}: ${cell} is not ${value}`);
      }));
    });

    const graph = to('trained.onnx');
    await then('onnxruntime says of a picture what the page says', async () => {
      await visit.at('try-input').setInputFiles(picture);
      await step.waitFor(visit, 'prediction', /(blue|red), \d+ % sure/);
      const shown = await step.shares(visit);
      await step.saveFrom(visit, 'export-onnx', graph);
      assert.equal(opset(graph), 17);
      const said = metadata(graph);
      const labels = JSON.parse(said.labels);
      assert.deepEqual([labels, Number(said.image_size)], [['blue', 'red'], SIZE]);
      const alone = await run(graph, tensor([pixel], said));
      softmax(alone.scores[0]).forEach((share, at) => {
        const percent = Number(shown[labels[at]]);
        assert.ok(Math.abs(100 * share - percent) <= 0.51, `${labels[at]}: onnxruntime ${100 * share} %, page ${percent} %`);
      });
      // Any batch: the picture's scores do not depend on its neighbours.
      const other = (x, y) => [16 * x, 16 * y, 9];
      const three = await run(graph, tensor([other, pixel, other], said));
      three.scores[1].forEach((score, at) => assert.ok(Math.abs(score - alone.scores[0][at]) <= 1e-4));
      assert.deepEqual(three.scores[0], three.scores[2]);
    });

    const weights = to('trained.safetensors');
    await then('the safetensors file has every key of timm, and describes itself', async () => {
      const header = readHeader(await step.saveFrom(visit, 'export-safetensors', weights));
      const { __metadata__, ...tensors } = header;
      const parts = ['norm1', 'norm2', 'attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2'].flatMap((part) => [`${part}.weight`, `${part}.bias`]);
      const layers = Array.from({ length: LAYERS }, (_, layer) => parts.map((part) => `blocks.${layer}.${part}`));
      const ends = ['patch_embed.proj', 'norm', 'head'].flatMap((part) => [`${part}.weight`, `${part}.bias`]);
      assert.deepEqual(Object.keys(tensors).sort(), ['cls_token', 'pos_embed', ...ends, ...layers.flat()].sort());
      const { config, labels, preprocessing } = JSON.parse(__metadata__.heirloom);
      assert.deepEqual([config.num_heads, config.head_dim, config.embed_dim], [HEADS, 32, WIDTH]);
      assert.deepEqual([labels, preprocessing.image_size], [['blue', 'red'], SIZE]);
    });

    await then('the package holds the same weights, and words for people', async () => {
      const entries = unzip(fs.readFileSync(await step.saveFrom(visit, 'export-package', to('package.zip'))));
      assert.deepEqual(Object.keys(entries).sort(), ['README.txt', 'config.json', 'labels.txt', 'model.safetensors']);
      assert.ok(entries['model.safetensors'].equals(fs.readFileSync(weights)), 'other weights than the single file');
      const { preprocessing } = JSON.parse(entries['config.json']);
      assert.deepEqual([preprocessing.image_size, preprocessing.resize, preprocessing.crop], [SIZE, 18, 'center']);
      assert.equal(entries['labels.txt'].toString(), 'blue\nred\n');
      assert.match(entries['README.txt'].toString(), /attn_head_dim=32[^]*strict=True/);
    });

    for (const [name, title] of Object.entries({
      heads: /How far each head looks/,
      descendant: /Which kept head feeds which new head/,
      curves: /Pictures named rightly \(validation accuracy\) while training/,
      attention: null,
    })) {
      await then(`the picture of ${name} is saved as it stands`, () => savedPicture(visit, name, title, folder));
    }

    await then('the buttons have no serious accessibility fault', () => visit.checkAccessibility());
  });
});

/** Entries of a zip whose files are stored as they are. */
function unzip(bytes) {
  const entries = {};
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06'));
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const [method, size] = [bytes.readUInt16LE(at + 10), bytes.readUInt32LE(at + 20)];
    const [name, extra, comment] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
    const local = bytes.readUInt32LE(at + 42);
    assert.equal(method, 0, 'stored');
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    entries[bytes.subarray(at + 46, at + 46 + name).toString()] = bytes.subarray(start, start + size);
    at += 46 + name + extra + comment;
  }
  return entries;
}

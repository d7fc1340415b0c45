// ONNX files of every variant, made by `cargo test exports` (tests/heirloom/checkpoint/exports.rs) together with our own
// scores, run by onnxruntime. HEIRLOOM_EXPORTS names their folder.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { metadata, opset, run } from '../lib/onnx.mjs';

const FOLDER = process.env.HEIRLOOM_EXPORTS ?? path.join(import.meta.dirname, '../../../target/tmp/exports');
const TOLERANCE = 1e-4;
const CASES = fs.readdirSync(FOLDER).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5)).sort();

test('every model that was to be written is there', () => {
  const wanted = fs.readFileSync(path.join(FOLDER, 'cases.txt'), 'utf8').split('\n');
  assert.ok(wanted.length > 0 && wanted[0]);
  assert.deepEqual(CASES, wanted.sort());
});

let [worst, compared] = [0, 0];
for (const name of CASES) {
  test(`onnxruntime gives our scores: ${name}`, async () => {
    const { shape, pictures, outputs, scores, labels, preprocessing } = JSON.parse(fs.readFileSync(path.join(FOLDER, `${name}.json`)));
    const file = path.join(FOLDER, `${name}.onnx`);
    assert.equal(opset(file), 17);
    const said = metadata(file);
    assert.deepEqual(JSON.parse(said.labels ?? 'null'), labels ?? null);
    assert.deepEqual([JSON.parse(said.mean), JSON.parse(said.std)], [preprocessing.mean, preprocessing.std]);
    const one = shape.slice(1).reduce((a, b) => a * b, 1);
    const expected = Array.from({ length: shape[0] }, (_, row) => scores.slice(row * outputs, (row + 1) * outputs));
    // All at once, and the last one alone: the batch is free.
    const all = await run(file, { data: Float32Array.from(pictures), shape });
    assert.deepEqual([all.input, all.output], ['pixel_values', labels ? 'logits' : 'features']);
    close(all.scores, expected);
    const alone = await run(file, { data: Float32Array.from(pictures.slice(-one)), shape: [1, ...shape.slice(1)] });
    close(alone.scores, expected.slice(-1));
  });
}

test('every model was compared twice, and the largest difference is told', (t) => {
  assert.equal(compared, 2 * CASES.length);
  t.diagnostic(`largest difference of a score: ${worst.toExponential(2)}`);
});

function close(got, expected) {
  assert.deepEqual(got.map((row) => row.length), expected.map((row) => row.length));
  const difference = Math.max(...got.flatMap((row, at) => row.map((score, i) => Math.abs(score - expected[at][i]))));
  worst = Math.max(worst, difference);
  compared += 1;
  assert.ok(difference <= TOLERANCE, `differs by ${difference}`);
}

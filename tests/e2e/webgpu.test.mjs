// A small model through every step on WebGPU. Without an adapter these tests fail: they are the proof that it works.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { readHeader, safetensors, smallModel, smallPictures, temporaryFolder } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');

test('a small model is measured, expanded, trained and exported on WebGPU', { timeout: 600_000 }, async () => {
  const model = smallModel();
  const fragment = '#size=16&measure=1&steps=2&batch=4&validate=2&heads=2&layers=1&augment=0';
  await visit(SITE, { gpu: true, query: `?engine=webgpu${fragment}` }, async (visit) => {
    await step.engineReady(visit, /^WebGPU/);
    await step.giveAncestor(visit, model, /64/);
    await step.givePictures(visit, smallPictures({ classes: ['blue', 'red'], each: 5 }), /blue[^]*red/);
    // Two layers of two heads, as the file beside the weights says.
    const rows = await step.measureHeads(visit, 4);
    assert.equal(rows.length, 4);
    assert.deepEqual(rows.filter(({ distance }) => !(distance > 0 && distance < 16 * Math.SQRT2)), []);
    await step.planned(visit, '54.5 k', 52);
    await visit.at('train-start').click();
    await step.waitFor(visit, 'train-status', /finished/i);
    const file = await step.saveFrom(visit, 'export-safetensors', path.join(temporaryFolder(), 'descendant.safetensors'));
    assert.deepEqual(readHeader(file)['head.weight'].shape, [2, 64]);
    assert.match(await visit.at('engine-status').textContent(), /^WebGPU/, 'it must not have fallen back on the way');
  });
});

test('without WebGPU the CPU engine takes over and says so', { timeout: 60_000 }, async () => {
  await visit(SITE, {}, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.expectNotice(visit, /WebGPU is not used: .+ Everything works on the processor \(CPU\) too/, 10_000);
  });
});

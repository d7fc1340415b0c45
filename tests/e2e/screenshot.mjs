// Takes the README's screenshot: node screenshot.mjs OUT.png, with HEIRLOOM_SITE as in the tests and the real ancestor.
import path from 'node:path';
import { flowers, SHARED } from './lib/files.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const MODEL = path.join(SHARED, 'data/models/vit_s14_224_hf/model.safetensors');
const pictures = flowers({ classes: ['daisy', 'roses', 'sunflowers', 'tulips'], train: 6, val: 3 });

await visit(SITE, { query: '?engine=cpu#size=112&measure=4', viewport: { width: 1280, height: 960 } }, async (visit) => {
  await step.engineReady(visit, /^CPU/);
  await step.giveAncestor(visit, MODEL, /384/);
  await step.givePictures(visit, pictures, /tulips/);
  await step.measureHeads(visit, 72);
  await visit.at('measure-heads').evaluate((button) => button.closest('section').scrollIntoView({ block: 'start' }));
  await visit.page.waitForTimeout(1500);
  await visit.page.screenshot({ path: process.argv[2] });
});

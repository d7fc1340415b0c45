// A whole small story in seconds: a tiny ancestor, coloured pictures, a descendant that hardly learns.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { smallModel, smallPictures } from './files.mjs';
import * as step from './steps.mjs';

/** Settings that fit it. */
export const SMALL = 'size=16&measure=1&heads=2&layers=2&batch=4';

/** From the empty page to a planned descendant. */
export async function plan(visit, pictures = smallPictures()) {
  const model = smallModel();
  await step.engineReady(visit, /^CPU/);
  await step.giveAncestor(visit, model, /64/);
  await givePictures(visit, pictures);
  await step.measureHeads(visit, 4);
  // As many heads and layers as the ancestor has; only the classifier is smaller.
  await step.planned(visit, '105 k', 100);
}

/** Gives a folder and waits until every class and picture in it is counted. */
async function givePictures(visit, folder) {
  const classes = fs.readdirSync(folder);
  const count = classes.flatMap((name) => fs.readdirSync(path.join(folder, name))).length;
  const said = await step.givePictures(visit, folder, new RegExp(`^${classes.length} classes: \\d+ pictures to learn from, \\d+ to check with`));
  const [train, check] = said.match(/(\d+) pictures to learn from, (\d+)/).slice(1).map(Number);
  assert.ok(check > 0 && train + check === count, `${count} pictures, but ${train} to learn from and ${check} to check with`);
  for (const name of classes) assert.ok(said.includes(name), `${name} in "${said}"`);
}

/** From the empty page to a trained descendant. */
export async function train(visit, pictures) {
  await plan(visit, pictures);
  await visit.at('train-start').click();
  await step.waitFor(visit, 'train-status', /finished/i);
  await visit.at('confusion-start').waitFor();
}

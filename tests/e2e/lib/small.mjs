// A whole small story in seconds: a tiny ancestor, coloured pictures, a descendant that hardly learns.
import { smallModel, smallPictures } from './files.mjs';
import * as step from './steps.mjs';

/** Settings that fit it. */
export const SMALL = 'size=16&measure=1&heads=2&layers=2&batch=4';

/** From the empty page to a planned descendant. */
export async function plan(visit, pictures = smallPictures()) {
  const model = smallModel();
  await step.engineReady(visit, /^CPU/);
  await step.giveAncestor(visit, model, /64/);
  await step.givePictures(visit, pictures, /\d/);
  await step.measureHeads(visit, 4);
  await step.waitFor(visit, 'descendant-summary', /%/);
}

/** From the empty page to a trained descendant. */
export async function train(visit, pictures) {
  await plan(visit, pictures);
  await visit.at('train-start').click();
  await step.waitFor(visit, 'train-status', /finished/i);
  await visit.at('confusion-start').waitFor();
}

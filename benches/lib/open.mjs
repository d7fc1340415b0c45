// What every measurement in the page begins with.
import * as step from '../../tests/e2e/lib/steps.mjs';

/** Opens an ancestor from files, or else the shipped MobileNetV2, and pictures from a zip or a folder. */
export async function openWith(seen, model, pictures) {
  await step.engineReady(seen, /^CPU/);
  if (model) await step.giveAncestor(seen, model, /\d/);
  else {
    await seen.at('shipped-mobilenet-v2').click();
    await step.waitFor(seen, 'ancestor-summary', /mobilenet_v2\.safetensors/);
  }
  const input = /\.zip$/.test(pictures) ? 'pictures-input' : 'pictures-folder-input';
  await seen.at(input).setInputFiles(pictures);
  await step.waitFor(seen, 'pictures-summary', /to learn from/);
}

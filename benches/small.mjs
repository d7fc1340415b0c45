// "Make me a small one" in the built page, over splits: how long it takes, how small what it proposes is, and how often
// that and the whole ancestor are right on checking pictures, which choose nothing.
//
//   node benches/small.mjs --site target/site --pictures static/samples/doodles.zip [--pictures FOLDER ...]
//     [--model FILE]   instead of the shipped MobileNetV2
//     [--seeds 5] [--cores 2] [--settings 'size=112']
import path from 'node:path';
import { parseArgs } from 'node:util';
import * as step from '../tests/e2e/lib/steps.mjs';
import { visit } from '../tests/e2e/lib/visit.mjs';
import { openWith } from './lib/open.mjs';
import { interval } from './lib/paired.mjs';

const { values } = parseArgs({
  options: {
    site: { type: 'string', default: 'target/site' },
    model: { type: 'string' },
    pictures: { type: 'string', multiple: true, default: ['static/samples/doodles.zip'] },
    settings: { type: 'string', default: '' },
    seeds: { type: 'string', default: '5' },
    cores: { type: 'string', default: '2' },
  },
});

/** One split: seconds, share of the parameters (%), accuracies (%) of the proposed model and of the whole. */
async function small(pictures, seed) {
  const fragment = ['seed=' + seed, ...values.settings.split(/\s+/)].filter(Boolean).join('&');
  let found;
  await visit(path.resolve(values.site), { query: `?engine=cpu&cores=${values.cores}#${fragment}` }, async (seen) => {
    await openWith(seen, values.model, pictures);
    const start = performance.now();
    await seen.at('find-small').click();
    const words = await step.waitFor(seen, 'experiment-words', /enough/, 1_800_000);
    const seconds = (performance.now() - start) / 1000;
    const [, name, parameters, share, right, whole] =
      words.match(/^(.*?) (?:is|are) enough: (.*?) parameters \((\d+) % of all, [^)]*\), ([\d.]+) %[^;.]*(?:; all of it ([\d.]+) %)?/) ?? [];
    found = { seconds, name, parameters, share: Number(share), right: Number(right), whole: Number(whole ?? right) };
    console.log(`  seed ${seed}: ${seconds.toFixed(1)} s; ${name}, ${parameters} (${share} %): ${right} %; all of it ${whole ?? right} %`);
  });
  return found;
}

for (const pictures of values.pictures) {
  console.log(`${path.basename(pictures)}, ${values.cores} cores ${values.settings}`);
  const all = [];
  for (let seed = 1; seed <= Number(values.seeds); seed += 1) all.push(await small(pictures, seed));
  const of = (key) => step.mean(all.map((one) => one[key])).toFixed(1);
  console.log(`  mean: ${of('seconds')} s, ${of('share')} % of the parameters, ${of('right')} % right; all of it ${of('whole')} %`);
  if (all.length > 1) console.log(`  small - whole: ${interval(all.map(({ right, whole }) => right - whole))} points`);
}

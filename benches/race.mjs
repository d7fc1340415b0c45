// A race in the built page, by the settings of an address, and its ends per seed: what claims about learning stand on.
//
//   node benches/race.mjs --site target/site --model FILE_OR_FOLDER --pictures FOLDER --settings 'seeds=5&arms=inherited+scratch+first'
//
// Prints a table of the last accuracies, and for each pair of starts the mean difference over the seeds with its 95 %
// interval (paired: the starts of a seed share pictures and batches).
import fs from 'node:fs';
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
    pictures: { type: 'string' },
    settings: { type: 'string', default: '' },
    cores: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '60' },
  },
});

const model = fs.statSync(values.model).isDirectory()
  ? fs.readdirSync(values.model).map((name) => path.join(values.model, name))
  : [values.model];

await visit(path.resolve(values.site), { query: `?engine=cpu&cores=${values.cores}#${values.settings}` }, async (seen) => {
  await openWith(seen, model, values.pictures);
  await seen.at('measure-heads').click();
  const kept = await step.waitFor(seen, 'kept-heads', /\d+ of \d+/);
  await step.waitFor(seen, 'descendant-summary', /\d/);
  const started = Date.now();
  await seen.at('train-start').click();
  await step.waitFor(seen, 'train-status', /finished/i, 60_000 * Number(values.minutes));
  const rows = await step.curvesTable(seen);
  const arms = [...new Set(rows.map(({ arm }) => arm))];
  console.log(`${values.settings}: ${kept}; ${values.cores} cores; ${((Date.now() - started) / 1000).toFixed(0)} s`);
  for (const arm of arms) {
    const ends = step.ends(rows, arm);
    const steps = [...new Set(rows.map((row) => row.step))].sort((a, b) => a - b);
    const curve = steps.map((at) => step.mean(rows.filter((row) => row.arm === arm && row.step === at).map(({ accuracy }) => accuracy)));
    console.log(`  ${arm}: ${step.mean(ends).toFixed(1)} (${ends.join(' ')}); over the steps ${curve.map((one) => one.toFixed(1)).join(' ')}`);
  }
  for (const [at, arm] of arms.entries()) {
    for (const other of arms.slice(at + 1)) {
      const [ours, theirs] = [arm, other].map((one) => step.ends(rows, one));
      if (ours.length > 1) console.log(`  ${arm} - ${other}: ${interval(ours.map((value, seed) => value - theirs[seed]))} points`);
    }
  }
});

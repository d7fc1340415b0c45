// The ancestor as it is with a new last layer, in the built page: how long it takes and how often it is right.
//
//   node benches/yardstick.mjs --site target/site --pictures static/samples/doodles.zip [--pictures FOLDER ...]
//     [--model FILE]   instead of the shipped MobileNetV2
//     [--top N]        also the engine's functions by the time spent in themselves
//     [--settings 'size=224 seed=1' ...]   addresses to compare; none: the page's own choice
import path from 'node:path';
import { parseArgs } from 'node:util';
import * as step from '../tests/e2e/lib/steps.mjs';
import { visit } from '../tests/e2e/lib/visit.mjs';
import { openWith } from './lib/open.mjs';
import { profiled, selfTimes } from './lib/profiler.mjs';

const { values } = parseArgs({
  options: {
    site: { type: 'string', default: 'target/site' },
    model: { type: 'string' },
    pictures: { type: 'string', multiple: true, default: ['static/samples/doodles.zip'] },
    settings: { type: 'string', multiple: true, default: [''] },
    cores: { type: 'string', default: '1' },
    top: { type: 'string' },
  },
});

for (const pictures of values.pictures) {
  for (const settings of values.settings) {
    const fragment = settings.trim().split(/\s+/).join('&');
    await visit(path.resolve(values.site), { query: `?engine=cpu&cores=${values.cores}#${fragment}` }, async (seen) => {
      await openWith(seen, values.model, pictures);
      const start = performance.now();
      let said;
      const fit = async () => {
        await seen.at('fit-head').click();
        said = await step.waitFor(seen, 'train-status', /finished/i, 600_000);
      };
      const profile = values.top ? await profiled(seen.page, fit) : await fit();
      const seconds = (performance.now() - start) / 1000;
      const [row] = (await step.curvesTable(seen)).slice(-1);
      console.log(`${path.basename(pictures)} ${settings || 'as the page proposes'}, ${values.cores} cores: ${seconds.toFixed(1)} s, ${row.accuracy} %; ${said.trim().slice(0, 90)}`);
      if (!profile) return;
      const { functions } = selfTimes(profile);
      for (const { name, share } of functions.slice(0, Number(values.top))) {
        console.log(`  ${(share * 100).toFixed(1).padStart(5)} %  ${name.slice(0, 130)}`);
      }
    });
  }
}

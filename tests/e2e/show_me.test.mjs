// Show me: the whole story by one button, on the files that ship with the page.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import zlib from 'node:zlib';
import { smallModel, smallPictures, temporaryFolder } from './lib/files.mjs';
import { SMALL } from './lib/small.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const CARD = JSON.parse(fs.readFileSync(path.join(SITE, 'static/ancestors/classroom.json')));
const DOODLES = ['cat', 'fish', 'flower', 'house', 'star'];
const HEADS = CARD.layers * CARD.heads;
/** Millions as the page writes them, with three significant digits. */
const millions = (number) => (number / 1e6).toFixed(number >= 99.95e6 ? 0 : number >= 9.995e6 ? 1 : 2);
const OPENED = new RegExp(`^It has ${CARD.layers} layers of ${CARD.heads} heads each, and ${millions(CARD.parameters)} M numbers\\.$`);
/** The whole story on a busy machine of two cores. */
const STORY = 600_000;

/** Waits until the story is at a stage, by its number. */
const stage = (visit, number) => step.waitFor(visit, 'show-me-stage', new RegExp(`^${number} of 7`), STORY);

/** What the story says it found, once it has. */
const found = (visit, pattern) => step.waitFor(visit, 'show-me-found', pattern, STORY);

const inView = (visit, handle) =>
  visit.at(handle).first().evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  });

/** Waits until the race is over and checks what is told of it against the curves; those. */
async function raced(visit) {
  const said = await found(visit, /Right in the end: \d+ % inherited, \d+ % from scratch/);
  const told = said.match(/(\d+) % inherited, (\d+) % from scratch/).slice(1).map(Number);
  const rows = await step.curvesTable(visit);
  const arms = ['inherited', 'from scratch'];
  const last = arms.map((arm) => step.ends(rows, arm)[0]);
  arms.forEach((arm, at) => step.sameShare(told[at], last[at], arm));
  const verdict = { '1': 'Inheriting is ahead', '0': 'they are level', '-1': 'random numbers are ahead' }[Math.sign(last[0] - last[1])];
  assert.ok(said.includes(verdict), `${said} ${last}`);
  return rows;
}

/** Waits until five pictures are named; each has its longest bar as its headline, and the story counts those that are right. */
async function named(visit) {
  const said = await found(visit, /It named \d of 5 pictures rightly/);
  assert.equal(await visit.at('prediction').count(), 5);
  let right = 0;
  for (const prediction of await visit.at('prediction').all()) {
    const shares = await step.sharesOf(prediction);
    assert.deepEqual(Object.keys(shares).sort(), DOODLES);
    const told = (await prediction.getByTestId('prediction-truth').textContent()).trim();
    const truth = told.split(' ').pop();
    const isRight = Object.keys(shares)[0] === truth;
    assert.equal(told, `${isRight ? 'right' : 'wrong'}: it is ${truth}`);
    right += isRight;
  }
  assert.ok(said.includes(`It named ${right} of 5 pictures rightly.`), `${said} They are ${right}.`);
  return right;
}

test('one button tells the whole story on the CPU engine', { timeout: STORY + 60_000 }, async (t) => {
  const then = step.inOrder(t);
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    const start = Date.now();
    const since = () => `${((Date.now() - start) / 1000).toFixed(1)} s`;

    await then('the offer stands at the top, and nothing large was fetched for it', async () => {
      await visit.at('show-me').waitFor();
      assert.match(await visit.at('show-me').locator('xpath=ancestor::section').textContent(), new RegExp(`${CARD.name} \\(${millions(CARD.bytes)} MB\\)`));
      assert.deepEqual(visit.site.requests.filter((name) => /safetensors|\.zip/.test(name)), []);
      await step.engineReady(visit, /^CPU/);
      t.diagnostic(`engine ready after ${since()}`);
    });

    const begun = Date.now();
    await then('the shipped ancestor is opened', async () => {
      await visit.at('show-me').click();
      await stage(visit, 1);
      await found(visit, OPENED);
      assert.match(await visit.at('ancestor-summary').textContent(), /classroom\.safetensors/);
      t.diagnostic(`ancestor after ${since()}`);
    });

    await then('the doodles are read and divided', async () => {
      await stage(visit, 2);
      // A tenth of 400, as the story sets it.
      await found(visit, /^5 classes: 360 pictures to learn from, 40 to check with\.$/);
      for (const name of DOODLES) assert.ok((await visit.at('pictures-summary').textContent()).includes(name));
    });

    await then('all heads are measured', async () => {
      await stage(visit, 3);
      const said = await found(visit, new RegExp(`^${HEADS} heads measured on 10 pictures\\. .* in pictures of ${CARD.image_size} px\\.$`));
      const rows = await step.headsTable(visit);
      const [near, far] = said.match(/nearest looks ([\d.]+) px far, the farthest ([\d.]+) px/).slice(1).map(Number);
      const all = rows.map(({ distance }) => distance);
      // Three significant digits there, two after the point here.
      assert.ok(Math.abs(near - Math.min(...all)) < 0.06 && Math.abs(far - Math.max(...all)) < 0.06, `${said} ${all}`);
      assert.equal(rows.length, HEADS);
      assert.deepEqual(rows.filter(({ distance }) => !(distance > 0 && distance < CARD.image_size * Math.SQRT2)), []);
      assert.ok(new Set(rows.map(({ distance }) => distance)).size > HEADS / 2, 'heads look differently far');
      t.diagnostic(`heads after ${since()}`);
    });

    await then('the clusters are drawn', async () => {
      await stage(visit, 4);
      const said = await found(visit, new RegExp(`^\\d+ of ${HEADS} heads are kept`));
      assert.equal(Number(said.match(/^\d+/)[0]), await step.keptHeads(visit));
      assert.ok(await inView(visit, 'heads-chart'), 'the drawing it speaks of is in sight');
      // The story would go on meanwhile.
      await visit.at('show-me-hold').click();
      await visit.checkAccessibility();
      await visit.at('show-me-hold').click();
    });

    await then('a descendant is expanded', async () => {
      await stage(visit, 5);
      const said = await found(visit, /^\d+ layers? of \d+ heads? each: .* % of the ancestor's\.$/);
      const [, layers, heads, parameters, percent] = said.match(/^(\d+) layers? of (\d+) heads? each: (.+) numbers, (\d+) %/);
      assert.equal(layers, await visit.at('descendant-layers').inputValue());
      assert.equal(heads, await visit.at('descendant-heads').inputValue());
      await step.planned(visit, parameters, percent);
    });

    await then('two learning curves race', async () => {
      await stage(visit, 6);
      const rows = await raced(visit);
      for (const name of ['inherited', 'from scratch']) {
        assert.deepEqual(rows.filter(({ arm }) => arm === name).map(({ step }) => step), [0, 15, 30, 45, 60], name);
      }
      assert.match(await visit.at('train-status').textContent(), /finished/i);
      assert.ok(await inView(visit, 'train-chart'));
      t.diagnostic(`race after ${since()}: ${await visit.at('show-me-found').textContent()}`);
    });

    await then('the descendant names pictures that were put aside', async () => {
      await stage(visit, 7);
      const right = await named(visit);
      const truths = await visit.at('prediction-truth').allTextContents();
      assert.deepEqual(truths.map((text) => text.split(' ').pop()).sort(), DOODLES, 'one of each class');
      t.diagnostic(`named ${right} of 5 rightly`);
    });

    await then('the end says how long it took and what to do next', async () => {
      const end = await step.waitFor(visit, 'show-me-end', /It took .*\. Everything it made is still here\./, STORY);
      // From ninety seconds on in whole minutes; and this test may look a while after the end.
      const [, number, unit] = end.match(/It took ([\d.]+) (s|min)\./);
      const [took, slack] = unit === 's' ? [Number(number), 1] : [60 * number, 31];
      const elapsed = (Date.now() - begun) / 1000;
      assert.ok(took <= elapsed + slack && took >= elapsed - slack - 30, `${end} It was begun ${elapsed} s ago.`);
      t.diagnostic(`the story from click to end: ${((Date.now() - begun) / 1000).toFixed(1)} s (budget of the design: 120 s); the page says: ${end}`);
      assert.equal(await visit.at('show-me-own').locator('a').count(), 5);
      await visit.checkAccessibility();
      await visit.at('show-me-draw').click();
      await visit.at('pad').waitFor();
      assert.equal((await visit.page.evaluate(() => document.activeElement.id)), 'trial-title');
      await visit.at('show-me-usual').click();
      await step.waitFor(visit, 'settings-now', /The usual settings\.$/);
      await visit.at('show-me-close').click();
      await visit.at('show-me').waitFor();
      assert.ok(await visit.at('export-safetensors').isEnabled(), 'what was made is still there');
    });

    await then('told again it asks first, and trains nothing twice', async () => {
      const before = await visit.at('train-table').textContent();
      await visit.at('show-me').click();
      await visit.at('show-me-asks').waitFor();
      await visit.at('show-me-here').click();
      for (let number = 1; number <= 7; number++) {
        await stage(visit, number);
        await visit.page.waitForFunction(() => !document.querySelector('[data-testid=show-me-skip]').disabled, null, { timeout: STORY });
        await visit.at('show-me-skip').click();
      }
      await visit.at('show-me-end').waitFor();
      assert.equal(await visit.at('train-table').textContent(), before);
    });

    await then('in a new project nothing is fetched a second time', async () => {
      const name = await visit.at('project-name').textContent();
      await step.waitFor(visit, 'saved-status', /^Saved/);
      await visit.at('show-me-close').click();
      await visit.at('show-me').click();
      const asked = () => visit.site.requests.filter((name) => name.endsWith('classroom.safetensors')).length;
      assert.equal(asked(), 1);
      await visit.at('show-me-new').click();
      await stage(visit, 1);
      await found(visit, OPENED);
      assert.equal(asked(), 1, 'it was taken from the store');
      assert.notEqual(await visit.at('project-name').textContent(), name);
      await visit.at('show-me-stop').click();
    });
  });
});

test('skipping and stopping leave a usable page', { timeout: STORY + 60_000 }, async (t) => {
  const then = step.inOrder(t);
  // A long race, which nobody waits for: settings of the address go before the story's.
  await visit(SITE, { query: '?engine=cpu#steps=100000&batch=4&validate=2' }, async (visit) => {
    await then('reading time is skipped, but not what others build on', async () => {
      await visit.at('show-me').click();
      assert.ok(await visit.at('show-me-skip').isDisabled(), 'without an ancestor nothing follows');
      for (let number = 1; number <= 5; number++) {
        await stage(visit, number);
        await visit.page.waitForFunction(() => !document.querySelector('[data-testid=show-me-skip]').disabled, null, { timeout: STORY });
        await visit.at('show-me-skip').click();
      }
      await stage(visit, 6);
      assert.match(await visit.at('settings-now').textContent(), /100000/, 'the teacher\'s steps stay');
    });

    await then('a race that is skipped is stopped and keeps what it has learned', async () => {
      await step.waitFor(visit, 'train-status', /step [2-9]|step \d\d/, STORY);
      await visit.at('show-me-skip').click();
      await step.waitFor(visit, 'train-status', /stopped/i, STORY);
      await stage(visit, 7);
      await named(visit);
    });

    await then('it waits where it was told to', async () => {
      await visit.at('show-me-hold').click();
      await visit.page.waitForTimeout(8_000);
      assert.match(await visit.at('show-me-stage').textContent(), /^7 of 7/);
    });

    await then('stopped, the page is as after so many steps by hand', async () => {
      await visit.at('show-me-stop').click();
      await visit.at('show-me').waitFor();
      assert.equal((await step.headsTable(visit)).length, HEADS);
      assert.ok(await visit.at('try-validation').isEnabled());
      await visit.at('try-validation').click();
      await visit.page.waitForFunction(() => document.querySelectorAll('[data-testid=prediction]').length === 6, null, { timeout: STORY });
      assert.ok(await visit.at('train-start').isEnabled());
      await visit.checkAccessibility();
    });
  });
});

test('whoever brings own files first is not overwritten', { timeout: STORY }, async () => {
  const model = smallModel();
  await visit(SITE, { query: `?engine=cpu#${SMALL}&steps=2` }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await step.giveAncestor(visit, model, /64/);
    await step.givePictures(visit, smallPictures(), /^3 classes: 24 pictures to learn from, 6 to check with/);
    await visit.at('show-me').click();
    await visit.at('show-me-here').click();
    await stage(visit, 6);
    await raced(visit);
    assert.match(await visit.at('ancestor-summary').textContent(), /small\.safetensors/);
    assert.deepEqual(visit.site.requests.filter((name) => /\.safetensors|\.zip/.test(name)), []);
    await visit.at('show-me-stop').click();
  });
});

test('a shipped ancestor that was changed on the server is refused with a sentence', { timeout: STORY }, async () => {
  const folder = temporaryFolder();
  fs.cpSync(SITE, folder, { recursive: true });
  const file = path.join(folder, 'static/ancestors/classroom.safetensors');
  const bytes = fs.readFileSync(file);
  await visit(folder, { query: '?engine=cpu' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    bytes[bytes.length >> 1] ^= 1;
    fs.writeFileSync(file, bytes);
    await visit.at('shipped-classroom').click();
    await step.expectNotice(visit, /is not the file that this page was made for/);
    await step.closeNotices(visit);
    fs.writeFileSync(file, bytes.subarray(0, bytes.length / 2));
    await visit.at('shipped-classroom').click();
    await step.expectNotice(visit, new RegExp(`broke off: ${bytes.length >> 1} of ${bytes.length} bytes came`));
    assert.equal(await visit.at('ancestor-summary').count(), 0);
    await step.closeNotices(visit);
    visit.allow(/404|ERR_ABORTED/);
    fs.rmSync(file);
    await visit.at('shipped-classroom').click();
    await step.expectNotice(visit, /could not be fetched/);
    // The story meets the same error, says so, and goes on once it is put right.
    await step.closeNotices(visit);
    await visit.at('show-me').click();
    await visit.at('show-me-halted').waitFor();
    await step.closeNotices(visit);
    bytes[bytes.length >> 1] ^= 1;
    fs.writeFileSync(file, bytes);
    await visit.at('show-me-go-on').click();
    await found(visit, OPENED);
    await visit.at('show-me-stop').click();
  });
});

test('the card of each shipped ancestor can be read before anything is fetched', { timeout: 60_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    for (const [id, file] of [['classroom', 'classroom'], ['vit-s14', 'vit_s14']]) {
      const card = JSON.parse(fs.readFileSync(path.join(SITE, `static/ancestors/${file}.json`)));
      assert.equal((await visit.at(`shipped-${id}`).textContent()).trim(), `${card.name} (${millions(card.bytes)} MB)`);
      await visit.at(`card-${id}`).locator('summary').click();
      const said = await visit.at(`card-${id}`).textContent();
      for (const words of [card.trained_on, card.recipe, card.licence, card.limits]) assert.ok(said.includes(words), words);
    }
    assert.deepEqual(visit.site.requests.filter((name) => /\.safetensors/.test(name)), []);
  });
});

/** Bytes of a file as a server that compresses would send it: 6 is the usual level. */
const sent = (name) => zlib.gzipSync(fs.readFileSync(path.join(SITE, name)), { level: 6 }).length;
const sum = (names) => names.reduce((all, name) => all + sent(name), 0);

test('the buttons are there after 1 MB, and all that Show me needs is small, with WebGPU and without', { timeout: 120_000 }, async (t) => {
  const html = fs.readFileSync(path.join(SITE, 'index.html'), 'utf8');
  const named = [...html.matchAll(/(?:src|href|data-js|data-wasm)="\.?\/?([^"#]+)"/g)].map(([, name]) => name);
  const isEngine = (name) => /(^|\/)engine/.test(name);
  const page = ['index.html', ...new Set(named.filter((name) => !isEngine(name) && fs.existsSync(path.join(SITE, name))))];
  assert.ok(page.some((name) => name.endsWith('.wasm')) && page.some((name) => name.endsWith('.css')), `${page}`);
  // Also what the page's script imports.
  const script = page.find((name) => name.endsWith('.js') && !name.startsWith('static/'));
  const imported = [...fs.readFileSync(path.join(SITE, script), 'utf8').matchAll(/from '\.\/([^']+)'/g)].map(([, name]) => name);
  const before = sum([...new Set([...page, ...imported])]);
  const later = ['static/ancestors/classroom.safetensors', 'static/samples/doodles.zip'];
  const engines = { engine: [8.5e6, 14e6], 'engine-cpu': [2.9e6, 9.8e6] };
  // The site of the tests has not been through wasm-opt, which made the page 27 % smaller and the engine on the CPU 7 %:
  // HEIRLOOM_RELEASED=1 says that this one has.
  const [roomOfPage, room] = process.env.HEIRLOOM_RELEASED ? [1, 1] : [1.3, 1.15];
  assert.ok(before <= roomOfPage * 1e6, `${before} bytes before the buttons`);
  for (const [name, [most, mostInAll]] of Object.entries(engines)) {
    const engine = sum([`${name}.js`, `${name}_bg.wasm`]);
    const all = before + engine + sum(later);
    t.diagnostic(`${name}: before the buttons ${before} bytes of gzip, the engine ${engine}, in all ${all}`);
    assert.ok(engine <= room * most, `${name} has ${engine} bytes`);
    assert.ok(all <= room * mostInAll, `${all} bytes in all with ${name}`);
  }
});

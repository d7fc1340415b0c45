// Settings live in the address: a link hands them on, presets set them, and a bad address is told.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');

/** What the page says its settings are. */
const now = async (visit) => (await visit.at('settings-now').textContent()).trim();

async function openPresets(visit) {
  await visit.page.locator('.lessons summary').first().click();
}

test('a copied link opens with the same settings', { timeout: 120_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu#steps=77&lr=0.0005', permissions: ['clipboard-read', 'clipboard-write'] }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    assert.match(await now(visit), /usual settings, with changes: .*Steps 77 \(there 100\).*One learning rate for all 0\.0005/i);
    await visit.at('pictures-class').locator('xpath=ancestor::details').locator('summary').click();
    await step.enter(visit, 'split-seed', 5);
    await step.waitFor(visit, 'settings-now', /Seed 5/);
    const said = await now(visit);
    await visit.at('copy-link').click();
    await step.waitFor(visit, 'copy-link-status', /copied/i);
    const link = await visit.page.evaluate(() => navigator.clipboard.readText());
    const fragment = new URLSearchParams(new URL(link).hash.slice(1));
    // A link without starts is from before the yardstick and means those of then; what is copied says so.
    const expected = { engine: 'cpu', seed: '5', arms: 'inherited scratch', steps: '77', lr: '0.0005' };
    assert.deepEqual(Object.fromEntries(fragment), expected);
    assert.equal(new URL(link).search, '', 'the engine stands in the fragment, not twice');

    // A request of the old page may end with it.
    visit.allow(/failed request.*ERR_ABORTED/);
    await visit.page.goto('about:blank');
    await visit.page.goto(link);
    await step.engineReady(visit, /^CPU/);
    // The engine of a link is a setting like others; no preset has one.
    assert.equal(await now(visit), said);
    assert.equal(await visit.at('engine-choice').inputValue(), 'cpu');
    assert.equal(await visit.at('split-seed').inputValue(), '5');
    assert.deepEqual(await step.notices(visit), []);
  });
});

test('where the clipboard is denied, the link stands selected in a field', { timeout: 60_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu#steps=12' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    await visit.page.evaluate(() => {
      navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    });
    await visit.at('copy-link').click();
    const field = visit.at('copy-link-field');
    await field.waitFor();
    assert.match(await field.inputValue(), /^http:.*#engine=cpu&arms=inherited\+scratch&steps=12$/);
    await visit.page.waitForFunction(() => document.activeElement?.dataset.testid === 'copy-link-field');
    const selected = await field.evaluate((input) => input.value.slice(input.selectionStart, input.selectionEnd));
    assert.equal(selected, await field.inputValue());
    await visit.checkAccessibility();
  });
});

test('presets set what they say, and the page says what differs from them', { timeout: 60_000 }, async () => {
  await visit(SITE, { query: '?engine=cpu' }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    assert.match(await now(visit), /^Settings: The usual settings\.$/);
    await openPresets(visit);
    const presets = visit.at('presets').locator('button');
    const titles = await presets.allTextContents();
    // The usual ones, those of the story, and four for lessons.
    assert.equal(titles.length, 6, `${titles}`);
    const seen = new Set();
    for (let index = 0; index < titles.length; index++) {
      await presets.nth(index).click();
      const said = await step.waitFor(visit, 'settings-now', new RegExp(`: ${titles[index].replace(/[()?]/g, '\\$&')}\\.$`));
      assert.equal(await presets.nth(index).getAttribute('aria-pressed'), 'true');
      assert.equal(await visit.at('presets').locator('[aria-pressed=true]').count(), 1);
      seen.add(said);
    }
    assert.equal(seen.size, titles.length);

    await visit.at('preset-quick').click();
    await visit.page.waitForFunction(() => location.hash.includes('steps='));
    const hash = await visit.page.evaluate(() => location.hash);
    await visit.page.goto('about:blank');
    await visit.page.goto(`${visit.site.url}?engine=cpu${hash}`);
    await step.engineReady(visit, /^CPU/);
    assert.match(await now(visit), /^Settings: Quick look/);
    await visit.page.evaluate((hash) => { location.hash = `${hash}&strict=1`; }, hash);
    await step.waitFor(visit, 'settings-now', /Quick look.*with changes: .*strict.* yes \(there no\)/);
    await openPresets(visit);
    await visit.checkAccessibility();
  });
});

test('what an address says wrongly is told and left as usual', { timeout: 60_000 }, async () => {
  const bad = '#steps=many&heads=3.5&batch=0&colour=blue&augment=perhaps&method=magic&chosen=0&lr=1e-3&nonsense';
  await visit(SITE, { query: `?engine=cpu${bad}` }, async (visit) => {
    await step.engineReady(visit, /^CPU/);
    const said = await step.expectNotice(visit, /not understood/);
    for (const piece of ['steps=many', 'heads=3.5', 'batch=0', 'colour=blue', 'augment=perhaps']) {
      assert.ok(said.includes(piece), `${piece} in "${said}"`);
    }
    assert.match(said, /whole number from 1 to 1000000/);
    assert.match(said, /no such setting/);
    assert.match(await now(visit), /^Settings: The usual settings, with changes: Starts to compare \(arms\) inherited\+scratch \(there .*\), One learning rate for all 0\.001 \(there 0\)\.$/);
    await step.closeNotices(visit);
    // An anchor of the page is no setting.
    await visit.page.evaluate(() => { location.hash = '#trial'; });
    await step.waitFor(visit, 'settings-now', /: The usual settings\.$/);
    assert.deepEqual(await step.notices(visit), []);
  });
});

// The steps a person takes, by the page's stable handles.
import assert from 'node:assert/strict';

/** Generous waits: software WebGPU and two cores are slow, and a test that fails late still fails. */
const LONG = 120_000;

/** Subtests that build on each other: after one that failed, the rest would only wait for what cannot come. */
export function inOrder(t) {
  return async (name, body) => {
    let failure;
    await t.test(name, async () => {
      try {
        await body();
      } catch (error) {
        failure = error;
        throw error;
      }
    });
    if (failure) throw failure;
  };
}

/** Waits until the text of a handle matches; fails at once when an error sentence appears instead. */
export async function waitFor(visit, handle, pattern, timeout = LONG) {
  const end = Date.now() + timeout;
  let text = '';
  while (Date.now() < end) {
    const element = visit.at(handle).first();
    text = (await element.count()) ? ((await element.textContent()) ?? '').trim() : '';
    if (pattern.test(text)) return text;
    visit.check();
    const complaints = await errors(visit);
    assert.deepEqual(complaints, [], `the page complained while \`${handle}\` said "${text}"`);
    await visit.page.waitForTimeout(200);
  }
  assert.fail(`\`${handle}\` still says "${text}" after ${timeout / 1000} s; expected ${pattern}`);
}

/** All sentences of `notice` that stand on the page. */
export async function notices(visit) {
  return (await visit.at('notice').allTextContents()).map((text) => text.trim()).filter(Boolean);
}

/** Those with role alert. */
async function errors(visit) {
  const alerts = visit.page.locator('[data-testid=notice][role=alert], [role=alert] [data-testid=notice]');
  return (await alerts.allTextContents()).map((text) => text.trim()).filter(Boolean);
}

/** Waits for a sentence in `notice`, checks that it is one for people, and returns it. */
export async function expectNotice(visit, pattern, timeout = LONG) {
  const end = Date.now() + timeout;
  let said = [];
  while (Date.now() < end) {
    said = await notices(visit);
    const found = said.find((text) => pattern.test(text));
    if (found) {
      assert.ok(found.length > 20 && /[.!?]/.test(found), `not a sentence: "${found}"`);
      assert.doesNotMatch(found, /panicked|unwrap|RuntimeError|\bat .*:\d+:\d+|undefined/, 'a stack trace is no sentence');
      return found;
    }
    visit.check();
    await visit.page.waitForTimeout(100);
  }
  assert.fail(`no notice matched ${pattern} in ${timeout / 1000} s; there were: ${JSON.stringify(said)}`);
}

/** Closes all notices, so that the next one is seen for itself. */
export async function closeNotices(visit) {
  const close = visit.at('notice').getByRole('button', { name: /close/i });
  while (await close.count()) await close.first().click();
}

export const engineReady = (visit, pattern) => waitFor(visit, 'engine-status', pattern);

export async function giveAncestor(visit, files, summary) {
  await visit.at('ancestor-input').setInputFiles(files);
  return waitFor(visit, 'ancestor-summary', summary);
}

export async function givePictures(visit, folder, summary) {
  await visit.at('pictures-folder-input').setInputFiles(folder);
  return waitFor(visit, 'pictures-summary', summary);
}

/** Measures and returns the rows of `heads-table`: `{ layer, head, distance, cluster, centroid }`. */
export async function measureHeads(visit, rows) {
  await visit.at('measure-heads').click();
  await waitFor(visit, 'kept-heads', new RegExp(`\\d+ of ${rows}`));
  return headsTable(visit);
}

export async function headsTable(visit) {
  const rows = await visit.at('heads-table').locator('tbody tr').evaluateAll((all) =>
    all.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
  const titles = await visit.at('heads-table').locator('thead th').allTextContents();
  const column = (pattern) => titles.findIndex((title) => pattern.test(title));
  const [layer, head, distance, cluster, centroid] = [/layer/i, /^head/i, /distance/i, /cluster/i, /centroid/i].map(column);
  return rows.map((cells) => ({
    layer: Number(cells[layer]),
    head: Number(cells[head]),
    distance: Number(cells[distance].replace(',', '.')),
    cluster: cells[cluster],
    centroid: /yes/i.test(cells[centroid]),
  }));
}

/** First number of `kept-heads` ("43 of 144"). */
export async function keptHeads(visit) {
  return Number(((await visit.at('kept-heads').textContent()) ?? '').match(/(\d+) of/)?.[1]);
}

/** Moves the slider and returns how long the number of kept heads took to follow, ms. */
export async function moveEps(visit, value, expected) {
  return visit.page.evaluate(async ([value, expected]) => {
    const at = (handle) => document.querySelector(`[data-testid=${handle}]`);
    const slider = at('eps-slider');
    const start = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    slider.dispatchEvent(new Event('change', { bubbles: true }));
    while (Number(at('kept-heads').textContent.match(/(\d+) of/)?.[1]) !== expected) {
      if (performance.now() - start > 5000) throw new Error(`kept-heads still says "${at('kept-heads').textContent}"`);
      await new Promise(requestAnimationFrame);
    }
    return performance.now() - start;
  }, [String(value), expected]);
}

/** Clicks and waits for the file the page saves. */
export async function saveFrom(visit, handle, to) {
  const [download] = await Promise.all([visit.page.waitForEvent('download', { timeout: LONG }), visit.at(handle).click()]);
  await download.saveAs(to);
  return to;
}

/** Unfolds the details that hold a field. */
export async function open(visit, handle) {
  await visit.at(handle).locator('xpath=ancestor::details[1]/summary').click();
}

/** Enters a number in a field or slider. */
export async function enter(visit, handle, value) {
  const field = visit.at(handle);
  await field.fill(String(value));
  await field.press('Tab');
}

/** Waits for the descendant of so many parameters, and so many per cent of the ancestor's, both as the page rounds them. */
export const planned = (visit, parameters, percent) =>
  waitFor(visit, 'descendant-summary', new RegExp(`^Parameters\\s*${parameters.replace('.', '\\.')}\\s+${percent} % of the ancestor`));

/** Rows of `train-table`: `{ arm, seed, step, accuracy }`, the accuracy in per cent. */
export async function curvesTable(visit) {
  const rows = await visit.at('train-table').locator('tbody tr').evaluateAll((all) =>
    all.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
  return rows.map(([arm, seed, step, , accuracy]) => ({ arm, seed: Number(seed), step: Number(step), accuracy: Number(accuracy) }));
}

/** What the curves end with, per cent: the last accuracy of every seed of a start. */
export function ends(rows, arm) {
  const own = rows.filter((row) => row.arm === arm);
  const last = Math.max(...own.map(({ step }) => step));
  return own.filter(({ step }) => step === last).map(({ accuracy }) => accuracy);
}

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Fails unless a whole per cent and a number with one digit after the point can be the same share, each rounded. */
export function sameShare(whole, exact, what) {
  assert.ok(Math.abs(whole - exact) <= 0.551, `${what}: ${whole} % here, ${exact} % there`);
}

/** What the page says of the picture named last: per cent by class, as text, the surest class first. */
export const shares = (visit) => sharesOf(visit.at('prediction').last());

/** The same of one picture, whose headline must be its longest bar. */
export async function sharesOf(prediction) {
  const bars = await prediction.locator('li').evaluateAll((rows) => rows.map((row) => row.textContent.trim()));
  const all = bars.map((bar) => bar.match(/(\w+?)\s*([\d.,]+)\s*%/).slice(1, 3));
  const numbers = all.map(([, percent]) => Number(percent));
  assert.deepEqual(numbers, numbers.toSorted((a, b) => b - a), 'the bars are sorted');
  const headline = (await prediction.locator('strong').first().textContent()).trim();
  assert.equal(headline, `${all[0][0]}, ${all[0][1]} % sure`);
  return Object.fromEntries(all);
}

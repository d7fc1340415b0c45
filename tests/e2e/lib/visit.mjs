// One visit to a page, watched: whatever a person would not want to happen fails the test.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import { launch } from './browser.mjs';
import { serve } from './server.mjs';

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** A page under watch. Made by `visit`. */
export class Visit {
  constructor(browser, context, page, site) {
    Object.assign(this, { browser, context, page, site, faults: [], allowed: [] });
  }

  /** Faults that match are expected from now on (say, a panic the test provokes). */
  allow(pattern) {
    this.allowed.push(pattern);
  }

  /** The element with this `data-testid`. */
  at(handle) {
    return this.page.getByTestId(handle);
  }

  /** Fails with all faults so far. */
  check() {
    const left = this.faults.filter((fault) => !this.allowed.some((pattern) => pattern.test(fault)));
    assert.deepEqual(left, [], 'the page made a fault');
  }

  /** Main-thread tasks longer than 50 ms since the last call: `{ start, duration }` in ms. */
  async longTasks() {
    return this.page.evaluate(() => window.__longTasks.splice(0));
  }

  /**
   * Runs `body` and returns the main-thread tasks that took the page more than 50 ms of its own processor time, ms.
   * The wall clock (`longTasks`) would also count the time other programs had on a busy machine.
   */
  async heavyTasks(body) {
    let trace;
    await this.browser.startTracing(this.page, { categories: ['-*', 'toplevel', '__metadata'] });
    try {
      await body();
    } finally {
      trace = JSON.parse((await this.browser.stopTracing()).toString()).traceEvents;
    }
    const isMain = ({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain';
    const mains = new Set(trace.filter(isMain).map(({ pid, tid }) => `${pid}/${tid}`));
    const tasks = trace.filter(({ pid, tid, ph, cat }) => ph === 'X' && cat === 'toplevel' && mains.has(`${pid}/${tid}`));
    assert.ok(tasks.length > 0, 'the trace holds no task of the main thread');
    return tasks.map(({ dur, tdur }) => (tdur ?? dur) / 1000).filter((ms) => ms > 50);
  }

  /** Fails when axe-core finds a serious or critical fault in the page as it stands, or two elements share a name. */
  async checkAccessibility() {
    const shared = await this.page.evaluate(() => {
      const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
      return ids.filter((id, at) => ids.indexOf(id) !== at);
    });
    assert.deepEqual(shared, [], 'labels and descriptions point to the first of two elements');
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    const told = serious.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(' | ')}`);
    assert.deepEqual(told, [], 'axe-core found a serious fault');
  }
}

/**
 * Serves `folder`, opens its page with `query` in a new browser (`gpu`, `camera`: see `launch`; `offline`: it may keep the
 * site), calls `body(visit)`, and fails on any fault:
 * a request to another origin, a request that fails, an error in the console (panics are), an uncaught exception.
 */
export async function visit(folder, options, body) {
  const { query = '', gpu, camera, permissions, colorScheme, viewport = { width: 1280, height: 900 }, offline = false } = options;
  const site = await serve(folder);
  const browser = await launch({ gpu, camera });
  try {
    // Each visit is a first one: keeping the whole site would only take time from it.
    const serviceWorkers = offline ? 'allow' : 'block';
    const context = await browser.newContext({ viewport, colorScheme, permissions, acceptDownloads: true, baseURL: site.url, serviceWorkers });
    const page = await context.newPage();
    const watched = new Visit(browser, context, page, site);
    await watch(watched);
    await page.goto(site.url + query);
    await body(watched);
    watched.check();
  } finally {
    await browser.close();
    site.close();
  }
}

async function watch(visit) {
  const { context, page, site } = visit;
  const fault = (text) => visit.faults.push(text);
  const isForeign = (url) => !String(url).startsWith(site.origin + '/') && !/^(blob|data|about):/.test(url);
  // At the context, so that requests of workers are seen too; nothing foreign leaves the machine.
  await context.route(isForeign, (route) => route.abort());
  context.on('request', (request) => isForeign(request.url()) && fault(`foreign request: ${request.url()}`));
  context.on('requestfailed', (request) => {
    const why = request.failure()?.errorText;
    // The browser fetches the icon when it likes, and drops that when it has no time left for it.
    if (!(why === 'net::ERR_ABORTED' && request.url().endsWith('/icon.svg'))) fault(`failed request: ${request.url()}: ${why}`);
  });
  context.on('console', (message) => message.type() === 'error' && fault(`console: ${message.text()}`));
  context.on('weberror', (event) => fault(`uncaught: ${event.error()}`));
  page.on('crash', () => fault('the tab crashed'));
  await page.addInitScript(() => {
    window.__longTasks = [];
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) {
        if (duration > 50) window.__longTasks.push({ start: startTime, duration });
      }
    }).observe({ type: 'longtask', buffered: true });
  });
}

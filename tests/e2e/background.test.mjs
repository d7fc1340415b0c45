// A lesson goes on when the tab is hidden, rests cleanly when the browser freezes it, and keeps the screen awake.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { plan, SMALL } from './lib/small.mjs';
import * as step from './lib/steps.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const LONG_RACE = `?engine=cpu#${SMALL}&steps=100000&validate=50`;

const steps = async (visit) => Number((await visit.at('train-status').textContent()).match(/step (\d+)/)?.[1] ?? NaN);

/** Events from the engine, counted where they arrive. */
const eventsHeard = (visit) => visit.page.workers()[0].evaluate(() => {
  if (!self.__said) {
    self.__said = 0;
    const post = self.postMessage.bind(self);
    self.postMessage = (...all) => { self.__said += 1; return post(...all); };
  }
  return self.__said;
});

test('a hidden tab goes on training', { timeout: 180_000 }, async () => {
  await visit(SITE, { query: LONG_RACE }, async (visit) => {
    await plan(visit);
    await visit.at('train-start').click();
    await step.waitFor(visit, 'train-status', /step [1-9]/);
    // Chromium without a screen never hides a tab by itself: what a page sees of being hidden is made here, and its
    // timers and frames are held back as a browser does.
    await visit.page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    });
    const other = await visit.context.newPage();
    await other.bringToFront();
    await eventsHeard(visit);
    const before = await steps(visit);
    await new Promise((later) => setTimeout(later, 3000));
    assert.ok((await steps(visit)) > before, 'the race stands still in a hidden tab');
    assert.ok((await eventsHeard(visit)) > 3, 'the engine is silent in a hidden tab');
    await visit.at('train-stop').click();
    await step.waitFor(visit, 'train-status', /stopped/i);
  });
});

test('a frozen tab rests, and goes on when it is thawed', { timeout: 180_000 }, async () => {
  await visit(SITE, { query: LONG_RACE }, async (visit) => {
    await plan(visit);
    await visit.at('train-start').click();
    await step.waitFor(visit, 'train-status', /step [1-9]/);
    const session = await visit.context.newCDPSession(visit.page);
    await session.send('Page.setWebLifecycleState', { state: 'frozen' });
    await new Promise((later) => setTimeout(later, 3000));
    await session.send('Page.setWebLifecycleState', { state: 'active' });
    const thawed = await steps(visit);
    await visit.page.waitForFunction(
      (before) => Number(document.querySelector('[data-testid=train-status]').textContent.match(/step (\d+)/)?.[1]) > before, thawed);
    assert.equal(await visit.at('engine-restart').count(), 0, 'the time asleep is not held against the engine');
    assert.deepEqual(await step.notices(visit), []);
    await visit.at('train-stop').click();
    await step.waitFor(visit, 'train-status', /stopped/i);
  });
});

test('the screen stays awake while something runs, also after the tab was hidden', { timeout: 180_000 }, async () => {
  await visit(SITE, { query: LONG_RACE }, async (visit) => {
    await visit.page.evaluate(() => {
      const locks = (window.__locks = { asked: 0, held: new Set() });
      navigator.wakeLock.request = async () => {
        locks.asked += 1;
        const lock = { release: async () => { locks.held.delete(lock); } };
        locks.held.add(lock);
        return lock;
      };
    });
    const asked = () => visit.page.evaluate(() => window.__locks.asked);
    const held = (count) => visit.page.waitForFunction((count) => window.__locks.held.size === count, count);
    await plan(visit);
    await held(0);
    await visit.at('train-start').click();
    await step.waitFor(visit, 'train-status', /step [1-9]/);
    await held(1);
    const before = await asked();
    // The browser takes the lock of a hidden page away; seen again, the page must ask anew.
    await visit.page.evaluate(() => {
      window.__locks.held.clear();
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    });
    await held(1);
    assert.equal(await asked(), before + 1);
    await visit.at('train-pause').click();
    await step.waitFor(visit, 'train-status', /paused/i);
    await held(0);
    await visit.at('train-pause').click();
    await step.waitFor(visit, 'train-status', /step [1-9]/);
    await held(1);
    assert.equal(await asked(), before + 2);
    await visit.at('train-stop').click();
    await step.waitFor(visit, 'train-status', /stopped/i);
    await held(0);
  });
});

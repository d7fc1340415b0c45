// Before the harness judges the page, it is judged: on pages made to go wrong it must say so.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { SUB_PATH } from './lib/server.mjs';
import { visit } from './lib/visit.mjs';

const POLICY = "default-src 'self'; script-src 'self'; connect-src 'self'; worker-src 'self' blob:";
const site = (script = '', { policy = '', body = '<main><h1>Hello</h1></main>', files = {} } = {}) => ({
  'index.html': `<!doctype html><html lang="en"><head><title>A page</title><link rel="icon" href="data:,">
    ${policy && `<meta http-equiv="Content-Security-Policy" content="${policy}">`}</head>
    <body>${body}<script src="page.js"></script></body></html>`,
  'page.js': script,
  ...files,
});
const settle = ({ page }) => page.waitForTimeout(300);
const fails = (folder, sentence, body = settle) => assert.rejects(visit(folder, {}, body), sentence);

test('a quiet page under a sub-path passes', async () => {
  await visit(site('document.title = location.pathname'), {}, async (visit) => {
    assert.equal(await visit.page.title(), SUB_PATH);
    // Before the accessibility check, whose own script is a long task on a slow machine.
    assert.deepEqual(await visit.longTasks(), []);
    await visit.checkAccessibility();
  });
});

test('a request to another origin fails the visit', async () => {
  await fails(site('fetch("http://127.0.0.1:9/x").catch(() => {})'), /foreign request/);
});

test('a request of a worker to another origin fails the visit', async () => {
  const files = { 'worker.js': 'fetch("http://127.0.0.1:9/x").catch(() => {})' };
  await fails(site('new Worker("worker.js")', { files }), /foreign request/);
});

test('a missing file fails the visit', async () => {
  await fails(site('fetch("absent.wasm")'), /404/);
});

test('an error in the console of the page or of a worker fails the visit', async () => {
  await fails(site('console.error("panicked at src/main.rs")'), /panicked/);
  const files = { 'worker.js': 'console.error("panicked in the engine")' };
  await fails(site('new Worker("worker.js")', { files }), /panicked in the engine/);
});

test('an uncaught exception fails the visit', async () => {
  await fails(site('setTimeout(() => { throw new Error("lost") })'), /lost/);
  const files = { 'worker.js': 'setTimeout(() => { throw new Error("lost in the engine") })' };
  await fails(site('new Worker("worker.js")', { files }), /lost in the engine/);
});

test('a main-thread task over 50 ms is recorded', async () => {
  const busy = 'setTimeout(() => { const t = performance.now(); while (performance.now() - t < 120); }, 50)';
  await visit(site(busy), {}, async (visit) => {
    await settle(visit);
    const [{ duration }] = await visit.longTasks();
    assert.ok(duration >= 110, `recorded ${duration} ms`);
  });
});

test('a main-thread task is judged by its own processor time', async () => {
  const work = 'window.work = (ms) => { const t = performance.now(); let n = 0; while (performance.now() - t < ms) n++; return n; }';
  await visit(site(work), {}, async (visit) => {
    const heavy = await visit.heavyTasks(() => visit.page.evaluate(() => window.work(1500)));
    assert.equal(heavy.length, 1);
    assert.ok(heavy[0] > 50 && heavy[0] < 1600, `${heavy[0]} ms`);
    assert.deepEqual(await visit.heavyTasks(() => visit.page.evaluate(() => window.work(10))), []);
  });
});

test('a picture without a text is a serious fault', async () => {
  const body = '<main><h1>Hello</h1><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></main>';
  await fails(site('', { body }), /image-alt/, (visit) => visit.checkAccessibility());
});

// Why the engine's worker is started from a blob: a worker fetched from the server has no policy but its own headers',
// and a plain static server sends none.
test('a worker from a blob obeys the policy of the page and one from a file does not', async () => {
  const other = http.createServer((_, response) => response.writeHead(200, { 'access-control-allow-origin': '*' }).end());
  await new Promise((listening) => other.listen(0, '127.0.0.1', listening));
  const ask = `fetch("http://127.0.0.1:${other.address().port}/").then(() => postMessage("open"), () => postMessage("closed"))`;
  const script = `
    window.answer = (address) => new Promise((told) => {
      new Worker(address, { type: "module" }).onmessage = ({ data }) => told(data);
    });
    window.blob = () => URL.createObjectURL(new Blob([\`import "\${new URL("worker.js", location)}"\`], { type: "text/javascript" }));`;
  const folder = site(script, { policy: POLICY, files: { 'worker.js': ask } });
  try {
    await visit(folder, {}, async (visit) => {
      visit.allow(/foreign request|failed request|Content Security Policy|ERR_FAILED/);
      await visit.context.unrouteAll();
      assert.equal(await visit.page.evaluate(() => window.answer('worker.js')), 'open');
      assert.equal(await visit.page.evaluate(() => window.answer(window.blob())), 'closed');
    });
  } finally {
    other.close();
  }
});

test('software WebGPU gives an adapter with the features the engine asks for', async () => {
  await visit(site(), { gpu: true }, async ({ page }) => {
    const features = await page.evaluate(async () => [...((await navigator.gpu?.requestAdapter())?.features ?? [])]);
    assert.ok(features.includes('timestamp-query'), `features: ${features}`);
  });
});

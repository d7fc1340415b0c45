// The built page, as any static server would hand it out.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { SUB_PATH } from './lib/server.mjs';
import { visit } from './lib/visit.mjs';

const SITE = process.env.HEIRLOOM_SITE ?? path.join(import.meta.dirname, '../../target/site');
const html = () => fs.readFileSync(path.join(SITE, 'index.html'), 'utf8');

test('the page starts under a sub-path without a fault', async () => {
  await visit(SITE, { query: '?engine=cpu' }, async ({ page, site }) => {
    await page.waitForFunction(() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('.wasm')));
    await page.waitForLoadState('networkidle');
    assert.ok(site.requests.every((request) => request.startsWith(SUB_PATH)), `outside the sub-path: ${site.requests}`);
  });
});

test('the policy lets nothing out and runs no inline script', () => {
  const policy = html().match(/http-equiv="Content-Security-Policy"\s+content="([^"]*)"/i)?.[1];
  assert.ok(policy, 'index.html has no content-security policy');
  const rules = Object.fromEntries(policy.split(';').map((rule) => rule.trim().split(/\s+/)).map(([name, ...to]) => [name, to]));
  assert.deepEqual(rules['default-src'], ["'self'"]);
  assert.deepEqual(rules['connect-src'], ["'self'"]);
  assert.deepEqual(rules['script-src'], ["'self'", "'wasm-unsafe-eval'"]);
  assert.deepEqual(rules['style-src'], ["'self'"]);
});

test('nothing of the page names another place', () => {
  const addresses = [...html().matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address);
  assert.ok(addresses.length > 2);
  assert.deepEqual(addresses.filter((address) => /^(?:[a-z]+:)?\/\/|^\//i.test(address)), []);
});

test('both engines lie beside the page', () => {
  for (const file of ['engine.js', 'engine_bg.wasm', 'engine-cpu.js', 'engine-cpu_bg.wasm']) {
    assert.ok(fs.existsSync(path.join(SITE, file)), `${file} is missing`);
  }
});

test('a browser without WebGPU fetches the engine on the CPU alone, once', async () => {
  await visit(SITE, {}, async ({ page, site }) => {
    await page.waitForSelector('[data-testid=engine-status]:has-text("CPU")');
    const programs = site.requests.filter((name) => /engine.*\.wasm$/.test(name)).map((name) => path.basename(name));
    assert.deepEqual(programs, ['engine-cpu_bg.wasm']);
  });
});

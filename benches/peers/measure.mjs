// One engine, one workload, one new browser or process.
import { chromium } from 'playwright-core';
import esbuild from 'esbuild';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import zlib from 'node:zlib';
import { ENGINES } from './engines.mjs';

const here = import.meta.dirname;
const inside = (...parts) => path.join(here, ...parts);
const PYTHON = process.env.PEERBENCH_PYTHON ?? 'python3';
const FOLDERS = process.env.PATH.split(path.delimiter);
const onPath = (name) => FOLDERS.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file));
const CHROMIUM = process.env.PEERBENCH_CHROMIUM ?? process.env.CHROMIUM ?? onPath('chromium') ?? onPath('google-chrome');
const ARGUMENTS = [
  '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--disable-background-timer-throttling',
];
const SOFTWARE_WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--ignore-gpu-blocklist'];
const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
const ROUTES = {
  '/dist/': 'dist',
  '/out/': 'out',
  '/wasm/tfjs/': 'node_modules/@tensorflow/tfjs-backend-wasm/dist',
  '/wasm/ort/': 'node_modules/onnxruntime-web/dist',
};

/** Bundles what runs in the browser and has the graphs exported. */
export async function prepare() {
  const external = ['fs', 'path', 'crypto', 'worker_threads', 'perf_hooks', 'os', 'util', 'node-fetch', 'string_decoder'];
  const bundle = (name, entry, alias) =>
    esbuild.build({
      absWorkingDir: here, entryPoints: [`src/${entry}.js`], outfile: `dist/${name}.js`, bundle: true, minify: true,
      format: 'esm', target: 'es2022', alias, logLevel: 'error', external,
    });
  await bundle('tfjs', 'tfjs');
  await bundle('jaxjs', 'jaxjs');
  await bundle('ort-wasm', 'ort', { 'ort-build': 'onnxruntime-web/wasm' });
  await bundle('ort-webgpu', 'ort', { 'ort-build': 'onnxruntime-web/webgpu' });
  // The last one that the script writes.
  if (!fs.existsSync(inside('out/matmul512.onnx')) && has('torch', 'onnx')) {
    spawnSync(PYTHON, ['py/export_onnx.py'], { cwd: here, stdio: 'inherit' });
  }
}

/** Why an engine cannot be measured on this machine, or nothing. */
export function missing(name) {
  const { native, script, bundle } = ENGINES[name];
  const advice = 'name a Python that has them in PEERBENCH_PYTHON';
  const needs = script === 'resize_ref.py' ? ['numpy', 'PIL'] : ['numpy', 'torch'];
  if (native) return has(...needs) ? null : `${PYTHON} lacks ${needs.join(' or ')}; ${advice}`;
  if (!CHROMIUM) return 'no Chromium was found; name one in PEERBENCH_CHROMIUM';
  const isExported = !bundle.startsWith('ort') || fs.existsSync(inside('out/matmul512.onnx'));
  return isExported ? null : `its graphs are exported by PyTorch, and ${PYTHON} lacks torch or onnx; ${advice}`;
}

const modules = new Map();
function has(...names) {
  const all = names.join(', ');
  if (!modules.has(all)) modules.set(all, spawnSync(PYTHON, ['-c', `import ${all}`]).status === 0);
  return modules.get(all);
}

/** What the engine answers (`median`, `ms`, and the numbers it found), or `{ error }`. */
export function measure(name, work, t, timeout = 180_000) {
  const engine = ENGINES[name];
  return engine.native ? nativeJob(engine, work, t) : browserJob(engine, work, t, timeout);
}

function nativeJob({ native: threads, script }, work, { warm, reps }) {
  const env = { ...process.env, OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads) };
  const python = spawn(PYTHON, [`py/${script}`, work, threads, warm, reps].map(String), { cwd: here, env });
  let [said, complained] = ['', ''];
  python.stdout.on('data', (text) => (said += text));
  python.stderr.on('data', (text) => (complained += text));
  return new Promise((done) => {
    python.on('error', (error) => done({ error: error.message }));
    python.on('close', () => {
      try {
        done(JSON.parse(said.trim().split('\n').pop()));
      } catch {
        done({ error: complained.slice(-400) });
      }
    });
  });
}

function serve(bundle, coi, served) {
  const server = http.createServer((request, response) => {
    const url = decodeURIComponent(request.url.split('?')[0]);
    if (coi) {
      response.setHeader('cross-origin-opener-policy', 'same-origin');
      response.setHeader('cross-origin-embedder-policy', 'require-corp');
      response.setHeader('cross-origin-resource-policy', 'same-origin');
    }
    if (url === '/') {
      response.setHeader('content-type', 'text/html');
      const script = `<script type=module src=/dist/${bundle}.js></script>`;
      return response.end(`<!doctype html><meta charset=utf-8><link rel=icon href=data:,>${script}`);
    }
    const route = Object.keys(ROUTES).find((prefix) => url.startsWith(prefix));
    const file = route && inside(ROUTES[route], path.basename(url));
    if (!file || !fs.existsSync(file)) {
      response.statusCode = 404;
      return response.end();
    }
    served.add(file);
    response.setHeader('content-type', TYPES[path.extname(file)] ?? 'application/octet-stream');
    fs.createReadStream(file).pipe(response);
  });
  return new Promise((listening) => server.listen(0, () => listening(server)));
}

const sizes = {};
const sizeOf = (file) =>
  (sizes[file] ??= { raw: fs.statSync(file).size, gz: zlib.gzipSync(fs.readFileSync(file), { level: 9 }).length });

async function browserJob({ bundle, backend, coi, threads, claimCores, gpu }, work, t, timeout) {
  const served = new Set();
  const logs = [];
  const server = await serve(bundle, coi, served);
  const args = [...ARGUMENTS, ...(gpu ? SOFTWARE_WEBGPU : [])];
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args });
  let timer;
  try {
    const page = await browser.newPage();
    page.on('console', (message) => logs.push(message.text().slice(0, 300)));
    page.on('pageerror', (error) => logs.push(`[error] ${error.message.slice(0, 300)}`));
    if (claimCores) {
      const claim = (count) => Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => count });
      await page.addInitScript(claim, claimCores);
    }
    const started = performance.now();
    await page.goto(`http://localhost:${server.address().port}/`);
    await page.waitForFunction(() => window.ready, null, { timeout: 30_000 });
    const scriptMs = performance.now() - started;
    const limit = new Promise((_, fail) => {
      timer = setTimeout(() => fail(new Error(`over ${timeout / 1000} s`)), timeout);
    });
    const answer = page.evaluate((request) => window.bench(request), { backend, work, threads, t });
    const result = await Promise.race([answer, limit]);
    const files = [...served].filter((file) => !file.startsWith(inside('out')));
    const loaded = files.map((file) => ({ file: path.basename(file), ...sizeOf(file) }));
    const sum = (kind) => loaded.reduce((total, file) => total + file[kind], 0);
    const download = { files: loaded, raw: sum('raw'), gz: sum('gz') };
    return { ...result, scriptMs, download, logs: logs.slice(0, 5), browser: browser.version() };
  } catch (error) {
    return { error: String(error.message).split('\n').slice(0, 3).join(' ').slice(0, 500), logs: logs.slice(0, 8) };
  } finally {
    clearTimeout(timer);
    server.closeAllConnections();
    server.close();
    await Promise.race([browser.close(), new Promise((late) => setTimeout(late, 15_000))]);
  }
}

// The installed Chromium, without a GPU and without calls home.
import { chromium } from 'playwright-core';
import fs from 'node:fs';
import path from 'node:path';

const QUIET = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
];
const SOFTWARE_WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--ignore-gpu-blocklist'];
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function installed() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = process.env.PATH.split(path.delimiter);
  const found = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find(fs.existsSync);
  if (!found) throw new Error('no Chromium on the PATH: install it, or name it in CHROMIUM');
  return found;
}

/** A camera that shows a moving test picture, and needs no hand to allow it. */
const FAKE_CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

/**
 * Launches Chromium. `gpu: true` gives it software WebGPU, without it there is no WebGPU at all; `camera: true` gives it
 * a camera.
 */
export function launch({ gpu = false, camera = false } = {}) {
  const args = [...QUIET, ...(gpu ? SOFTWARE_WEBGPU : []), ...(camera ? FAKE_CAMERA : [])];
  return chromium.launch({ executablePath: installed(), headless: true, args });
}

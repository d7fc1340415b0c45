// The made files are what they claim: judged by the browser and by independent readers.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { png, put, readHeader, safetensors, smallVit, temporaryFolder, zip } from './lib/files.mjs';
import { visit } from './lib/visit.mjs';

test('a made picture decodes to its pixels', async () => {
  const picture = png(3, 2, (x, y) => [10 * x, 20 * y, 200]);
  const folder = { 'index.html': '<!doctype html><title>x</title><link rel="icon" href="data:,">', 'a.png': picture };
  await visit(folder, {}, async ({ page }) => {
    const pixel = await page.evaluate(async () => {
      const bitmap = await createImageBitmap(await (await fetch('a.png')).blob());
      const canvas = new OffscreenCanvas(3, 2).getContext('2d');
      canvas.drawImage(bitmap, 0, 0);
      return [...canvas.getImageData(2, 1, 1, 1).data];
    });
    assert.deepEqual(pixel, [20, 20, 200, 255]);
  });
});

test('a made zip opens in an independent reader', { skip: !hasPython() && 'no python3' }, () => {
  const file = put(temporaryFolder(), 'a.zip', zip({ 'red/1.txt': Buffer.from('one'), 'blue/2.txt': Buffer.from('two') }));
  const script = 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(*[(n, z.read(n)) for n in z.namelist()])';
  const said = execFileSync('python3', ['-c', script, file]).toString().trim();
  assert.equal(said, "('red/1.txt', b'one') ('blue/2.txt', b'two')");
});

test('a made checkpoint has the keys and shapes of timm', () => {
  const file = put(temporaryFolder(), 'small.safetensors', safetensors(smallVit()));
  const header = readHeader(file);
  assert.deepEqual(header['blocks.1.attn.qkv.weight'].shape, [192, 64]);
  assert.deepEqual(header.pos_embed.shape, [1, 17, 64]);
  assert.ok(path.isAbsolute(file));
});

function hasPython() {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

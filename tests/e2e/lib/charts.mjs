// Charts that are saved as pictures.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

/** Saves a chart both ways and lets the browser judge: as XML, and as pixels. */
export async function savedPicture(visit, name, title, folder) {
  const save = async (ending) => {
    const button = visit.at(`save-${name}-${ending}`).first();
    const [download] = await Promise.all([visit.page.waitForEvent('download'), button.click()]);
    assert.equal(download.suggestedFilename(), `heirloom-${name}.${ending}`);
    const file = path.join(folder, download.suggestedFilename());
    await download.saveAs(file);
    return fs.readFileSync(file);
  };
  const svg = (await save('svg')).toString();
  const drawing = await visit.page.evaluate((svg) => {
    const root = new DOMParser().parseFromString(svg, 'image/svg+xml').documentElement;
    const texts = [...root.querySelectorAll('text')];
    return {
      tag: root.localName,
      namespace: root.namespaceURI,
      size: [Number(root.getAttribute('width')), Number(root.getAttribute('height'))],
      words: texts.map((text) => text.textContent).join(' '),
      shapes: root.querySelectorAll('path, rect, circle, line').length,
      colours: new Set([...root.querySelectorAll('[fill], [stroke]')].flatMap((shape) => [shape.getAttribute('fill'), shape.getAttribute('stroke')])).size,
    };
  }, svg);
  assert.deepEqual([drawing.tag, drawing.namespace], ['svg', 'http://www.w3.org/2000/svg']);
  assert.ok(drawing.shapes > 3 && drawing.colours > 2, JSON.stringify(drawing));
  assert.doesNotMatch(svg, /var\(|\sclass=|\sstyle=/, 'it must not need the page');
  if (title) assert.match(drawing.words, title);
  const pixels = await save('png');
  assert.deepEqual([...pixels.subarray(0, 8)], [137, 80, 78, 71, 13, 10, 26, 10]);
  const size = [pixels.readUInt32BE(16), pixels.readUInt32BE(20)];
  assert.deepEqual(size, drawing.size.map((side) => 2 * side));
  const colours = await visit.page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    canvas.drawImage(bitmap, 0, 0);
    return new Set(new Uint32Array(canvas.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer)).size;
  }, pixels.toString('base64'));
  assert.ok(colours > 3, `only ${colours} colours: nothing is drawn`);
}

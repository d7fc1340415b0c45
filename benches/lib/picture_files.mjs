// Pictures by class, from a zip or a folder, for tools that take them from Node.
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

/** `{ path, class, bytes }` of every picture; the folder it lies in is its class. */
export function read(from) {
  const files = fs.statSync(from).isDirectory() ? walk(from) : unzip(fs.readFileSync(from));
  const pictures = files.filter(([name]) => /\.(png|jpe?g|gif|webp|bmp)$/i.test(name));
  return pictures.map(([name, bytes]) => ({ path: name, class: path.basename(path.dirname(name)), bytes }));
}

function walk(folder) {
  const names = fs.readdirSync(folder, { recursive: true }).filter((name) => fs.statSync(path.join(folder, name)).isFile());
  return names.map((name) => [name, fs.readFileSync(path.join(folder, name))]);
}

function unzip(bytes) {
  const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  const files = [];
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left -= 1) {
    const [name, extra, comment] = [28, 30, 32].map((field) => bytes.readUInt16LE(at + field));
    const local = bytes.readUInt32LE(at + 42);
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const body = bytes.subarray(start, start + bytes.readUInt32LE(at + 20));
    const isPacked = bytes.readUInt16LE(at + 10) === 8;
    files.push([bytes.toString('utf8', at + 46, at + 46 + name), isPacked ? zlib.inflateRawSync(body) : body]);
    at += 46 + name + extra + comment;
  }
  return files;
}

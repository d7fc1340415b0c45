// Which pictures the page checks with: its split (crates/data/src/split.rs) for a seed, so that other tools are judged
// on the same ones. ChaCha with 8 rounds and rand 0.9's shuffle, of which only the results are the same.
import { createHash } from 'node:crypto';

const SHARE = Math.fround(0.2);
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const order = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Pictures, `{ path, class, bytes }`, to learn from and to check with; copies of a picture stay on one side. */
export function split(pictures, seed) {
  const sorted = pictures.toSorted((a, b) => order(a.class, b.class) || order(a.path, b.path));
  const groups = new Map();
  for (const picture of sorted) {
    const key = sha256(picture.bytes).toString('hex');
    groups.set(key, [...(groups.get(key) ?? []), picture]);
  }
  const copies = [...groups.values()];
  const check = new Set();
  for (const name of new Set(sorted.map((picture) => picture.class))) {
    // Copies that are filed under two classes judge nothing.
    const units = copies.filter((unit) => unit.every((picture) => picture.class === name));
    shuffle(units, words(seed, name));
    const total = units.flat().length;
    let room = Math.min(Math.max(Math.round(SHARE * total), 1), Math.max(total - 1, 1));
    for (const unit of units) {
      if (unit.length > room || units.length < 2) continue;
      room -= unit.length;
      unit.forEach((picture) => check.add(picture));
    }
  }
  return { learn: sorted.filter((picture) => !check.has(picture)), check: sorted.filter((picture) => check.has(picture)) };
}

/** Draws several places from one number, as long as the product of their counts fits 32 bits. */
function shuffle(items, next) {
  let [chunk, left] = [0, 1];
  for (let at = 0; at < items.length; at += 1) {
    const count = at + 1;
    if (left === 0) {
      let bound = count;
      for (left = 1; bound * (count + left) < 2 ** 32; left += 1) bound *= count + left;
      chunk = below(bound, next);
    }
    left -= 1;
    const place = left === 0 ? chunk : chunk % count;
    chunk = Math.floor(chunk / count);
    [items[at], items[place]] = [items[place], items[at]];
  }
}

/** A number below the bound: the upper half of a product, and a carry from a second one where the first leaves room. */
function below(bound, next) {
  const product = () => BigInt(next()) * BigInt(bound);
  const first = product();
  const low = first & 0xffffffffn;
  const carries = low > 2n ** 32n - BigInt(bound) && low + (product() >> 32n) >= 2n ** 32n;
  return Number(first >> 32n) + Number(carries);
}

/** 32 bit numbers of ChaCha8 for a seed and a class. */
function words(seed, name) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(seed));
  const key = sha256(bytes, name);
  const start = Uint32Array.from({ length: 16 }, (_, at) =>
    at < 4 ? Buffer.from('expand 32-byte k').readUInt32LE(4 * at) : at < 12 ? key.readUInt32LE(4 * (at - 4)) : 0);
  let block = [];
  return () => {
    if (block.length === 0) {
      const state = start.slice();
      for (let round = 0; round < 4; round += 1) {
        for (const lean of [0, 1]) {
          for (let at = 0; at < 4; at += 1) quarter(state, [0, 1, 2, 3].map((row) => 4 * row + ((at + lean * row) % 4)));
        }
      }
      block = [...state.map((word, at) => word + start[at])];
      start[12] += 1;
    }
    return block.shift();
  };
}

function quarter(state, [a, b, c, d]) {
  for (const [to, from, mixed, turn] of [[a, b, d, 16], [c, d, b, 12], [a, b, d, 8], [c, d, b, 7]]) {
    state[to] += state[from];
    const word = state[mixed] ^ state[to];
    state[mixed] = (word << turn) | (word >>> (32 - turn));
  }
}

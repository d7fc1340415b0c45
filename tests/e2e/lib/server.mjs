// The plainest web server: files under a sub-path, right types, no special headers.
import http from 'node:http';
import fs from 'node:fs';
import path from 'node:path';

const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** Where the site lies: some way below the root, as on a school's server. */
export const SUB_PATH = '/some/where/';

/** Serves `folder` (files) or a map from names to texts; `close()` ends it. */
export async function serve(folder) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const address = decodeURIComponent(new URL(request.url, 'http://site').pathname);
    requests.push(address);
    const name = address.startsWith(SUB_PATH) ? address.slice(SUB_PATH.length) || 'index.html' : null;
    const body = name === null ? null : read(folder, name);
    if (body === null) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream' }).end(body);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    url: origin + SUB_PATH,
    requests,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function read(folder, name) {
  if (typeof folder === 'object') return folder[name] ?? null;
  const file = path.join(folder, name);
  if (!file.startsWith(folder + path.sep) || !fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return null;
  return fs.readFileSync(file);
}

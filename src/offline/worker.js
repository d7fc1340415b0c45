// The service worker: keeps the built site, so that it opens without a network. In front of it stands `SITE`, the version
// and the sum of every file, written with the site.
//
// A version is kept whole or not at all, and never taken over by a page that runs another one: a new version waits until
// every tab of the old one is closed.
"use strict";

// Of this folder alone: other copies of the site on the same server have caches of their own.
const OWN = `heirloom ${registration.scope} `;
const CACHE = OWN + SITE.version;

/** Fetches every file and compares it with its sum; a file that is another one ends it, and nothing is left behind. */
async function install() {
  const known = await caches.keys();
  const earlier = await Promise.all(known.filter((name) => name.startsWith(OWN)).map((name) => caches.open(name)));
  await caches.delete(CACHE);
  const cache = await caches.open(CACHE);
  try {
    for (const [name, integrity] of Object.entries(SITE.files)) {
      const url = new URL(name, registration.scope).href;
      const kept = await unchanged(earlier, url, integrity);
      const answer = kept ?? (await fetch(url, { integrity, cache: "no-cache", redirect: "error" }));
      if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
      const headers = new Headers(answer.headers);
      headers.set("x-integrity", integrity);
      await cache.put(url, new Response(answer.body, { headers }));
    }
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

/** The same file of an earlier version. */
async function unchanged(earlier, url, integrity) {
  for (const cache of earlier) {
    const kept = await cache.match(url);
    if (kept?.headers.get("x-integrity") === integrity) return kept;
  }
}

/** The pages of earlier versions are closed by now. */
async function tidy() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(OWN) && name !== CACHE).map((name) => caches.delete(name)));
}

/** A file of this version; whatever else is asked for comes from the network. */
async function answer(request) {
  const url = new URL(request.url);
  // Settings stand in the query, and the folder itself is its page.
  url.search = url.hash = "";
  if (url.href === registration.scope) url.pathname += "index.html";
  const cache = await caches.open(CACHE);
  return (await cache.match(url.href)) ?? fetch(request);
}

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(tidy()));
addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && request.url.startsWith(registration.scope)) event.respondWith(answer(request));
});

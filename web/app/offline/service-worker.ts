/**
 * The page without a network: this worker keeps the files of one build, and nothing else, ever.
 *
 * - It stores the shell and the hashed files that the build lists here, when it is installed. Never an answer of
 *   the server's API, never anything that a person wrote: what is not in the list is not even looked at.
 * - The shell comes from the network whenever there is one, so a new build counts from the next load on.
 * - A new build waits until the page says so, or until no page is open: then the old files go.
 * - Withdrawn is it by serving 404 or 410 for it: pages that are loaded then unregister it (offline/registration.ts).
 */

declare const self: ServiceWorkerGlobalScope;

/** The build, put in by vite.config.ts: a name for it, and the paths of its files. */
declare const BUILD: { readonly name: string; readonly files: readonly string[] };

const SHELL = "/";
const CACHE = `whisp-${BUILD.name}`;
const KEPT = new Set(BUILD.files);

self.addEventListener("install", (event) => {
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(dropOthers());
});

self.addEventListener("message", (event) => {
  if (event.data === "go") void self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname, search } = new URL(url);
  if (method !== "GET" || origin !== self.location.origin) return;
  if (mode === "navigate") {
    if (pathname === SHELL) event.respondWith(fetch(event.request).catch(async () => kept(SHELL)));
  } else if (search === "" && KEPT.has(pathname)) {
    event.respondWith(kept(pathname));
  }
});

async function keep(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll([SHELL, ...BUILD.files].map((path) => new Request(path, { cache: "no-cache" })));
}

async function dropOthers(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== CACHE).map(async (name) => caches.delete(name)));
}

async function kept(path: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(path)) ?? fetch(path);
}

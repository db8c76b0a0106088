import type { ToServiceWorker } from "../protocol.ts";
import type { OfflineFiles } from "../site.ts";

/**
 * Keeps the demo for use without a network, and gives its files the headers that threads need (a host of static files sends none).
 * The files of one version belong together: a new version waits until no page of the old one is open, or the reader asks for it.
 */
declare const self: ServiceWorkerGlobalScope & {
  /** Written ahead of this script when a demo is built. */
  readonly offlineFiles: OfflineFiles;
};

const { version, shell } = self.offlineFiles;
const bytesOfLarge = new Map(Object.entries(self.offlineFiles.large));
const large = [...bytesOfLarge.keys()];
const own = new Set([...shell, ...large]);
const scope = self.registration.scope;
// Demos under other paths of one host have caches of their own.
const shellCache = `bertqa ${scope} ${version}`;
const largeCache = `bertqa ${scope} large`;
const addressOf = (path: string) => new URL(path, scope).href;
/** Files on their way into the cache. */
const beingKept = new Set<Promise<void>>();

self.addEventListener("install", (event) => event.waitUntil(keepShell()));
self.addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method !== "GET" || !url.startsWith(scope)) return;
  const path = url.slice(scope.length).replace(/[?#].*$/, "") || "index.html";
  // What else lies beside the demo is its host's affair.
  if (own.has(path)) event.respondWith(respond(event, path));
});
self.addEventListener("message", (event) => event.waitUntil(obey(event)));

async function keepShell(): Promise<void> {
  const cache = await caches.open(shellCache);
  // Past the browser's own cache, which may still hold the version before.
  await cache.addAll(shell.map((path) => new Request(addressOf(path), { cache: "reload" })));
}

async function forgetOthers(): Promise<void> {
  const names = (await caches.keys()).filter((name) => name.startsWith(`bertqa ${scope} `));
  const old = names.filter((name) => name !== shellCache && name !== largeCache);
  await Promise.all(old.map((name) => caches.delete(name)));
  const cache = await caches.open(largeCache);
  const wanted = new Set(large.map(addressOf));
  const unwanted = (await cache.keys()).filter(({ url }) => !wanted.has(url));
  await Promise.all(unwanted.map((request) => cache.delete(request)));
  await self.clients.claim();
}

async function respond(event: FetchEvent, path: string): Promise<Response> {
  const kept = await caches.match(addressOf(path), { cacheName: large.includes(path) ? largeCache : shellCache });
  if (kept) return isolated(kept);
  const response = await fetch(event.request);
  if (large.includes(path) && response.ok) {
    const keeping = keep(path, response.clone());
    beingKept.add(keeping);
    event.waitUntil(keeping.finally(() => beingKept.delete(keeping)));
  }
  return isolated(response);
}

/**
 * A file that cannot be kept, for want of room, is asked for again the next time. So is one of another size: hosts answer with a
 * page of their own, and status 200, for a file that is not there yet.
 */
async function keep(path: string, response: Response): Promise<void> {
  const body = await response.blob().catch(() => undefined); // a connection that broke
  if (!body || body.size !== bytesOfLarge.get(path)) return;
  const kept = new Response(body, { headers: response.headers });
  await (await caches.open(largeCache)).put(addressOf(path), kept).catch(() => {});
}

function isolated(response: Response): Response {
  const headers = new Headers(response.headers);
  headers.set("cross-origin-opener-policy", "same-origin");
  headers.set("cross-origin-embedder-policy", "require-corp");
  headers.set("cross-origin-resource-policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

async function obey(event: ExtendableMessageEvent): Promise<void> {
  const order = event.data as ToServiceWorker;
  const reply = (value: boolean) => event.ports[0]?.postMessage(value);
  if (order === "activate") return self.skipWaiting();
  if (order === "claim") {
    await self.clients.claim();
    return reply(true);
  }
  await Promise.all(beingKept);
  const cache = await caches.open(largeCache);
  const kept = new Set((await cache.keys()).map(({ url }) => url));
  // float32 is large, and not needed where int8 passed: one model is enough.
  const models = large.filter((path) => path.endsWith(".onnx"));
  const others = large.filter((path) => !path.endsWith(".onnx"));
  const isKept = (path: string) => kept.has(addressOf(path));
  reply(others.every(isKept) && models.some(isKept));
}

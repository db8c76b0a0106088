import type { ToServiceWorker } from "../protocol.ts";

/** Set for the one reload by which a page comes under its service worker's headers. */
const reloadedKey = "bertqa reloaded";

/**
 * Brings the page under its service worker, which keeps it for use without a network and gives it the headers that threads need.
 * Where there can be none (plain http from another machine, a private window of some browsers), the page works without: with a
 * network, in one thread.
 *
 * @param onNewVersion called when a newer page waits; `take` changes to it
 */
export async function prepareOffline(onNewVersion: (take: () => void) => void): Promise<void> {
  const container = (navigator as { serviceWorker?: ServiceWorkerContainer }).serviceWorker;
  const registration = await container
    ?.register(new URL("service-worker.js", document.baseURI), { updateViaCache: "none" })
    .catch(() => undefined);
  if (!container || !registration) return;
  if (!(await isActive(registration))) return;
  if (!container.controller) await order(registration.active, "claim");
  if (!globalThis.crossOriginIsolated && sessionStorage.getItem(reloadedKey) === null) {
    sessionStorage.setItem(reloadedKey, "");
    location.reload();
    return new Promise(() => {});
  }
  sessionStorage.removeItem(reloadedKey);
  watchForVersions(container, registration, onNewVersion);
}

/** Whether all that the page needs is kept. */
export async function worksOffline(): Promise<boolean> {
  const controller = (navigator as { serviceWorker?: ServiceWorkerContainer }).serviceWorker?.controller;
  return controller ? order(controller, "settle") : false;
}

/** Waits for the first installation; false where it fails. */
async function isActive(registration: ServiceWorkerRegistration): Promise<boolean> {
  if (registration.active) return true;
  const worker = registration.waiting ?? registration.installing;
  if (!worker) return false;
  return new Promise((resolve) => {
    const look = () => {
      if (worker.state === "activated") resolve(true);
      else if (worker.state === "redundant") resolve(false);
    };
    worker.addEventListener("statechange", look);
    look();
  });
}

async function order(worker: ServiceWorker | null, message: ToServiceWorker): Promise<boolean> {
  if (!worker) return false;
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }: MessageEvent<boolean>) => resolve(data);
    worker.postMessage(message, [port2]);
  });
}

function watchForVersions(
  container: ServiceWorkerContainer,
  registration: ServiceWorkerRegistration,
  onNewVersion: (take: () => void) => void,
): void {
  const offer = (worker: ServiceWorker) =>
    onNewVersion(() => {
      container.addEventListener("controllerchange", () => location.reload(), { once: true });
      worker.postMessage("activate" satisfies ToServiceWorker);
    });
  if (registration.waiting) offer(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const worker = registration.installing;
    worker?.addEventListener("statechange", () => {
      if (worker.state === "installed") offer(worker);
    });
  });
}

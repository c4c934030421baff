/** The page's side of the service worker: registers it, says when a newer build waits, and takes back a withdrawn one. */

const ADDRESS = "/service-worker.js";
const LOOK_AGAIN_MS = 60 * 60 * 1000;

/** The newer build that waits, and how to load it. */
export interface Update {
  load(): void;
}

/**
 * Registers the worker at `address` and calls `found` when a newer build waits. Never throws: without a worker the
 * page works all the same, online.
 */
export async function keepOffline(address: string, found: (update: Update) => void): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  const container = navigator.serviceWorker;
  try {
    const registration = await container.register(address, { updateViaCache: "none" });
    follow(registration, container, found);
    await look(registration);
    setInterval(() => void look(registration), LOOK_AGAIN_MS);
  } catch {
    await takeBack(container);
  }
}

function follow(
  registration: ServiceWorkerRegistration,
  container: ServiceWorkerContainer,
  found: (update: Update) => void,
): void {
  const tell = (waiting: ServiceWorker): void => {
    found({
      load() {
        container.addEventListener(
          "controllerchange",
          () => {
            location.reload();
          },
          { once: true },
        );
        waiting.postMessage("go");
      },
    });
  };
  const watch = (coming: ServiceWorker): void => {
    coming.addEventListener("statechange", () => {
      // the first worker of a page replaces nothing
      if (coming.state === "installed" && container.controller !== null) tell(coming);
    });
  };
  if (registration.waiting !== null && container.controller !== null) tell(registration.waiting);
  if (registration.installing !== null) watch(registration.installing);
  registration.addEventListener("updatefound", () => {
    if (registration.installing !== null) watch(registration.installing);
  });
}

async function look(registration: ServiceWorkerRegistration): Promise<void> {
  try {
    await registration.update();
  } catch {
    await takeBack(navigator.serviceWorker);
  }
}

/** A server that has no worker any more has withdrawn it. A browser alone would keep the old one for good. */
async function takeBack(container: ServiceWorkerContainer): Promise<void> {
  try {
    const { status } = await fetch(ADDRESS, { method: "HEAD", cache: "no-store" });
    if (status !== 404 && status !== 410) return;
    for (const registration of await container.getRegistrations()) await registration.unregister();
    for (const name of await caches.keys()) await caches.delete(name);
  } catch {
    // no network: nothing is known, and nothing changes
  }
}

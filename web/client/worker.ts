/** The worker's first module: a browser's parts, and a desk that serves one page. */

import { WebCryptoPrimitives } from "../core/webcrypto.ts";
import { Desk } from "./desk.ts";
import type { ToPage, ToWorker } from "./messages.ts";
import type { SocketPart } from "./platform.ts";

declare const self: DedicatedWorkerGlobalScope;

const VAULT_NAME = "whisp";

async function openDesk(server: string): Promise<Desk> {
  const primitives = await WebCryptoPrimitives.create(crypto.subtle, (array) =>
    crypto.getRandomValues(array),
  );
  return new Desk(
    {
      platform: {
        primitives,
        fetch: async (url, init) => fetch(url, init),
        openSocket: (url) => new WebSocket(url) as unknown as SocketPart,
      },
      place: {
        primitives,
        subtle: crypto.subtle,
        factory: indexedDB,
        locks: navigator.locks,
        name: VAULT_NAME,
      },
      post: (message: ToPage, transfer: readonly ArrayBuffer[] = []) => {
        self.postMessage(message, [...transfer]);
      },
    },
    server,
  );
}

let desk: Promise<Desk> | null = null;

self.onmessage = ({ data }: MessageEvent<ToWorker>): void => {
  if (data.kind === "start") desk ??= openDesk(data.server);
  else void desk?.then(async (opened) => opened.take(data));
};

// a network that came back, or a device that woke up, makes the browser say so
self.addEventListener("online", () => {
  void desk?.then((opened) => {
    opened.nudge();
  });
});

/** The product's page. */

import type { WorkerPart } from "../client/page.ts";
import workerAddress from "../client/worker.ts?worker&url";
import { ClientSource } from "./adapter/client-source.ts";
import { browserSaving } from "./adapter/saving.ts";
import { keepOffline, type Update } from "./offline/registration.ts";
import { browserPasskeys } from "./passkey.ts";
import { Memory } from "./settings.ts";
import { start } from "./start.ts";
import { scriptAddress } from "./trusted.ts";

let newer: Update | null = null;

const source = new ClientSource({
  origin: location.origin,
  host: location.host,
  memory: new Memory(() => localStorage),
  saving: browserSaving(window),
  passkeys: browserPasskeys("credentials" in navigator ? navigator.credentials : null),
  makeWorker: () =>
    // a Worker's handlers are typed with more of an event than anybody looks at
    new Worker(scriptAddress(workerAddress), { type: "module", name: "whisp" }) as unknown as WorkerPart,
  now: () => Date.now() / 1000,
  persist: () => {
    if ("storage" in navigator) navigator.storage.persist().catch(() => undefined);
  },
  reload: () => {
    if (newer === null) location.reload();
    else newer.load();
  },
});

const root = document.querySelector("#whisp");
if (root !== null) start(source, root);
void source.open();
void keepOffline(scriptAddress("/service-worker.js"), (update) => {
  newer = update;
  source.noteUpdate();
});

// A page that is left says goodbye, and comes back locked: the browser may keep it whole for a step back.
window.addEventListener("pagehide", () => {
  source.actions.lock();
});

window.addEventListener("online", () => {
  source.networkChanged();
});

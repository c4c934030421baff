import { webcrypto } from "node:crypto";

import { IDBFactory } from "fake-indexeddb";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { Desk } from "../../client/desk.ts";
import type { PageEvent, ToPage, ToWorker } from "../../client/messages.ts";
import { WhispWorker, type WorkerPart } from "../../client/page.ts";
import { nodePlatform } from "./node-platform.ts";
import { newName, soon } from "./people.ts";
import { ServerProcess } from "./server-process.ts";
import { tabLocks } from "./tab-locks.ts";
import { primitives } from "../platform.ts";

let server: ServerProcess;
beforeAll(async () => {
  server = await ServerProcess.start();
}, 30_000);
afterAll(async () => {
  await server.stop();
});

/** One browser: what its tabs share. */
class Browser {
  readonly factory = new IDBFactory();
  readonly locks = tabLocks();
}

/** A worker in this very thread: everything said to and fro is cloned, as between threads, and kept to look at. */
class TestWorker implements WorkerPart {
  onmessage: WorkerPart["onmessage"] = null;
  onerror: WorkerPart["onerror"] = null;
  readonly toPage: ToPage[] = [];
  isTerminated = false;
  #desk: Desk | null = null;
  readonly #browser: Browser;

  constructor(browser: Browser) {
    this.#browser = browser;
  }

  postMessage(message: ToWorker): void {
    const data = structuredClone(message);
    if (data.kind === "start") this.#desk = this.#open(data.server);
    else void this.#desk?.take(data);
  }

  terminate(): void {
    this.isTerminated = true;
  }

  #open(origin: string): Desk {
    const { factory, locks } = this.#browser;
    const subtle = webcrypto.subtle as SubtleCrypto;
    const place = { primitives, subtle, factory, locks, name: "whisp" };
    const post = (message: ToPage): void => {
      const data = structuredClone(message);
      this.toPage.push(data);
      setTimeout(() => {
        if (!this.isTerminated) this.onmessage?.({ data });
      }, 0);
    };
    return new Desk({ platform: nodePlatform(), place, post }, origin);
  }
}

interface Tab {
  readonly page: WhispWorker;
  readonly worker: TestWorker;
  readonly events: PageEvent[];
}

const tabs: Tab[] = [];
afterEach(async () => {
  for (const { page, worker } of tabs.splice(0)) {
    if (!worker.isTerminated) await page.ask("lock").catch(() => undefined);
    page.panic();
  }
});

function openTab(browser = new Browser()): Tab {
  const events: PageEvent[] = [];
  const worker = new TestWorker(browser);
  const page = new WhispWorker(worker, server.origin, (event) => events.push(event));
  const tab = { page, worker, events };
  tabs.push(tab);
  return tab;
}

async function signedUp(name: string): Promise<Tab & { readonly username: string }> {
  const tab = openTab();
  await tab.page.ask("temporaryVault");
  const { username } = await tab.page.ask("register", newName(name));
  await tab.page.ask("login");
  return { ...tab, username: username ?? "" };
}

/** Waits for an event of a type. */
async function found<T extends PageEvent["type"]>(
  { events }: Tab,
  type: T,
): Promise<Extract<PageEvent, { type: T }>> {
  await soon(() => events.some((event) => event.type === type));
  return events.find((event) => event.type === type) as Extract<PageEvent, { type: T }>;
}

describe("a page and its worker", () => {
  it("make a whole call, in view data only", async () => {
    const [odile, sefa] = await Promise.all([signedUp("odile"), signedUp("sefa")]);
    const calling = odile.page.ask("call", sefa.username);
    const { ring } = await found(sefa, "ring");
    expect(ring).toMatchObject({ caller: odile.username, contact: null, isWeb: true });
    const theirs = await sefa.page.ask("acceptRing", ring.id);
    const mine = await calling;
    expect(mine).toMatchObject({ peer: sefa.username, sessionCode: theirs.sessionCode, line: "relayed" });
    expect((await found(sefa, "ring-ended")).end).toBe("accepted");
    const sent = await odile.page.ask("sendText", mine.id, "hello", null);
    await soon(() =>
      sefa.events.some((event) => event.type === "call" && event.event.type === "text-received"),
    );
    await sefa.page.ask("markRead", theirs.id, sent.id);
    await soon(() => odile.events.some((event) => event.type === "call" && event.event.type === "read"));

    const blob = new Blob(["for sefa only"]);
    const file = await odile.page.ask("sendFile", mine.id, {
      blob,
      name: "a/b.txt",
      mediaType: "text/plain",
    });
    await soon(() =>
      sefa.events.some((event) => event.type === "call" && event.event.type === "file-offered"),
    );
    await sefa.page.ask("acceptFile", theirs.id, file.id, "memory");
    await soon(() =>
      sefa.events.some((event) => event.type === "call" && event.event.type === "file-completed"),
    );
    const [completed] = sefa.events.flatMap((event) =>
      event.type === "call" && event.event.type === "file-completed" ? [event.event] : [],
    );
    expect(await completed?.blob?.text()).toBe("for sefa only");

    await sefa.page.ask("markVerified", odile.username, true);
    const [contact] = await sefa.page.ask("contacts");
    expect(contact).toMatchObject({ username: odile.username, hasNewKey: false });
    expect(contact?.verifiedAt).toBeGreaterThan(1_700_000_000);
    const [one, other] = await Promise.all([
      odile.page.ask("safetyNumber", sefa.username),
      sefa.page.ask("safetyNumber", odile.username),
    ]);
    expect(one.digits).toBe(other.digits);
    await sefa.page.ask("verifySafetyQr", odile.username, one.qr);

    await odile.page.ask("hangUp", mine.id);
    await soon(() => sefa.events.some((event) => event.type === "call" && event.event.type === "ended"));
    await expect(sefa.page.ask("sendText", theirs.id, "too late", null)).rejects.toMatchObject({
      name: "ConversationEndedError",
    });

    // nothing that was said to the pages holds bytes, but for QR codes, which are public, and files
    const said = JSON.stringify([...odile.worker.toPage, ...sefa.worker.toPage], (key, value: unknown) => {
      if (key !== "qr" && value instanceof Uint8Array) throw new Error(`bytes in ${key}`);
      return value;
    });
    for (const word of ["token", "seed", "account", "certificate", "private"])
      expect(said).not.toContain(word);
  });

  it("say what failed by name, and nothing of what was not meant for people", async () => {
    const { page } = openTab();
    await expect(page.ask("login")).rejects.toMatchObject({ name: "LockedError" });
    await page.ask("temporaryVault");
    await expect(page.ask("login")).rejects.toMatchObject({ name: "NotRegisteredError" });
    await expect(page.ask("isAvailable", "ÄÖ")).rejects.toMatchObject({ name: "InvalidUsernameError" });
    await expect(page.ask("acceptRing", 5)).rejects.toMatchObject({ name: "RingOverError" });
    await expect(page.ask("isAvailable", 5 as unknown as string)).rejects.toMatchObject({
      name: "ClientError",
      message: "Something went wrong.",
    });
    await expect(page.ask("toString" as "login")).rejects.toMatchObject({ name: "LocalProtocolError" });
  });

  it("keep an account through a lock, and let one tab hold it", async () => {
    const browser = new Browser();
    const first = openTab(browser);
    expect(await first.page.ask("vaultState")).toEqual({ kind: "none" });
    expect(await first.page.ask("createVault", { kind: "none" })).toEqual({
      username: null,
      state: "offline",
    });
    const { username } = await first.page.ask("register", newName("odile"));
    const second = openTab(browser);
    await expect(second.page.ask("openVault", { kind: "none" })).rejects.toMatchObject({
      name: "VaultInUseError",
      message: "Whisp is already open in another tab.",
    });
    await first.page.ask("lock");
    await found(first, "client-locked");
    await expect(first.page.ask("contacts")).rejects.toMatchObject({ name: "LockedError" });
    expect(await second.page.ask("openVault", { kind: "none" })).toEqual({ username, state: "offline" });
    await second.page.ask("login");
    await second.page.ask("eraseVault");
    expect(await second.page.ask("vaultState")).toEqual({ kind: "none" });
  });

  it("drop everything at once in panic", async () => {
    const { page, worker, events } = await signedUp("odile");
    const asked = page.ask("discover", "nobody-there");
    page.panic();
    expect(worker.isTerminated).toBe(true);
    expect(events.at(-1)).toEqual({ type: "client-locked" });
    await expect(asked).rejects.toMatchObject({ name: "LockedError" });
    await expect(page.ask("login")).rejects.toMatchObject({ name: "LockedError" });
    page.panic();
    expect(events.filter(({ type }) => type === "client-locked")).toHaveLength(1);
  });
});

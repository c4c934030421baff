/** A worker that does as a test says, a browser without a browser, and a person's way to an open account. */

import type {
  CallEvent,
  CallView,
  CommandName,
  Commands,
  ContactView,
  ErrorView,
  FileView,
  PageEvent,
  RingView,
  ToWorker,
} from "../../client/messages.ts";
import type { WorkerPart } from "../../client/page.ts";
import { ClientSource } from "../../app/adapter/client-source.ts";
import type { Passkeys, PasskeySecret, Ports, Saving } from "../../app/adapter/ports.ts";
import type { Stage } from "../../app/models.ts";
import { Memory } from "../../app/settings.ts";

export const NOW = 1_800_000_000;

type Answers = {
  [Name in CommandName]?: (...args: Parameters<Commands[Name]>) => unknown;
};

/** An error as the worker sends it. Throw it in an answer. */
export class Failure extends Error {
  readonly view: ErrorView;

  constructor(name: string, more: Partial<ErrorView> = {}) {
    super(name);
    this.view = { name, message: name, reason: null, retryAfter: null, ...more };
  }
}

const STANDARD: Answers = {
  vaultState: () => ({ kind: "open" }),
  openVault: () => ({ username: "mira", state: "offline" }),
  contacts: () => [],
};

/** The worker's end, without a client. */
export class FakeWorker implements WorkerPart {
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  isTerminated = false;
  #isOpen = false;
  readonly asked: { readonly name: CommandName; readonly args: readonly unknown[] }[] = [];
  readonly answers: Answers;

  constructor(answers: Answers) {
    this.answers = answers;
  }

  postMessage(message: ToWorker): void {
    if (message.kind !== "command") return;
    const { id, name, args } = message;
    this.asked.push({ name, args });
    void (async () => {
      try {
        if (name.endsWith("Vault")) this.#openOrErase(name);
        const answer = this.answers[name] as ((...values: readonly unknown[]) => unknown) | undefined;
        this.#post({ kind: "answer", id, value: await answer?.(...args) });
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        this.#post({ kind: "failure", id, error: error.view });
      }
    })();
  }

  terminate(): void {
    this.isTerminated = true;
  }

  emit(event: PageEvent): void {
    this.#post({ kind: "event", event });
  }

  /** As the real one: what erases an open vault locks itself on the way. */
  #openOrErase(name: CommandName): void {
    if (name === "eraseVault" && this.#isOpen) this.emit({ type: "client-locked" });
    this.#isOpen = name !== "eraseVault";
  }

  /** The arguments of every command of that name. */
  calls(name: CommandName): readonly (readonly unknown[])[] {
    return this.asked.filter((one) => one.name === name).map(({ args }) => args);
  }

  #post(data: unknown): void {
    if (!this.isTerminated) this.onmessage?.({ data });
  }
}

/** Everything around a source, to look at and to change. */
export class World {
  readonly answers: Answers;
  readonly workers: FakeWorker[] = [];
  readonly shelf = new Map<string, string>();
  readonly downloads: { readonly content: Blob; readonly name: string }[] = [];
  readonly source: ClientSource;
  now = NOW;
  handle: object | null = null;
  passkey: PasskeySecret | null = null;
  persisted = 0;

  constructor(answers: Answers = {}, settings: object = {}) {
    this.answers = { ...STANDARD, ...answers };
    this.shelf.set("whisp.settings", JSON.stringify(settings));
    this.source = new ClientSource(this.#ports());
  }

  /** The worker that lives. */
  get worker(): FakeWorker {
    const worker = this.workers.at(-1);
    if (worker === undefined) throw new Error("no worker was started");
    return worker;
  }

  get stage(): Stage {
    return this.source.view().stage;
  }

  /** The stage, which must be that one. */
  at<At extends Stage["at"]>(at: At): Extract<Stage, { at: At }> {
    if (this.stage.at !== at) throw new Error(`at ${this.stage.at}, not ${at}`);
    return this.stage as Extract<Stage, { at: At }>;
  }

  #ports(): Ports {
    const shelf = this.shelf;
    const saving: Saving = {
      canStream: true,
      choose: async () => Promise.resolve(this.handle as never),
      download: (content, name) => void this.downloads.push({ content, name }),
    };
    const given = async (): Promise<PasskeySecret> =>
      this.passkey === null ? Promise.reject(new Error("no")) : Promise.resolve(this.passkey);
    const passkeys: Passkeys = { isOffered: async () => Promise.resolve(true), create: given, get: given };
    return {
      origin: "https://whisp.example",
      host: "whisp.example",
      memory: new Memory(() => ({
        getItem: (key) => shelf.get(key) ?? null,
        setItem: (key, value) => void shelf.set(key, value),
        removeItem: (key) => void shelf.delete(key),
      })),
      saving,
      passkeys,
      makeWorker: () => {
        const worker = new FakeWorker(this.answers);
        this.workers.push(worker);
        return worker;
      },
      now: () => this.now,
      persist: () => {
        this.persisted += 1;
      },
      reload: () => undefined,
    };
  }
}

/** Waits until everything that is under way has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits until a burst was drawn. */
export async function drawn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 25));
}

export const ODILE: ContactView = {
  username: "odile",
  verifiedAt: NOW - 500,
  added: NOW - 900,
  hasNewKey: false,
};

export const FACTS: CallView = {
  id: 7,
  peer: "odile",
  sessionCode: "48213 90566",
  startedAt: NOW,
  line: "relayed",
  via: "server",
  isWeb: true,
};

export const RING: RingView = {
  id: 3,
  caller: "odile",
  contact: ODILE,
  isWeb: false,
  startedAt: NOW,
  expiresAt: NOW + 45,
};

/** A world whose account is open. */
export async function atHome(answers: Answers = {}, settings: object = {}): Promise<World> {
  const world = new World({ contacts: () => [ODILE], ...answers }, settings);
  await world.source.open();
  await settled();
  world.at("home");
  return world;
}

/** A world in a call with odile. */
export async function inCall(answers: Answers = {}, settings: object = {}): Promise<World> {
  const world = await atHome({ call: () => FACTS, ...answers }, settings);
  world.source.actions.ring("odile");
  await settled();
  world.at("call");
  return world;
}

/** Lets something happen in the call. */
export function happen(world: World, event: CallEvent): void {
  world.worker.emit({ type: "call", call: FACTS.id, event });
}

export function fileView(more: Partial<FileView> = {}): FileView {
  return { id: "f1", name: "notes.pdf", safeName: "notes.pdf", size: 1000, mediaType: "", ...more };
}

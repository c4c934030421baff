/** Where everything stands: the one view, who is told of it, and the worker behind it. */

import type { CommandName, Commands, PageEvent } from "../../client/messages.ts";
import { WhispWorker, WorkerError } from "../../client/page.ts";
import type { AppView, Notice, Stage } from "../models.ts";
import type { Ports } from "./ports.ts";

/** How long a worker may take to say goodbye, milliseconds. */
const GOODBYE_MS = 2000;

/** A burst of events is drawn this often, milliseconds. */
const FRAME_MS = 16;

/** The view, and the worker. Rooms of the adapter share it and know nothing of each other. */
export class Stand {
  readonly ports: Ports;
  #view: AppView;
  #worker: WhispWorker | null = null;
  #onEvent: (event: PageEvent) => void = () => undefined;
  #retiring: Promise<void> | null = null;
  #soon: ReturnType<typeof setTimeout> | null = null;
  readonly #listeners = new Set<() => void>();

  constructor(ports: Ports, view: AppView) {
    this.ports = ports;
    this.#view = view;
  }

  get view(): AppView {
    return this.#view;
  }

  subscribe(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  /** Says who takes the events of all workers to come. */
  listen(onEvent: (event: PageEvent) => void): void {
    this.#onEvent = onEvent;
  }

  /** Changes the view, and tells at once. */
  show(change: Partial<AppView>): void {
    this.#view = { ...this.#view, ...change };
    this.#tell();
  }

  /** The same for what may come thousands of times a second: told once a frame. */
  showSoon(change: Partial<AppView>): void {
    this.#view = { ...this.#view, ...change };
    this.#soon ??= setTimeout(() => {
      this.#tell();
    }, FRAME_MS);
  }

  stage(stage: Stage): void {
    this.show({ stage });
  }

  notice(notice: Notice): void {
    this.show({ notice });
  }

  /** Asks the worker, which is started if there is none. Throws WorkerError. */
  async ask<Name extends CommandName>(
    name: Name,
    ...args: Parameters<Commands[Name]>
  ): Promise<ReturnType<Commands[Name]>> {
    while (this.#retiring !== null) await this.#retiring;
    this.#worker ??= this.#start();
    return this.#worker.ask(name, ...args);
  }

  /** The same where nobody waits and a failure says nothing new. */
  tell<Name extends CommandName>(name: Name, ...args: Parameters<Commands[Name]>): void {
    if (this.#worker === null) return;
    this.#worker.ask(name, ...args).catch(() => undefined);
  }

  /** Ends the worker, now, with all it holds. What it still had to say is not heard any more. */
  drop(): void {
    const worker = this.#worker;
    this.#worker = null;
    worker?.panic();
  }

  /**
   * Erases the vault, in a worker that has not opened it: one that had would lock itself on the way, and be ended
   * before it is done. Throws WorkerError.
   */
  async eraseVault(): Promise<void> {
    this.drop();
    await this.ask("eraseVault");
  }

  /** Lets the worker end its calls with a word to the other side, then ends it. Nothing of it is heard any more. */
  retire(): void {
    const worker = this.#worker;
    this.#worker = null;
    if (worker === null) return;
    const late = new Promise((resolve) => setTimeout(resolve, GOODBYE_MS));
    const ended = Promise.race([worker.ask("lock"), late])
      .catch(() => undefined)
      .then(() => {
        worker.panic();
        if (this.#retiring === ended) this.#retiring = null;
      });
    this.#retiring = ended;
  }

  #start(): WhispWorker {
    const { ports } = this;
    const worker: WhispWorker = new WhispWorker(ports.makeWorker(), ports.origin, (event) => {
      if (this.#worker !== worker) return;
      if (event.type === "client-locked") this.drop(); // locked or crashed: whatever it still holds goes with it
      this.#onEvent(event);
    });
    return worker;
  }

  #tell(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#soon = null;
    for (const changed of [...this.#listeners]) changed();
  }
}

/** The class of an error in the worker, "" for what is none. */
export function faultName(error: unknown): string {
  return error instanceof WorkerError ? error.name : "";
}

/** What a person is told of a failure that has no place of its own. */
export function noticeOf(error: unknown, now: number): Notice {
  if (error instanceof WorkerError) {
    if (error.name === "RateLimitedError") {
      return { kind: "slowed", retryAt: Math.ceil(now + (error.retryAfter ?? 1)) };
    }
    if (error.name === "StorageFullError") return { kind: "storageFull" };
    if (error.name === "ServerUnreachableError" || error.name === "TransportError") {
      return { kind: "unreachable" };
    }
  }
  return { kind: "failed" };
}

/** The page's end of the worker: commands out, answers and events in, and one switch that drops it all. */

import {
  type Command,
  type CommandName,
  type Commands,
  type ErrorView,
  type PageEvent,
  type ToPage,
  type ToWorker,
} from "./messages.ts";
import { Outcome } from "./outcome.ts";
import type { RtcPlatform } from "./rtc/connection.ts";
import { browserRtc, PageRtc } from "./rtc/page.ts";

/** The part of a Worker that is used here. */
export interface WorkerPart {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  postMessage(message: ToWorker, transfer: ArrayBuffer[]): void;
  terminate(): void;
}

/** A command failed; `name` is the class of the error in the worker (client/errors.ts). */
export class WorkerError extends Error {
  override readonly name: string;
  /** The reason, fault or username that the class carries, null if it carries none. */
  readonly reason: string | null;
  /** Seconds, of a RateLimitedError. */
  readonly retryAfter: number | null;

  constructor(view: ErrorView) {
    super(view.message);
    this.name = view.name;
    this.reason = view.reason;
    this.retryAfter = view.retryAfter;
  }
}

const LOCKED: ErrorView = {
  name: "LockedError",
  message: "Whisp is locked.",
  reason: null,
  retryAfter: null,
};

/** One client, in a worker. After `panic` or a crash of the worker every command fails with LockedError. */
export class WhispWorker {
  readonly #worker: WorkerPart;
  readonly #onEvent: (event: PageEvent) => void;
  readonly #rtc: PageRtc;
  readonly #waiting = new Map<number, Outcome<unknown>>();
  #lastId = 0;
  #isGone = false;

  /**
   * `server` is the origin to talk to; `onEvent` is told what happens, in order; `rtc` is the WebRTC of this page,
   * null to do without.
   */
  constructor(
    worker: WorkerPart,
    server: string,
    onEvent: (event: PageEvent) => void,
    rtc: RtcPlatform | null = browserRtc(),
  ) {
    this.#worker = worker;
    this.#rtc = new PageRtc(rtc, (message, transfer = []) => {
      worker.postMessage({ kind: "rtc", message }, [...transfer]);
    });
    this.#onEvent = onEvent;
    worker.onmessage = ({ data }): void => {
      this.#take(data as ToPage);
    };
    worker.onerror = (): void => {
      this.panic();
    };
    worker.postMessage({ kind: "start", server }, []);
  }

  /** Asks the worker to do something. Throws WorkerError. */
  async ask<Name extends CommandName>(
    name: Name,
    ...args: Parameters<Commands[Name]>
  ): Promise<ReturnType<Commands[Name]>> {
    if (this.#isGone) throw new WorkerError(LOCKED);
    const id = ++this.#lastId;
    const outcome = new Outcome<unknown>();
    this.#waiting.set(id, outcome);
    const command: Command = { kind: "command", id, name, args };
    this.#worker.postMessage(command, []);
    return outcome.promise as Promise<ReturnType<Commands[Name]>>;
  }

  /**
   * Ends the worker, now: with it go all keys, texts, sockets, lines and the lock on the vault. Nothing is sent; peers see
   * the line go. The vault stays sealed where it is.
   */
  panic(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#worker.onmessage = this.#worker.onerror = null;
    this.#worker.terminate();
    this.#rtc.close();
    for (const outcome of this.#waiting.values()) outcome.fail(new WorkerError(LOCKED));
    this.#waiting.clear();
    this.#onEvent({ type: "client-locked" });
  }

  #take(message: ToPage): void {
    if (this.#isGone) return;
    if (message.kind === "rtc") {
      this.#rtc.take(message.message);
      return;
    }
    if (message.kind === "event") {
      this.#worker.postMessage({ kind: "taken" }, []);
      this.#onEvent(message.event);
      return;
    }
    const outcome = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.kind === "answer") outcome?.succeed(message.value);
    else outcome?.fail(new WorkerError(message.error));
  }
}

/** One WebSocket to the server, from its HELLO to its close code. It does not reconnect: see connection.ts. */

import { CloseCode } from "../core/codes.ts";
import { MalformedError } from "../core/errors.ts";
import { decodeServerFrame, encodeFrame, FrameType, type SessionToken } from "../core/frames.ts";
import { MAX_FRAME_BYTES } from "../core/limits.ts";
import { CURRENT, isCompatible } from "../core/version.ts";
import { ServerUnreachableError, VersionMismatchError } from "./errors.ts";
import type { Origin } from "./origin.ts";
import { Outcome } from "./outcome.ts";
import type { Platform, SocketPart } from "./platform.ts";

/** From dialling to WELCOME. */
export const WELCOME_SECONDS = 10;

/** Beyond this, senders wait: sixteen file chunks keep a fast line busy between two looks at it. */
export const WRITE_HIGH_BYTES = 1024 * 1024;
export const WRITE_LOW_BYTES = 512 * 1024;

/** More than every conversation together may leave unsent: such a line does not move, and is cut. */
export const MAX_QUEUED_BYTES = 16 * 1024 * 1024;

/** Browsers do not say when there is room again, so senders look: often enough for 100 MB/s. */
const LOOK_MILLISECONDS = 4;

/** What came after WELCOME before anyone took it; an honest server sends a few routes. */
const MAX_EARLY_FRAMES = 256;

/** What browsers call the close code of a socket that broke (RFC 6455 section 7.4.1). */
const BROKEN = 1006;

/** The socket closed. `code` is its close code; 1006 if it broke. */
export class SocketClosedError extends Error {
  override readonly name: string = "SocketClosedError";
  readonly code: number;

  constructor(code: number) {
    super(`the socket closed with ${code}`);
    this.code = code;
  }
}

/** A connected socket. Messages after WELCOME wait until `deliverTo` says who takes them. */
export class ServerSocket {
  readonly #socket: SocketPart;
  readonly #welcome = new Outcome<undefined>();
  readonly #closed = new Outcome<SocketClosedError>();
  #early: Uint8Array[] = [];
  #onFrame: ((frame: Uint8Array) => void) | null = null;
  #room: Promise<void> | null = null;
  #heardAt = performance.now() / 1000;
  #isConnected = false;

  private constructor(socket: SocketPart) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event): void => {
      this.#take(event.data);
    };
    socket.onclose = (event): void => {
      this.#end(event.code);
    };
    socket.onerror = (): void => undefined; // `onclose` follows and says as much as there is to say
  }

  /**
   * Connects, says HELLO and waits for WELCOME.
   *
   * Throws ServerUnreachableError: no connection, or no server of this protocol; VersionMismatchError: another
   * major version; SocketClosedError: the server closed instead of saying WELCOME.
   */
  static async open(platform: Platform, origin: Origin, token: SessionToken): Promise<ServerSocket> {
    let part: SocketPart;
    try {
      part = platform.openSocket(origin.webSocketUrl);
    } catch {
      throw new ServerUnreachableError();
    }
    const socket = new ServerSocket(part);
    const late = setTimeout(() => {
      socket.#welcome.fail(new ServerUnreachableError());
    }, WELCOME_SECONDS * 1000);
    part.onopen = (): void => {
      socket.#isConnected = true;
      socket.send(encodeFrame({ type: FrameType.HELLO, version: CURRENT, token }));
    };
    try {
      await socket.#welcome.promise;
    } catch (error) {
      socket.abort();
      throw error;
    } finally {
      clearTimeout(late);
    }
    return socket;
  }

  /** Hands every message to `onFrame`, synchronously and in order, those that waited first. */
  deliverTo(onFrame: (frame: Uint8Array) => void): void {
    this.#onFrame = onFrame;
    const early = this.#early;
    this.#early = [];
    for (const message of early) onFrame(message);
  }

  /** Whether frames can be sent. */
  get isOpen(): boolean {
    return !this.#closed.isDone;
  }

  /** For how many seconds nothing came from the server. */
  get silence(): number {
    return performance.now() / 1000 - this.#heardAt;
  }

  /** A sign of life came another way. */
  heard(): void {
    this.#heardAt = performance.now() / 1000;
  }

  /** Queues one message; await `drain` before the next large one. After the close it does nothing. */
  send(frame: Uint8Array): void {
    if (this.#closed.isDone) return;
    if (this.#socket.bufferedAmount > MAX_QUEUED_BYTES) {
      this.abort();
      return;
    }
    this.#socket.send(frame);
  }

  /** Whether `drain` would wait. */
  get isFull(): boolean {
    return !this.#closed.isDone && this.#socket.bufferedAmount > WRITE_HIGH_BYTES;
  }

  /** Waits while too much is queued; returns at once after the close. */
  async drain(): Promise<void> {
    if (!this.isFull) return;
    this.#room ??= this.#waitForRoom().finally(() => {
      this.#room = null;
    });
    return this.#room;
  }

  /** Waits for the end, and says how it came. */
  async waitClosed(): Promise<SocketClosedError> {
    return this.#closed.promise;
  }

  /** Closes after what is queued has left; waits for that half a second at most. */
  async close(): Promise<void> {
    if (this.#closed.isDone) return;
    const late = setTimeout(() => {
      this.abort();
    }, 500);
    this.#socket.close(CloseCode.NORMAL);
    await this.#closed.promise;
    clearTimeout(late);
  }

  /** Lets go of it now: what still comes is dropped. */
  abort(): void {
    this.#end(BROKEN);
    this.#socket.close();
  }

  async #waitForRoom(): Promise<void> {
    while (!this.#closed.isDone && this.#socket.bufferedAmount > WRITE_LOW_BYTES) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS));
    }
  }

  #take(data: unknown): void {
    if (this.#closed.isDone) return;
    this.#heardAt = performance.now() / 1000;
    if (!(data instanceof ArrayBuffer) || data.byteLength > MAX_FRAME_BYTES) {
      this.#refuse();
      return;
    }
    const message = new Uint8Array(data);
    if (this.#onFrame !== null) this.#onFrame(message);
    else if (!this.#welcome.isDone) this.#takeWelcome(message);
    else if (this.#early.length < MAX_EARLY_FRAMES) this.#early.push(message);
    else this.#refuse();
  }

  #takeWelcome(message: Uint8Array): void {
    try {
      const frame = decodeServerFrame(message);
      if (frame.type !== FrameType.WELCOME) this.#refuse();
      else if (isCompatible(CURRENT, frame.version)) this.#welcome.succeed(undefined);
      else this.#welcome.fail(new VersionMismatchError());
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#refuse();
    }
  }

  /** Leaves a server that breaks the protocol. */
  #refuse(): void {
    this.#end(CloseCode.PROTOCOL);
    this.#socket.close();
  }

  #end(code: number): void {
    if (this.#closed.isDone) return;
    const closed = new SocketClosedError(code);
    this.#early = [];
    this.#welcome.fail(this.#isConnected ? closed : new ServerUnreachableError());
    this.#closed.succeed(closed);
  }
}

/** Keeps a device online: logs in, connects, publishes pre-keys, and does so again after every loss. */

import { CloseCode } from "../core/codes.ts";
import {
  type ClientError,
  IdentityError,
  RateLimitedError,
  ReplacedError,
  RevokedError,
  ServerUnreachableError,
  TransportError,
  UnauthorizedError,
  VersionMismatchError,
} from "./errors.ts";
import { type ConnectionChanged, ConnectionState } from "./events.ts";
import { Outcome } from "./outcome.ts";
import { type ServerSocket, SocketClosedError } from "./server-socket.ts";

export const FIRST_BACK_OFF_SECONDS = 0.5;
export const MAX_BACK_OFF_SECONDS = 30;

/** While a conversation lives: the server holds it for 60 seconds only. */
export const MAX_BUSY_BACK_OFF_SECONDS = 4;

/** From WELCOME to the server's word that it has the pre-keys. */
export const PUBLISHED_SECONDS = 10;

/** A connection that lived this long starts the back-off anew. */
export const SETTLED_SECONDS = 10;

/**
 * How long a server may be silent while a conversation lives: two life signs of the peer are missing. Browsers
 * show nothing of WebSocket pings, so contents are all there is to hear.
 */
export const BUSY_SILENCE_SECONDS = 35;

/** How long it may be silent otherwise, before `isReached` is asked. */
export const IDLE_SILENCE_SECONDS = 60;

const WATCH_SECONDS = 5;

/**
 * Seconds to wait before attempt 1, 2, …: exponential with full jitter. `draw` gives 0 to 1. Full jitter spreads
 * the crowd that a restarted server meets.
 */
export function backOff(attempt: number, ceiling: number, draw: () => number): number {
  return draw() * Math.min(ceiling, FIRST_BACK_OFF_SECONDS * 2 ** Math.min(attempt, 16));
}

/** What a connection needs of its client. */
export interface ConnectionHost {
  /**
   * Logs in where needed and gives an open socket. Its errors are told apart: identity, version and authorisation
   * errors end the attempts, others are retried.
   */
  dial(): Promise<ServerSocket>;
  /** Called with each new socket, at once; publishes what the server forgot. Who hears that it arrived, confirms. */
  online(socket: ServerSocket): void;
  /** Called when a socket is gone. */
  offline(): void;
  /** Told of every change of state. */
  connectionChanged(change: ConnectionChanged): void;
  /** Says whether conversations wait for the line. */
  readonly isBusy: boolean;
  /** Asks the server, another way, whether it knows this device to be online. Throws TransportError. */
  isReached(): Promise<boolean>;
  /** 0 to 1, for jitter. */
  draw(): number;
}

/** The device's line to its server. */
export class Connection {
  readonly #host: ConnectionHost;
  #socket: ServerSocket | null = null;
  #confirmed: Outcome<undefined> | null = null;
  #run = 0;
  #watch: ReturnType<typeof setInterval> | null = null;
  #isProbing = false;
  #wake: (() => void) | null = null;
  #state: ConnectionState = ConnectionState.OFFLINE;

  constructor(host: ConnectionHost) {
    this.#host = host;
  }

  /** Where it stands. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** The open socket, null while there is none. */
  get socket(): ServerSocket | null {
    return this.#socket;
  }

  /** The server would deliver a ring now. */
  confirm(): void {
    this.#confirmed?.succeed(undefined);
  }

  /**
   * Goes online, once; then stays so in the background. Throws what `dial` throws; ServerUnreachableError: it did not
   * take what this device publishes.
   */
  async start(): Promise<void> {
    await this.stop();
    const run = ++this.#run;
    this.#change(ConnectionState.CONNECTING);
    let socket: ServerSocket;
    try {
      socket = await this.#connect(run);
    } catch (error) {
      if (run === this.#run) this.#change(ConnectionState.OFFLINE);
      throw error instanceof SocketClosedError ? closedError(error) : error;
    }
    void this.#stayOnline(socket, run);
  }

  /** Goes offline after what is queued has left. */
  async stop(): Promise<void> {
    this.#run++;
    this.#wake?.();
    const socket = this.#release();
    if (socket !== null) {
      this.#host.offline();
      await socket.close();
    }
    this.#change(ConnectionState.OFFLINE);
  }

  /** Goes offline now. */
  abort(): void {
    this.#run++;
    this.#wake?.();
    this.#release()?.abort();
    this.#change(ConnectionState.OFFLINE);
  }

  /** The device's network changed, or it woke up: tries at once what it would try or look after later. */
  nudge(): void {
    this.#wake?.();
    if (this.#socket !== null) void this.#probe(this.#socket);
  }

  async #stayOnline(first: ServerSocket, run: number): Promise<void> {
    let socket = first;
    let attempt = 0;
    for (;;) {
      const since = performance.now();
      const closed = await socket.waitClosed();
      if (run !== this.#run) return;
      this.#release();
      this.#host.offline();
      let error = closedError(closed);
      if (isFinal(closed.code)) {
        this.#change(ConnectionState.OFFLINE, error);
        return;
      }
      if (performance.now() - since > SETTLED_SECONDS * 1000) attempt = 0;
      for (;;) {
        await this.#wait(attempt++, error);
        if (run !== this.#run) return;
        this.#change(ConnectionState.CONNECTING);
        try {
          socket = await this.#connect(run);
        } catch (failed) {
          if (run !== this.#run) return;
          error = asClientError(failed);
          if (!isPassing(failed)) {
            this.#change(ConnectionState.OFFLINE, error);
            return;
          }
          continue;
        }
        break;
      }
    }
  }

  async #wait(attempt: number, error: ClientError): Promise<void> {
    const ceiling = this.#host.isBusy ? MAX_BUSY_BACK_OFF_SECONDS : MAX_BACK_OFF_SECONDS;
    let delay = backOff(attempt, ceiling, () => this.#host.draw());
    if (error instanceof RateLimitedError) delay += error.retryAfter;
    this.#change(ConnectionState.WAITING, error, Date.now() / 1000 + delay);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delay * 1000);
      this.#wake = (): void => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }

  /** Dials, and waits until the server would deliver a ring. Held calls go on meanwhile. */
  async #connect(run: number): Promise<ServerSocket> {
    const socket = await this.#host.dial();
    if (run !== this.#run) {
      socket.abort();
      throw new TransportError("You are offline.");
    }
    const confirmed = new Outcome<undefined>();
    this.#confirmed = confirmed;
    this.#adopt(socket);
    const late = setTimeout(() => {
      confirmed.fail(new ServerUnreachableError());
    }, PUBLISHED_SECONDS * 1000);
    void socket.waitClosed().then((closed) => {
      confirmed.fail(closed);
    });
    try {
      await confirmed.promise;
    } catch (error) {
      if (socket === this.#socket) {
        this.#release();
        this.#host.offline();
        socket.abort();
      }
      throw run === this.#run ? error : new TransportError("You are offline.");
    } finally {
      clearTimeout(late);
    }
    this.#change(ConnectionState.ONLINE);
    return socket;
  }

  #adopt(socket: ServerSocket): void {
    this.#socket = socket;
    this.#watch = setInterval(() => {
      this.#look(socket);
    }, WATCH_SECONDS * 1000);
    this.#host.online(socket);
  }

  #release(): ServerSocket | null {
    const socket = this.#socket;
    this.#socket = null;
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = null;
    return socket;
  }

  #look(socket: ServerSocket): void {
    if (this.#host.isBusy) {
      if (socket.silence > BUSY_SILENCE_SECONDS) socket.abort();
    } else if (socket.silence > IDLE_SILENCE_SECONDS) void this.#probe(socket);
  }

  /** A line that nobody hears anything on: is it there? If not, it is cut, and another one dialled. */
  async #probe(socket: ServerSocket): Promise<void> {
    if (this.#isProbing) return;
    this.#isProbing = true;
    let isReached: boolean;
    try {
      isReached = await this.#host.isReached();
    } catch (error) {
      isReached = !(error instanceof TransportError) || error instanceof RateLimitedError;
    } finally {
      this.#isProbing = false;
    }
    if (socket !== this.#socket) return;
    if (isReached) socket.heard();
    else socket.abort();
  }

  #change(state: ConnectionState, error: ClientError | null = null, retryAt: number | null = null): void {
    if (state === this.#state && error === null) return;
    this.#state = state;
    this.#host.connectionChanged({
      type: "connection-changed",
      state,
      reason: error?.message ?? null,
      fault: error?.name ?? null,
      retryAt,
    });
  }
}

function isFinal(code: number): boolean {
  return code === CloseCode.VERSION || code === CloseCode.REVOKED || code === CloseCode.REPLACED;
}

/** Whether another attempt can help. */
function isPassing(failed: unknown): boolean {
  if (failed instanceof SocketClosedError) return !isFinal(failed.code);
  return (
    failed instanceof TransportError &&
    !(failed instanceof VersionMismatchError) &&
    !(failed instanceof ReplacedError)
  );
}

function asClientError(failed: unknown): ClientError {
  if (failed instanceof SocketClosedError) return closedError(failed);
  const isKnown =
    failed instanceof TransportError ||
    failed instanceof IdentityError ||
    failed instanceof UnauthorizedError;
  return isKnown ? failed : new TransportError();
}

function closedError(closed: SocketClosedError): ClientError {
  switch (closed.code) {
    case CloseCode.VERSION:
      return new VersionMismatchError();
    case CloseCode.REVOKED:
      return new RevokedError();
    case CloseCode.REPLACED:
      return new ReplacedError();
    case CloseCode.UNAUTHORIZED:
      return new UnauthorizedError();
    case CloseCode.BUSY:
      return new TransportError("The server has too many connections.");
    default:
      return new TransportError("The connection to the server was lost.");
  }
}

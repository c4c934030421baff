/** HTTP to the server: JSON in and out, no cookies, no cache, no referrer, no redirects. */

import { ErrorCode } from "../core/codes.ts";
import { concat } from "../core/encoding.ts";
import { LocalProtocolError, MalformedError, type WhispError } from "../core/errors.ts";
import type { SessionToken } from "../core/frames.ts";
import {
  InvalidUsernameError,
  RateLimitedError,
  ServerFaultError,
  ServerUnreachableError,
  TransportError,
  UnauthorizedError,
  UsernameTakenError,
  VersionMismatchError,
} from "./errors.ts";
import { Members } from "./json.ts";
import type { Origin } from "./origin.ts";
import type { Fetch } from "./platform.ts";

/** Sixteen bundles of 8 KiB in base64, with room. */
export const MAX_ANSWER_BYTES = 512 * 1024;

/** From sending a request to the end of its answer. */
export const ANSWER_SECONDS = 20;

const MAX_RETRY_SECONDS = 86_400;

/** What a request may carry besides its address. */
export interface RequestParts {
  readonly body?: Readonly<Record<string, unknown>>;
  readonly token?: SessionToken;
  /** Gives the request up when it fires. */
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests to one server. */
export class Http {
  readonly #origin: Origin;
  readonly #fetch: Fetch;
  readonly #underWay = new Set<AbortController>();
  #clockError: number | null = null;

  constructor(origin: Origin, fetch: Fetch) {
    this.#origin = origin;
    this.#fetch = fetch;
  }

  /** Seconds that this clock is ahead of the server's, as of its newest answer; null before the first. */
  get clockError(): number | null {
    return this.#clockError;
  }

  /**
   * Sends a request and gives its 2xx answer, taken apart by `read`, which throws MalformedError.
   *
   * Throws RateLimitedError, UnauthorizedError, UsernameTakenError, InvalidUsernameError as they say;
   * ServerUnreachableError: no connection, or none that answers in time; ServerFaultError: an answer outside the
   * protocol; LocalProtocolError: `signal` fired.
   */
  async request<Answer>(
    method: string,
    path: string,
    read: (members: Members) => Answer,
    parts: RequestParts = {},
  ): Promise<Answer> {
    const { status, retryAfter, content } = await this.#exchange(method, path, parts);
    if (status < 200 || status >= 300) throw refusal(status, retryAfter, content);
    try {
      return read(Members.parse(content));
    } catch (error) {
      if (error instanceof MalformedError) throw new ServerFaultError();
      throw error;
    }
  }

  /** Gives up everything that is under way, now. */
  abort(): void {
    for (const controller of this.#underWay) controller.abort();
    this.#underWay.clear();
  }

  async #exchange(method: string, path: string, parts: RequestParts): Promise<Exchanged> {
    const controller = new AbortController();
    const stop = (): void => {
      controller.abort();
    };
    const timer = setTimeout(stop, ANSWER_SECONDS * 1000);
    parts.signal?.addEventListener("abort", stop, { once: true });
    this.#underWay.add(controller);
    try {
      if (parts.signal?.aborted === true) throw new LocalProtocolError("The request was given up.");
      const headers: Record<string, string> = { Accept: "application/json" };
      if (parts.body !== undefined) headers["Content-Type"] = "application/json";
      if (parts.token !== undefined) headers["Authorization"] = `Bearer ${parts.token.expose()}`;
      const response = await this.#fetch(this.#origin.at(path), {
        method,
        headers,
        ...(parts.body === undefined ? {} : { body: JSON.stringify(parts.body) }),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
        signal: controller.signal,
      });
      this.#compareClocks(response.headers.get("Date"));
      const content = await readBounded(response);
      return { status: response.status, retryAfter: response.headers.get("Retry-After"), content };
    } catch (error) {
      if (error instanceof ServerFaultError || error instanceof LocalProtocolError) throw error;
      if (parts.signal?.aborted === true) throw new LocalProtocolError("The request was given up.");
      throw new ServerUnreachableError(); // what a platform says of it names addresses
    } finally {
      clearTimeout(timer);
      parts.signal?.removeEventListener("abort", stop);
      this.#underWay.delete(controller);
    }
  }

  #compareClocks(date: string | null): void {
    const theirs = date === null ? NaN : Date.parse(date);
    if (!Number.isNaN(theirs)) this.#clockError = (Date.now() - theirs) / 1000;
  }
}

interface Exchanged {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly content: Uint8Array;
}

async function readBounded(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(...parts);
    length += value.length;
    if (length > MAX_ANSWER_BYTES) {
      await reader.cancel().catch(() => undefined);
      throw new ServerFaultError();
    }
    parts.push(value);
  }
}

function refusal(status: number, retryAfter: string | null, content: Uint8Array): WhispError {
  if (status === 429) return new RateLimitedError(secondsOf(retryAfter));
  if (status === 502 || status === 503 || status === 504) {
    return new ServerUnreachableError("The server is not available right now.");
  }
  let code: string;
  try {
    code = Members.parse(content).text("error");
  } catch {
    return status === 404 ? new VersionMismatchError() : new ServerFaultError();
  }
  switch (code) {
    case ErrorCode.UNAUTHORIZED:
    case ErrorCode.FORBIDDEN:
      return new UnauthorizedError();
    case ErrorCode.USERNAME_TAKEN:
      return new UsernameTakenError();
    case ErrorCode.BAD_USERNAME:
      return new InvalidUsernameError();
    case ErrorCode.MISDIRECTED:
      return new TransportError("The server does not answer for this address.");
    default:
      return new ServerFaultError();
  }
}

function secondsOf(retryAfter: string | null): number {
  const seconds = Number.parseFloat(retryAfter ?? "1");
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), MAX_RETRY_SECONDS) : 1;
}

/** The server's origin: where to dial, and the exact text that log-ins sign. */

import { LocalProtocolError } from "../core/errors.ts";

/** Scheme, host and port in their one canonical form (RFC 6454): lower case, default port left out. */
export class Origin {
  readonly #url: URL;

  private constructor(url: URL) {
    this.#url = url;
  }

  /**
   * The origin named by `text`. Throws LocalProtocolError: not an http or https origin, more than an origin, or
   * plain http to a host that is not loopback.
   */
  static parse(text: string): Origin {
    const url = URL.canParse(text) ? new URL(text) : null;
    const hasMore = url !== null && (url.pathname !== "/" || url.search + url.hash + url.username !== "");
    if (url === null || hasMore || (url.protocol !== "https:" && url.protocol !== "http:")) {
      throw new LocalProtocolError("A server address looks like https://chat.example, with nothing behind.");
    }
    const origin = new Origin(url);
    if (!origin.isSecure && !origin.isLoopback) {
      throw new LocalProtocolError("Plain http would show your log-in to the network. Use https.");
    }
    return origin;
  }

  /** The text that is signed. */
  toString(): string {
    return this.#url.origin;
  }

  /** Whether TLS protects the way. */
  get isSecure(): boolean {
    return this.#url.protocol === "https:";
  }

  /** Whether nothing leaves this machine. */
  get isLoopback(): boolean {
    const host = this.#url.hostname;
    return host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/u.test(host);
  }

  /** Where the socket connects. It carries no secret: the token travels in HELLO. */
  get webSocketUrl(): string {
    return `${this.isSecure ? "wss" : "ws"}://${this.#url.host}/v1/connect`;
  }

  /** The address of a path of the API. */
  at(path: string): string {
    return this.#url.origin + path;
  }
}

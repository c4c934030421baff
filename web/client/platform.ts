/** What the client takes from where it runs: a browser's worker, or a test. */

import type { Primitives } from "../core/primitives.ts";
import type { RtcStack } from "./rtc/port.ts";

/** The part of `fetch` that is used here. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The part of a browser's WebSocket that is used here. */
export interface SocketPart {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  onerror: (() => void) | null;
  send(data: Uint8Array): void;
  close(code?: number): void;
}

/** One platform. */
export interface Platform {
  readonly primitives: Primitives;
  readonly fetch: Fetch;
  /** Begins to connect. */
  readonly openSocket: (url: string) => SocketPart;
  /** WebRTC, where there is any: then calls can go over more than the server's relay. */
  readonly rtc?: RtcStack;
}

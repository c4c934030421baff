/** Node in place of a browser's worker: its fetch, and `ws` for a WebSocket. */

import WebSocket from "ws";

import type { Platform, SocketPart } from "../../client/platform.ts";
import { primitives } from "../platform.ts";

/** A socket as a browser's would behave. */
export function openSocket(url: string): SocketPart {
  return new WebSocket(url, { perMessageDeflate: false }) as unknown as SocketPart;
}

/** The platform that tests run on; parts of it can be replaced. */
export function nodePlatform(change: Partial<Platform> = {}): Platform {
  return { primitives, fetch: async (url, init) => fetch(url, init), openSocket, ...change };
}

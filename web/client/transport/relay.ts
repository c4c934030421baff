/** Frames through the server's blind relay: the usual way, and the one that shows nobody's address. */

import { concat, u8 } from "../../core/encoding.ts";
import { FrameType } from "../../core/frames.ts";
import type { RouteId } from "../../core/ids.ts";
import type { ServerSocket } from "../server-socket.ts";
import type { Transport } from "./transport.ts";

/** One call's route on one socket. Closing it leaves the socket alone: other calls use it too. */
export class RelayTransport implements Transport {
  readonly #socket: ServerSocket;
  readonly #head: Uint8Array;
  #isOpen = true;

  constructor(socket: ServerSocket, route: RouteId) {
    this.#socket = socket;
    this.#head = concat(u8(FrameType.RELAY), route);
  }

  send(frame: Uint8Array): void {
    if (this.#isOpen) this.#socket.send(concat(this.#head, frame));
  }

  get isFull(): boolean {
    return this.#isOpen && this.#socket.isFull;
  }

  async drain(): Promise<void> {
    if (this.#isOpen) await this.#socket.drain();
  }

  close(): void {
    this.#isOpen = false;
  }
}

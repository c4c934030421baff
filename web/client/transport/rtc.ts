/** Frames through a DataChannel, which the page holds: at most so many bytes are on the way to it. */

import { Changes } from "../outcome.ts";
import { CREDIT_HIGH_BYTES, CREDIT_LOW_BYTES } from "../rtc/port.ts";
import type { Transport } from "./transport.ts";

/** One connection's way out. `post` takes over the memory of the frame. */
export class RtcTransport implements Transport {
  readonly #post: (frame: ArrayBuffer) => void;
  readonly #room = new Changes();
  #underWay = 0;
  #isOpen = true;

  constructor(post: (frame: ArrayBuffer) => void) {
    this.#post = post;
  }

  send(frame: Uint8Array, isGiven = false): void {
    if (!this.#isOpen) return;
    this.#underWay += frame.length;
    const mayMove =
      isGiven && frame.buffer instanceof ArrayBuffer && frame.buffer.byteLength === frame.length;
    // else a copy: what was sent is kept, to be sent again on another line
    this.#post(mayMove ? frame.buffer : frame.slice().buffer);
  }

  get isFull(): boolean {
    return this.#isOpen && this.#underWay >= CREDIT_HIGH_BYTES;
  }

  async drain(): Promise<void> {
    if (!this.isFull) return;
    while (this.#isOpen && this.#underWay > CREDIT_LOW_BYTES) await this.#room.next();
  }

  close(): void {
    this.#isOpen = false;
    this.#room.tell();
  }

  /** The channel has taken so many bytes. */
  sent(bytes: number): void {
    this.#underWay = Math.max(0, this.#underWay - bytes);
    if (this.#underWay <= CREDIT_LOW_BYTES) this.#room.tell();
  }
}

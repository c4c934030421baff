/** Two ends of a way inside one worker: for tests, and for programs that talk to themselves. */

import { Changes } from "../outcome.ts";
import type { FrameHandler, Transport } from "./transport.ts";

/** Frames under way at which the sender waits. */
const FULL_FRAMES = 64;

/** One end; `pair` makes two. `tamper`, if set, gets every frame sent and says what arrives instead. */
export class MemoryTransport implements Transport {
  tamper: ((frame: Uint8Array) => Uint8Array[]) | null = null;
  #peer: MemoryTransport | null = null;
  #handler: FrameHandler | null = null;
  #queue: Uint8Array[] = [];
  #isScheduled = false;
  readonly #room = new Changes();

  /** Two ends that are joined. */
  static pair(): [MemoryTransport, MemoryTransport] {
    const [one, two] = [new MemoryTransport(), new MemoryTransport()];
    one.#peer = two;
    two.#peer = one;
    return [one, two];
  }

  /** Hands frames that arrive at this end to `handler` from now on, those that waited first. */
  deliverTo(handler: FrameHandler): void {
    this.#handler = handler;
    this.#schedule();
  }

  send(frame: Uint8Array): void {
    if (this.#peer === null) return;
    this.#peer.#queue.push(...(this.tamper === null ? [frame] : this.tamper(frame)));
    this.#peer.#schedule();
  }

  get isFull(): boolean {
    return this.#peer !== null && this.#peer.#queue.length >= FULL_FRAMES;
  }

  async drain(): Promise<void> {
    while (this.isFull) await this.#room.next();
  }

  close(): void {
    this.#peer = null;
    this.#handler = null;
    this.#room.tell();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#queue.length === 0) return;
    this.#isScheduled = true;
    setTimeout(() => {
      this.#isScheduled = false;
      const arrived = this.#queue;
      this.#queue = [];
      for (const frame of arrived) this.#handler?.(frame);
      if (this.#peer !== null) this.#peer.#room.tell();
    }, 0);
  }
}

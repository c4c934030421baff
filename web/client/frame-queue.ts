/** Frames that arrived and were not opened yet: in order, and bounded. */

/** A peer keeps at most 1 MiB of contents unconfirmed, and receipts besides. */
export const MAX_QUEUED_BYTES = 2 * 1024 * 1024;
export const MAX_QUEUED_FRAMES = 1024;

/**
 * Sealed frames, opened one after another by `open`, which may wait for crypto. When too many wait, the newest are
 * dropped: to the session that is a line that lost them, and it asks for them again.
 */
export class FrameQueue {
  readonly #open: (frame: Uint8Array) => Promise<void>;
  readonly #frames: Uint8Array[] = [];
  #bytes = 0;
  #isOpening = false;
  #isHeld = false;

  constructor(open: (frame: Uint8Array) => Promise<void>) {
    this.#open = open;
  }

  /** How many frames wait. */
  get length(): number {
    return this.#frames.length;
  }

  /** Takes a frame that arrived. */
  put(frame: Uint8Array): void {
    if (this.#frames.length >= MAX_QUEUED_FRAMES || this.#bytes + frame.length > MAX_QUEUED_BYTES) return;
    this.#frames.push(frame);
    this.#bytes += frame.length;
    if (!this.#isOpening) void this.#openAll();
  }

  /** Leaves frames unopened, or goes on. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld && !this.#isOpening) void this.#openAll();
  }

  /** Drops all of them. */
  clear(): void {
    this.#frames.length = 0;
    this.#bytes = 0;
  }

  async #openAll(): Promise<void> {
    this.#isOpening = true;
    try {
      for (;;) {
        const frame = this.#isHeld ? undefined : this.#frames.shift();
        if (frame === undefined) return;
        this.#bytes -= frame.length;
        await this.#open(frame);
      }
    } finally {
      this.#isOpening = false;
    }
  }
}

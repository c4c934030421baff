/**
 * What this side has said and the peer has not confirmed: numbered, kept as the very bytes that were sent.
 *
 * Ratchet keys are used once, so asking again brings the identical frame, never a second encryption
 * (spec/session.md, Resending).
 */

import { MAX_NUMBER, type Resume } from "./content/index.ts";
import { LocalProtocolError } from "./errors.ts";

/**
 * Counted contents that may wait for confirmation at once. The ratchet bridges 256 missing messages of one
 * chain. Receipts, life signs and typing share the chain, so this leaves them more than half.
 */
export const MAX_UNCONFIRMED = 96;

/** Frames kept for resending: thirty of the longest texts. Checked before a send, so one more may go over. */
export const MAX_UNCONFIRMED_BYTES = 1024 * 1024;

/** No frame is resent sooner after it was last sent: bounds what a greedy peer can pull. */
export const RESEND_SECONDS = 0.2;

/** How often a peer may announce a new path and pull everything regardless of RESEND_SECONDS. */
export const NEW_PATH_SECONDS = 1;

/** How long a confirmation may be late before a heartbeat asks for it; doubles with each that stays alone. */
export const PROBE_SECONDS = 2;

/** Too much waits for confirmation. Send again after the next Delivered. */
export class OutboxFullError extends LocalProtocolError {
  override readonly name: string = "OutboxFullError";

  constructor() {
    super("Too many messages wait for the other side to confirm them.");
  }
}

interface SentFrame {
  readonly frame: Uint8Array;
  sentAt: number;
}

/** Numbers the counted contents, and keeps each one's frame until the peer confirms it. Times are seconds. */
export class Outbox {
  /** By number, ascending. */
  readonly #sent = new Map<number, SentFrame>();
  #lastNumber = 0;
  #bytes = 0;
  #newPathAt = -Infinity;
  #probeAt: number | null = null;
  #probeWait = PROBE_SECONDS;

  /** The number of the last counted content, 0 before the first. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Whether `nextNumber` would throw OutboxFullError. */
  get isFull(): boolean {
    return this.#sent.size >= MAX_UNCONFIRMED || this.#bytes >= MAX_UNCONFIRMED_BYTES;
  }

  /** How many contents wait for confirmation. */
  get unconfirmed(): number {
    return this.#sent.size;
  }

  /** When to ask for an overdue confirmation, null while none is due. */
  get probeAt(): number | null {
    return this.#probeAt;
  }

  /**
   * The number the next counted content will carry; `keep` uses it up.
   * Throws OutboxFullError: the peer has to confirm some first; LocalProtocolError: 2^32 - 1 were sent.
   */
  nextNumber(): number {
    if (this.isFull) throw new OutboxFullError();
    if (this.#lastNumber >= MAX_NUMBER) {
      throw new LocalProtocolError("this session has no content numbers left");
    }
    return this.#lastNumber + 1;
  }

  /** Keeps the frame of the content that carries `nextNumber`. */
  keep(frame: Uint8Array, now: number): void {
    this.#lastNumber++;
    this.#sent.set(this.#lastNumber, { frame, sentAt: now });
    this.#bytes += frame.length;
    this.#probeAt ??= now + this.#probeWait;
  }

  /** Forgets all frames up to this number: the peer has them, or said it gave up on them. */
  confirm(upTo: number, now: number): void {
    for (const [number, { frame }] of this.#sent) {
      if (number > upTo) break;
      this.#bytes -= frame.length;
      this.#sent.delete(number);
    }
    this.#probeWait = PROBE_SECONDS;
    this.#probeAt = this.#sent.size > 0 ? now + PROBE_SECONDS : null;
  }

  /** Notes that a heartbeat went out: the next is due after twice the wait, `atMost` seconds. */
  probed(now: number, atMost: number): void {
    if (this.#probeAt === null) return;
    this.#probeWait = Math.min(2 * this.#probeWait, atMost);
    this.#probeAt = now + this.#probeWait;
  }

  /**
   * The frames a RESUME asks for, as they were sent, oldest first. Those confirmed, or resent a moment ago,
   * are left out.
   */
  answer(resume: Resume, now: number): Uint8Array[] {
    const isNewPath = resume.isNewPath && now >= this.#newPathAt + NEW_PATH_SECONDS;
    if (isNewPath) this.#newPathAt = now;
    const numbers = [...resume.holes];
    if (resume.isNewPath) {
      for (const number of this.#sent.keys()) if (number > resume.highest) numbers.push(number);
    }
    const frames: Uint8Array[] = [];
    for (const number of numbers) {
      const sent = this.#sent.get(number);
      if (sent === undefined || !(isNewPath || now >= sent.sentAt + RESEND_SECONDS)) continue;
      sent.sentAt = now;
      frames.push(sent.frame);
    }
    return frames;
  }
}

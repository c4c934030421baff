/** What every state of a handshake promises: it gives way once, and only to what was verified whole. */

import { ConsumedStateError } from "../errors.ts";
import { SecretState } from "../secret.ts";
import { Serial } from "../serial.ts";

/** The secrets that a state holds. */
export interface Held {
  /** Zeroes and drops them. */
  wipe(): void;
}

/**
 * A state of a call that is about to be. Its operations run one after another. `wipe` takes effect at once: an
 * operation that waits for crypto meanwhile gives nothing.
 */
export abstract class CallState<H extends Held> extends SecretState {
  readonly #turns = new Serial();
  #held: H | null;

  protected constructor(held: H) {
    super();
    this.#held = held;
  }

  /** Whether this state has not given way yet. */
  get isLive(): boolean {
    return this.#held !== null;
  }

  /** Drops every secret of this state; each later use throws ConsumedStateError. */
  wipe(): void {
    this.#held?.wipe();
    this.#held = null;
  }

  /**
   * Runs `operation` in its turn. When it succeeds this state ends, and its result is given; when it throws, the
   * state is as before. `drop` wipes a result that came too late. Throws ConsumedStateError.
   */
  protected async giveWay<T>(
    operation: (held: H) => Promise<T>,
    drop: (result: T) => void = () => undefined,
  ): Promise<T> {
    return this.#turns.run(async () => {
      const held = this.#held;
      if (held === null) throw this.#ended();
      let result: T;
      try {
        result = await operation(held);
      } catch (error) {
        throw this.isLive ? error : this.#ended(); // a wiped secret is a sign of the end, not the reason
      }
      if (!this.isLive) {
        drop(result);
        throw this.#ended();
      }
      this.wipe();
      return result;
    });
  }

  #ended(): ConsumedStateError {
    return new ConsumedStateError(`this ${this.kind} has ended`);
  }
}

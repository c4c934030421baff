/** Operations on one state machine happen one after another, also where each of them waits for crypto. */

/** A queue that runs one operation at a time, in the order they came in. A failed one does not stop the rest. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `operation` once all before it are over; gives its result, or throws what it threw. */
  async run<T>(operation: () => T | Promise<T>): Promise<T> {
    const turn = this.#last.then(operation);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

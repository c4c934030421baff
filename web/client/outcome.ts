/** A promise that its owner settles, once, and whose failure nobody has to await. */

/** One result to come. `promise` may be awaited by any number of others, or by none. */
export class Outcome<T> {
  readonly promise: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (error: Error) => void;
  #isDone = false;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.promise.catch(() => undefined);
  }

  /** Whether it succeeded or failed. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** It came out well; a second end changes nothing. */
  succeed(value: T): void {
    this.#isDone = true;
    this.#resolve(value);
  }

  /** It failed; a second end changes nothing. */
  fail(error: Error): void {
    this.#isDone = true;
    this.#reject(error);
  }
}

/** Many who wait for one thing to change. */
export class Changes {
  #waiting: (() => void)[] = [];

  /** Resolves at the next `tell`. */
  async next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Wakes everyone who waits. */
  tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

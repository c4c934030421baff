/**
 * One clock for everything with a deadline: it reads like Unix time and never runs back.
 *
 * A browser's monotonic clock may stand still while the device sleeps. A wall clock that went further than the
 * monotonic one is therefore believed: a device that slept through the hold of a call finds the call over.
 */

/** How far the wall clock must be ahead to mean sleep: time servers correct by less. */
const SLEEP_SECONDS = 2;

/** Unix seconds that only go forward. */
export class Clock {
  #now = Date.now() / 1000;
  #wall = Date.now() / 1000;
  #monotonic = performance.now() / 1000;

  /** Unix seconds, as of the wall clock when this clock was made. */
  now(): number {
    const wall = Date.now() / 1000;
    const monotonic = performance.now() / 1000;
    const passed = Math.max(0, monotonic - this.#monotonic);
    const onWall = wall - this.#wall;
    this.#now += onWall > passed + SLEEP_SECONDS ? onWall : passed;
    this.#wall = wall;
    this.#monotonic = monotonic;
    return this.#now;
  }
}

/**
 * One timer that is set again and again: it rings at the earliest time it was set to, or a little before.
 * Whoever it calls looks at what is due and sets it anew.
 */
export class Alarm {
  readonly #ring: () => void;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #at = 0;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings at `at`, or earlier if it was set so before: moving it for every frame would cost more. */
  set(at: number, now: number): void {
    if (this.#timer !== null) {
      if (this.#at <= at) return;
      clearTimeout(this.#timer);
    }
    this.#at = at;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#ring();
      },
      Math.max(0, at - now) * 1000,
    );
  }

  /** Rings no more. */
  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

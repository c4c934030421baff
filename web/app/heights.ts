/** Heights of rows that may never have been drawn: the arithmetic of a long list that draws only what is seen. */

/** The rows `first` to `last` (excluded) are drawn; `before` and `after` are the room the others take, pixels. */
export interface Window {
  readonly first: number;
  readonly last: number;
  readonly before: number;
  readonly after: number;
}

/** Measured heights by key, and offsets computed from them when they are needed. */
export class Heights {
  readonly #estimate: number;
  readonly #measured = new Map<string, number>();
  #keys: readonly string[] = [];
  #offsets = new Float64Array(1);
  #stale = true;

  /** `estimate` is the height of a row nobody has drawn yet, pixels. */
  constructor(estimate: number) {
    this.#estimate = estimate;
  }

  /** Says which rows there are, oldest first. */
  show(keys: readonly string[]): void {
    this.#keys = keys;
    this.#stale = true;
    if (this.#measured.size > 2 * keys.length + 100) this.#forget();
  }

  /** Notes what a drawn row measures; says whether that is news. */
  measure(key: string, height: number): boolean {
    if (this.#measured.get(key) === height) return false;
    this.#measured.set(key, height);
    this.#stale = true;
    return true;
  }

  /** The height of all rows, pixels. */
  get total(): number {
    return this.#offset(this.#keys.length);
  }

  /** Where row `index` begins, pixels from the first. */
  top(index: number): number {
    return this.#offset(Math.min(Math.max(0, index), this.#keys.length));
  }

  /** The row at `y` pixels from the first. */
  at(y: number): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#offset(middle) <= y) low = middle;
      else high = middle - 1;
    }
    return Math.min(low, Math.max(0, this.#keys.length - 1));
  }

  /** What to draw when `from` to `to` pixels are seen, with `spare` pixels on either side. */
  window(from: number, to: number, spare: number): Window {
    if (this.#keys.length === 0) return { first: 0, last: 0, before: 0, after: 0 };
    const first = this.at(from - spare);
    const last = Math.min(this.#keys.length, this.at(to + spare) + 1);
    const before = this.#offset(first);
    return { first, last, before, after: this.total - this.#offset(last) };
  }

  #offset(index: number): number {
    if (this.#stale) this.#compute();
    return this.#offsets[index] ?? 0;
  }

  #compute(): void {
    const offsets = new Float64Array(this.#keys.length + 1);
    let sum = 0;
    for (const [index, key] of this.#keys.entries()) {
      sum += this.#measured.get(key) ?? this.#estimate;
      offsets[index + 1] = sum;
    }
    this.#offsets = offsets;
    this.#stale = false;
  }

  #forget(): void {
    const present = new Set(this.#keys);
    for (const key of this.#measured.keys()) if (!present.has(key)) this.#measured.delete(key);
  }
}

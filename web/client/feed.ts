/** A bounded stream of what happens, for one reader at a time. */

import { Changes } from "./outcome.ts";

/** Keeps the newest `limit` items for a reader; older ones fall out. It ends when closed. */
export class Feed<Item> {
  readonly #limit: number;
  readonly #changes = new Changes();
  #items: Item[] = [];
  #isClosed = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds an item. After the close it goes nowhere. */
  put(item: Item): void {
    if (this.#isClosed) return;
    this.#items.push(item);
    if (this.#items.length > this.#limit) this.#items.shift();
    this.#changes.tell();
  }

  /** Lets the reader take what is left and stop. */
  close(): void {
    this.#isClosed = true;
    this.#changes.tell();
  }

  /** Items as they come, until the feed is closed and empty. */
  async *read(): AsyncGenerator<Item, void, undefined> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else if (this.#isClosed) return;
      else await this.#changes.next();
    }
  }
}

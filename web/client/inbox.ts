/** The bounded queue between a conversation and its application. */

import type { ConversationEvent } from "./events.ts";
import { Changes } from "./outcome.ts";

/** Unread events at which nothing more of the peer is read: more than a screen, little memory. */
export const FULL = 256;
export const ROOM_AGAIN = 128;

/** Events in order, with what only says "how far" kept once: the newest stands for those before it. */
export class Inbox {
  readonly #onFull: (isFull: boolean) => void;
  readonly #changes = new Changes();
  readonly #events: ConversationEvent[] = [];
  #isFull = false;

  /** `onFull` is called with true when the application is behind, with false when it caught up. */
  constructor(onFull: (isFull: boolean) => void) {
    this.#onFull = onFull;
  }

  /** How many events are unread. */
  get length(): number {
    return this.#events.length;
  }

  /** Whether the application is behind. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Queues an event, or lets it replace an unread one that it makes pointless. */
  put(event: ConversationEvent): void {
    if (!this.#replace(event)) this.#events.push(event);
    this.#changes.tell();
    if (this.#events.length >= FULL && !this.#isFull) {
      this.#isFull = true;
      this.#onFull(true);
    }
  }

  /** Takes the oldest event, waiting for one. `ended` stays, for whoever asks again. */
  async get(): Promise<ConversationEvent> {
    for (;;) {
      const event = this.#events[0];
      if (event === undefined) {
        await this.#changes.next();
        continue;
      }
      if (event.type === "ended") return event;
      this.#events.shift();
      if (this.#isFull && this.#events.length <= ROOM_AGAIN) {
        this.#isFull = false;
        this.#onFull(false);
      }
      return event;
    }
  }

  /** Events as they come; the last is `ended`. */
  async *untilEnd(): AsyncGenerator<ConversationEvent, void, undefined> {
    for (;;) {
      const event = await this.get();
      yield event;
      if (event.type === "ended") return;
    }
  }

  /** Drops what is unread. */
  clear(): void {
    this.#events.length = 0;
  }

  #replace(event: ConversationEvent): boolean {
    const merged = mergedWithLast(this.#events.at(-1), event);
    if (merged !== null) {
      this.#events[this.#events.length - 1] = merged;
      return true;
    }
    const key = keyOf(event);
    const place = key === null ? -1 : this.#events.findIndex((old) => keyOf(old) === key);
    if (place < 0) return false;
    this.#events[place] = event;
    return true;
  }
}

function mergedWithLast(
  last: ConversationEvent | undefined,
  event: ConversationEvent,
): ConversationEvent | null {
  if (last === undefined) return null;
  if (event.type === "line-changed") return last.type === "line-changed" ? event : null;
  if (event.type !== "delivered" && event.type !== "read") return null;
  return last.type === event.type && last.id + 1 === event.first ? { ...event, first: last.first } : null;
}

/** What two events share of which only the newest matters, null for all others. */
function keyOf(event: ConversationEvent): string | null {
  if (event.type === "file-progress") return `file ${event.fileId}`;
  return event.type === "typing" ? `typing ${event.member.username}` : null;
}

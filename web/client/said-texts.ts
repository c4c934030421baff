/** Which texts of a conversation can still be edited, deleted or reacted to, and what of that is told. */

import {
  Author,
  type MessageReference,
  type Reaction,
  type Text,
  type TextDelete,
  type TextEdit,
} from "../core/content/index.ts";
import { LocalProtocolError } from "../core/errors.ts";
import type { ConversationEvent, Quote } from "./events.ts";
import type { Member } from "./people.ts";

/** Older texts of a side cannot be changed any more: what a peer says must not fill memory. */
export const MAX_TEXTS_KEPT = 10_000;

const NO_OWN_TEXT = "no text of this side has that number, or it was deleted";

/** What is said, and what of that is said to be otherwise. */
export type SaidOfTexts = Text | TextEdit | TextDelete | Reaction;

/**
 * The numbers of the last texts of both sides; no content. A deleted one is forgotten at once.
 *
 * What the peer says of a text that is not among them is told nobody, so an application only hears of changes to
 * texts it was given.
 */
export class SaidTexts {
  readonly #peer: Member;
  readonly #own = new Set<number>();
  readonly #theirs = new Set<number>();

  constructor(peer: Member) {
    this.#peer = peer;
  }

  /** Notes an own text. */
  sent(number: number): void {
    keep(this.#own, number);
  }

  /** The edit of a text of this side. Throws LocalProtocolError if it is none. */
  edit(number: number, body: string): TextEdit {
    if (!this.#own.has(number)) throw new LocalProtocolError(NO_OWN_TEXT);
    return { type: "text-edit", number, body };
  }

  /** The deletion of a text of this side, which is forgotten here. Throws LocalProtocolError if it is none. */
  deletion(number: number): TextDelete {
    if (!this.#own.delete(number)) throw new LocalProtocolError(NO_OWN_TEXT);
    return { type: "text-delete", number };
  }

  /** A reaction to a text of either side. Throws LocalProtocolError if it is none. */
  reaction(to: Quote, symbol: string): Reaction {
    if (!this.#has(to)) throw new LocalProtocolError("no text has that number, or it was deleted");
    return { type: "reaction", to: referenceOf(to), symbol };
  }

  /** Takes what the peer said; gives what to tell, null when it concerns no text that is known. */
  heard(number: number, content: SaidOfTexts, at: number): ConversationEvent | null {
    const sender = this.#peer;
    switch (content.type) {
      case "text": {
        keep(this.#theirs, number);
        const replyTo = content.replyTo === null ? null : quoteOf(content.replyTo);
        return { type: "text-received", id: number, sender, text: content.body, at, replyTo };
      }
      case "text-edit": {
        if (!this.#theirs.has(content.number)) return null;
        return { type: "text-edited", id: content.number, sender, text: content.body, at };
      }
      case "text-delete": {
        if (!this.#theirs.delete(content.number)) return null;
        return { type: "text-deleted", id: content.number, sender };
      }
      case "reaction": {
        const to = quoteOf(content.to);
        return this.#has(to) ? { type: "reacted", to, sender, symbol: content.symbol } : null;
      }
    }
  }

  #has(to: Quote): boolean {
    return (to.isOwn ? this.#own : this.#theirs).has(to.id);
  }
}

/** A text, perhaps in answer to one. */
export function textOf(body: string, replyTo: Quote | null): Text {
  return { type: "text", body, replyTo: replyTo === null ? null : referenceOf(replyTo) };
}

/** What names `quote` on the way to the peer. */
function referenceOf(quote: Quote): MessageReference {
  return { author: quote.isOwn ? Author.SENDER : Author.RECEIVER, number: quote.id };
}

/** What a reference of the peer means here. */
function quoteOf(reference: MessageReference): Quote {
  return { isOwn: reference.author === Author.RECEIVER, id: reference.number };
}

function keep(numbers: Set<number>, number: number): void {
  numbers.add(number);
  if (numbers.size <= MAX_TEXTS_KEPT) return;
  for (const oldest of numbers) {
    numbers.delete(oldest);
    return;
  }
}

/** From what the core says happened to what an application is told, and back. */

import { Author, type MessageReference, type Text } from "../core/content/index.ts";
import type { Event } from "../core/events.ts";
import type { ConversationEvent, Quote, TextReceived } from "./events.ts";
import type { Member } from "./people.ts";

type Told = Extract<Event, { type: "delivered" | "read" | "undelivered" | "gap" | "content-refused" }>;

/** What is told of how far contents got. */
export function toldOf(event: Told): ConversationEvent {
  switch (event.type) {
    case "delivered":
    case "read":
      return { type: event.type, id: event.upTo, first: event.first };
    case "undelivered":
      return { type: "undelivered", id: event.last, first: event.first };
    case "gap":
      return { type: "gap", count: event.count };
    case "content-refused":
      return { type: "gap", count: 1 };
  }
}

/** A text of `sender` that arrived at that time. */
export function receivedText(id: number, content: Text, sender: Member, at: number): TextReceived {
  return { type: "text-received", id, sender, text: content.body, at, replyTo: quoteOf(content.replyTo) };
}

/** What goes into a text that answers `quote`. */
export function referenceOf(quote: Quote | null): MessageReference | null {
  if (quote === null) return null;
  return { author: quote.isOwn ? Author.SENDER : Author.RECEIVER, number: quote.id };
}

/** What a reference of the peer means here. */
function quoteOf(reference: MessageReference | null): Quote | null {
  if (reference === null) return null;
  return { isOwn: reference.author === Author.RECEIVER, id: reference.number };
}

/** What the core gives a conversation, sorted: which part of it takes a content, and what an application is told. */

import type { Content, ListUpdate, Typing } from "../core/content/index.ts";
import type { Event } from "../core/events.ts";
import type { ConversationEvent } from "./events.ts";
import type { LineContent } from "./lines.ts";
import type { SaidOfTexts } from "./said-texts.ts";
import type { FileContent } from "./file-transfer.ts";

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

/** A content, and which part of a conversation takes it. */
export type SortedOut =
  | { readonly to: "texts"; readonly content: SaidOfTexts }
  | { readonly to: "files"; readonly content: FileContent }
  | { readonly to: "lines"; readonly content: LineContent }
  | { readonly to: "list"; readonly content: ListUpdate }
  | { readonly to: "typing"; readonly content: Typing }
  | { readonly to: "session" };

/** Says which part of a conversation takes a content. */
export function sortedOut(content: Content): SortedOut {
  switch (content.type) {
    case "text":
    case "text-edit":
    case "text-delete":
    case "reaction":
      return { to: "texts", content };
    case "typing":
      return { to: "typing", content };
    case "file-offer":
    case "file-request":
    case "file-ack":
    case "file-cancel":
    case "file-done":
      return { to: "files", content };
    case "list-update":
      return { to: "list", content };
    case "direct-consent":
    case "line-offer":
    case "line-answer":
    case "rtc-offer":
    case "rtc-answer":
    case "rtc-candidates":
    case "rtc-close":
      return { to: "lines", content };
    case "receipt":
    case "heartbeat":
    case "resume":
    case "bye":
    case "list-report":
      return { to: "session" };
  }
}

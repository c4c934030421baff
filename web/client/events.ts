/**
 * What happens, as values: the events of a conversation and those of a client.
 *
 * A conversation gives `ConversationEvent`s in the sender's order; `ended` is always the last.
 * `Client.events()` gives `ClientEvent`s.
 */

import type { Username } from "../core/ids.ts";
import type { EndReason, FileFault } from "./errors.ts";
import type { IncomingFile } from "./incoming-file.ts";
import type { Member } from "./people.ts";

/** How frames travel now. */
export const Line = {
  /** Through the server; the peer does not learn this address. */
  RELAYED: "relayed",
  /** Straight to the peer, which then knows this address. */
  DIRECT: "direct",
  /** Down; the call is kept for up to 60 s and what is sent waits. */
  HELD: "held",
  GONE: "gone",
} as const;
export type Line = (typeof Line)[keyof typeof Line];

/** What carries the frames of a line that is up. */
export const Via = {
  /** The server's blind relay. */
  SERVER: "server",
  /** A WebRTC DataChannel through the server's TURN. */
  TURN: "turn",
  /** A WebRTC DataChannel straight to the peer. */
  DIRECT: "direct",
} as const;
export type Via = (typeof Via)[keyof typeof Via];

/** A message said earlier in this conversation, as seen from this side. */
export interface Quote {
  readonly isOwn: boolean;
  readonly id: number;
}

/** A text on its way. `delivered` and `read` name it by `id`; `at` is Unix seconds on this device. */
export interface SentMessage {
  readonly id: number;
  readonly text: string;
  readonly at: number;
  readonly replyTo: Quote | null;
}

/** A text, decrypted and in order. `id` is the sender's number for it; pass it to `markRead`. */
export interface TextReceived {
  readonly type: "text-received";
  readonly id: number;
  readonly sender: Member;
  readonly text: string;
  /** When it arrived here, Unix seconds. */
  readonly at: number;
  readonly replyTo: Quote | null;
}

/** The peer's text `id` says `text` from now on. Told only of a text that came and was not deleted. */
export interface TextEdited {
  readonly type: "text-edited";
  readonly id: number;
  readonly sender: Member;
  readonly text: string;
  /** When the edit arrived here, Unix seconds. */
  readonly at: number;
}

/** The peer deleted its text `id`: show and keep it no more. */
export interface TextDeleted {
  readonly type: "text-deleted";
  readonly id: number;
  readonly sender: Member;
}

/** The peer reacts to a text, its own or ours, in place of its reaction before. */
export interface Reacted {
  readonly type: "reacted";
  readonly to: Quote;
  readonly sender: Member;
  /** Up to 32 bytes without characters that act or hide; empty takes the reaction back. */
  readonly symbol: string;
}

/** The peer decrypted our messages `first` to `id`. */
export interface Delivered {
  readonly type: "delivered";
  readonly id: number;
  readonly first: number;
}

/** The peer's person saw our messages `first` to `id`. `delivered` for them came before. */
export interface Read {
  readonly type: "read";
  readonly id: number;
  readonly first: number;
}

/** The peer gave up on our messages `first` to `id`: they never reached it. Say them again. */
export interface Undelivered {
  readonly type: "undelivered";
  readonly id: number;
  readonly first: number;
}

/** Someone began or stopped typing. */
export interface Typing {
  readonly type: "typing";
  readonly member: Member;
  readonly active: boolean;
}

/** A file is on offer; nothing of it moves until `file.accept`. */
export interface FileOffered {
  readonly type: "file-offered";
  readonly file: IncomingFile;
}

/** So much of a file has moved, in or out. At most ten a second for one file. */
export interface FileProgress {
  readonly type: "file-progress";
  /** Hex, as `OutgoingFile.id` and `IncomingFile.id` have it. */
  readonly fileId: string;
  readonly done: number;
  readonly size: number;
}

/** A file arrived whole. `blob` holds it if it was accepted into memory, null otherwise. */
export interface FileCompleted {
  readonly type: "file-completed";
  readonly fileId: string;
  readonly blob: Blob | null;
}

/** A file will not arrive; nothing of it was kept. */
export interface FileCancelled {
  readonly type: "file-cancelled";
  readonly fileId: string;
  readonly reason: FileFault;
}

/** `count` messages of the peer were lost for good at this place. */
export interface Gap {
  readonly type: "gap";
  readonly count: number;
}

/** Frames travel another way now. `heldUntil` (Unix seconds) is set while the line is held. */
export interface LineChanged {
  readonly type: "line-changed";
  readonly line: Line;
  readonly via: Via;
  readonly heldUntil: number | null;
}

/** The peer asks for a direct line, which shows each side the other's address. Answer with `answerDirect`. */
export interface DirectRequested {
  readonly type: "direct-requested";
}

/** There is no direct line, or none any more: the peer does not want it, or no way was found. */
export interface DirectRefused {
  readonly type: "direct-refused";
}

/** The conversation is over and its keys are wiped. `lost` messages of the peer never arrived. */
export interface Ended {
  readonly type: "ended";
  readonly reason: EndReason;
  readonly lost: number;
}

export type ConversationEvent =
  | TextReceived
  | TextEdited
  | TextDeleted
  | Reacted
  | Delivered
  | Read
  | Undelivered
  | Typing
  | FileOffered
  | FileProgress
  | FileCompleted
  | FileCancelled
  | Gap
  | LineChanged
  | DirectRequested
  | DirectRefused
  | Ended;

/** The socket to the server. */
export const ConnectionState = {
  /** Not wanted, or given up for the reason in `connection-changed`. */
  OFFLINE: "offline",
  CONNECTING: "connecting",
  ONLINE: "online",
  /** Between two attempts. */
  WAITING: "waiting",
} as const;
export type ConnectionState = (typeof ConnectionState)[keyof typeof ConnectionState];

/**
 * The socket's state changed. `reason` is a sentence and `fault` the name of its error, both null when all is well;
 * `retryAt` is Unix seconds, while waiting.
 */
export interface ConnectionChanged {
  readonly type: "connection-changed";
  readonly state: ConnectionState;
  readonly reason: string | null;
  readonly fault: string | null;
  readonly retryAt: number | null;
}

/** A known name came with a new account key. It was refused, and its verified mark removed. */
export interface KeyChanged {
  readonly type: "key-changed";
  readonly username: Username;
}

/** What the server did that an honest one would not. */
export const ServerWarning = {
  /** It shows a list for this account that this account did not sign. */
  UNSIGNED_DEVICE_LIST: "unsigned_device_list",
  /** It shows two different lists of one version. */
  FORKED_DEVICE_LIST: "forked_device_list",
  /** It shows a list older than one already seen, which can hide a removed device. */
  STALE_DEVICE_LIST: "stale_device_list",
  /** It shows keys whose signatures do not hold. */
  BAD_PRE_KEYS: "bad_pre_keys",
  /** It shows a known account under another name. */
  OTHER_NAME: "other_name",
} as const;
export type ServerWarning = (typeof ServerWarning)[keyof typeof ServerWarning];

/** The server was caught. `about` is the name concerned, `sentence` is fit to show. */
export interface ServerWarned {
  readonly type: "server-warned";
  readonly warning: ServerWarning;
  readonly about: Username;
  readonly sentence: string;
}

/** The client locked itself after the time set by `lockAfter`, or was locked. */
export interface ClientLocked {
  readonly type: "client-locked";
}

export type ClientEvent = ConnectionChanged | KeyChanged | ServerWarned | ClientLocked;

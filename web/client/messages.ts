/**
 * What a page and its worker say to each other: commands, their answers, and events, all plain view data.
 *
 * Keys, tokens and certificates stay in the worker. Every object that lives there has a number or a name here.
 */

import type { ConnectionState, Line, Quote, SentMessage, ServerWarning, Via } from "./events.ts";
import type { EndReason, FileFault, RingEnd } from "./errors.ts";
import type { FileToSend } from "./file-source.ts";
import type { SaveTo } from "./file-target.ts";
import type { SafetyNumber } from "./people.ts";
import type { RtcToPage, RtcToWorker } from "./rtc/port.ts";
import type { VaultState } from "./vault/indexed-db.ts";
import type { Protection } from "./vault/protection.ts";

export type { Protection, VaultState };

/** The own account, as far as the page shows it; `username` is null before there is one. */
export interface AccountView {
  readonly username: string | null;
  readonly state: ConnectionState;
}

export interface ContactView {
  readonly username: string;
  /** Unix seconds; null if safety numbers were not compared. */
  readonly verifiedAt: number | null;
  /** Unix seconds. */
  readonly added: number;
  /** The server has shown another key for this name. */
  readonly hasNewKey: boolean;
}

export interface RingView {
  readonly id: number;
  readonly caller: string;
  /** The pinned contact of this name, null at first contact. */
  readonly contact: ContactView | null;
  /** The caller's device is a web page. */
  readonly isWeb: boolean;
  readonly startedAt: number;
  readonly expiresAt: number;
}

export interface CallView {
  readonly id: number;
  readonly peer: string;
  readonly sessionCode: string;
  readonly startedAt: number;
  readonly line: Line;
  readonly via: Via;
  /** The peer's device is a web page. */
  readonly isWeb: boolean;
}

export interface FileView {
  readonly id: string;
  readonly name: string;
  readonly safeName: string;
  readonly size: number;
  readonly mediaType: string;
}

/** What a person chooses; `allowDirect` consents to a direct line when the peer asks, without asking here. */
export interface PageOptions {
  readonly receipts?: boolean;
  readonly autoBusy?: boolean;
  readonly allowDirect?: boolean;
}

/** What the page may ask for. Each resolves to what the method gives, or fails with a WorkerError. */
export interface Commands {
  /** What vault there is, before any of the three that open one. */
  vaultState(): VaultState;
  createVault(protection: Protection): AccountView;
  openVault(protection: Protection): AccountView;
  /** A vault in memory, for an account that is gone when the page is. */
  temporaryVault(): AccountView;
  /** Opens by this from now on; fails with StorageFullError or VaultError, and then it opens as before. */
  changeProtection(protection: Protection): void;
  /** Deletes the vault from this browser; an open client panics first. */
  eraseVault(): void;

  isAvailable(username: string): boolean;
  register(username: string): AccountView;
  login(): void;
  logout(): void;
  deleteAccount(): void;
  configure(options: PageOptions): void;
  lockAfter(seconds: number | null): void;
  lock(): void;
  nudge(): void;

  discover(username: string): boolean;
  call(username: string): CallView;
  stopCalling(): void;
  acceptRing(ring: number): CallView;
  declineRing(ring: number, busy: boolean): void;

  contacts(): readonly ContactView[];
  safetyNumber(username: string): SafetyNumber;
  /** With the changed key of a contact, before it is accepted. */
  newSafetyNumber(username: string): SafetyNumber;
  ringSafetyNumber(ring: number): SafetyNumber;
  verifySafetyQr(username: string, scanned: Uint8Array): void;
  markVerified(username: string, verified: boolean): void;
  acceptNewKey(username: string): void;
  forget(username: string): void;

  sendText(call: number, text: string, replyTo: Quote | null): SentMessage;
  editText(call: number, messageId: number, text: string): void;
  /** Deletes an own text for both sides. */
  deleteText(call: number, messageId: number): void;
  /** Reacts to a text of either side; "" takes it back. */
  react(call: number, to: Quote, symbol: string): void;
  setTyping(call: number, active: boolean): void;
  markRead(call: number, messageId: number): void;
  sendFile(call: number, source: FileToSend): FileView;
  acceptFile(call: number, file: string, saveTo: SaveTo): void;
  declineFile(call: number, file: string): void;
  cancelFile(call: number, file: string): void;
  /** Consents to a direct line and asks the peer; `line-changed` or `direct-refused` follows. */
  requestDirect(call: number): void;
  /** Answers `direct-requested`. */
  answerDirect(call: number, yes: boolean): void;
  hangUp(call: number): void;
}

export type CommandName = keyof Commands;

/** What happens in a call, as `ConversationEvent` says it, without keys. */
export type CallEvent =
  | {
      readonly type: "text-received";
      readonly id: number;
      readonly text: string;
      readonly at: number;
      readonly replyTo: Quote | null;
    }
  | { readonly type: "text-edited"; readonly id: number; readonly text: string; readonly at: number }
  | { readonly type: "text-deleted"; readonly id: number }
  | { readonly type: "reacted"; readonly to: Quote; readonly symbol: string }
  | { readonly type: "delivered" | "read" | "undelivered"; readonly id: number; readonly first: number }
  | { readonly type: "typing"; readonly active: boolean }
  | { readonly type: "file-offered"; readonly file: FileView }
  | { readonly type: "file-progress"; readonly fileId: string; readonly done: number; readonly size: number }
  | { readonly type: "file-completed"; readonly fileId: string; readonly blob: Blob | null }
  | { readonly type: "file-cancelled"; readonly fileId: string; readonly reason: FileFault }
  | { readonly type: "gap"; readonly count: number }
  | {
      readonly type: "line-changed";
      readonly line: Line;
      readonly via: Via;
      readonly heldUntil: number | null;
    }
  /** The peer asks for a direct line: both would learn each other's address. */
  | { readonly type: "direct-requested" }
  /** There will be no direct line: the peer said no, took it back, or no way was found. */
  | { readonly type: "direct-refused" }
  | { readonly type: "ended"; readonly reason: EndReason; readonly lost: number };

/** What the page is told unasked. */
export type PageEvent =
  | { readonly type: "call"; readonly call: number; readonly event: CallEvent }
  | { readonly type: "ring"; readonly ring: RingView }
  | { readonly type: "ring-ended"; readonly ring: number; readonly end: RingEnd }
  | { readonly type: "contacts"; readonly contacts: readonly ContactView[] }
  | {
      readonly type: "connection-changed";
      readonly state: ConnectionState;
      readonly reason: string | null;
      /** The name of the error (client/errors.ts), null when all is well. */
      readonly fault: string | null;
      readonly retryAt: number | null;
    }
  | { readonly type: "key-changed"; readonly username: string }
  | {
      readonly type: "server-warned";
      readonly warning: ServerWarning;
      readonly about: string;
      readonly sentence: string;
    }
  | { readonly type: "client-locked" };

/** What is known of an error: its class by name, a sentence, and what that class carries. */
export interface ErrorView {
  readonly name: string;
  readonly message: string;
  readonly reason: string | null;
  readonly retryAfter: number | null;
}

/** The first message of a page: where the server is. */
export interface Start {
  readonly kind: "start";
  readonly server: string;
}

/** One command; its `id` is in the answer. */
export interface Command {
  readonly kind: "command";
  readonly id: number;
  readonly name: CommandName;
  readonly args: readonly unknown[];
}

/** The page has taken one event; only so many may be under way. */
export interface Taken {
  readonly kind: "taken";
}

/** WebRTC, of which the page has one half and the worker the other. */
export interface RtcSaid<Message> {
  readonly kind: "rtc";
  readonly message: Message;
}

export type ToWorker = Start | Command | Taken | RtcSaid<RtcToWorker>;

export type ToPage =
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly error: ErrorView }
  | { readonly kind: "event"; readonly event: PageEvent }
  | RtcSaid<RtcToPage>;

/** Events that the page has not taken yet; then the worker stops reading conversations. */
export const MAX_EVENTS_UNDER_WAY = 64;

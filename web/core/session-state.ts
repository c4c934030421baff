/** What a session is made of, and all that it holds while it lives (spec/session.md). */

import type { Member } from "./events.ts";
import type { FileReceiver, FileSender } from "./file-stream.ts";
import { Inbox } from "./inbox.ts";
import type { MessageRatchet } from "./message-ratchet.ts";
import { Outbox } from "./outbox.ts";
import type { Primitives } from "./primitives.ts";
import { ConfirmedReceipts, OwedReceipts } from "./receipts.ts";
import { type Secret, SecretState } from "./secret.ts";

/** How often each side says which device list of the other it was shown. */
export const LIST_REPORT_SECONDS = 600;

/** The device list of the peer that this side was shown: its version and SHA-256. */
export interface HeldList {
  readonly version: number;
  readonly digest: Uint8Array;
}

/** What a session is made of. `exporter` and `ratchet` are its own from now on. */
export interface SessionParts {
  readonly primitives: Primitives;
  readonly ratchet: MessageRatchet;
  /** The handshake's session id, 16 bytes. */
  readonly sid: Uint8Array;
  readonly exporter: Secret;
  readonly local: Member;
  readonly remote: Member;
  readonly now: number;
  /** What the peer's device list was when it was checked; left out, it is never reported. */
  readonly heldList?: HeldList;
}

/** All that exists only while the session lives. Ending it drops this one reference. */
export class LiveSession extends SecretState {
  readonly kind = "LiveSession";
  readonly sid: Uint8Array;
  readonly inbox: Inbox;
  readonly confirmed: ConfirmedReceipts;
  readonly outbox = new Outbox();
  readonly owed = new OwedReceipts();
  readonly outgoing = new Map<string, FileSender>();
  readonly incoming = new Map<string, FileReceiver>();
  heldList: HeldList | null;
  heardAt: number;
  sentAt: number;
  reportAt: number;
  isLineUp = true;
  bye: Uint8Array | null = null;
  byeAt = -Infinity;
  readonly #ratchet: MessageRatchet;
  readonly #exporter: Secret;

  constructor(parts: SessionParts) {
    super();
    this.sid = parts.sid;
    this.#ratchet = parts.ratchet;
    this.#exporter = parts.exporter;
    this.inbox = new Inbox(parts.remote);
    this.confirmed = new ConfirmedReceipts(parts.remote);
    this.heldList = parts.heldList ?? null;
    this.heardAt = this.sentAt = parts.now;
    this.reportAt = parts.now + LIST_REPORT_SECONDS;
  }

  get ratchet(): MessageRatchet {
    return this.#ratchet;
  }

  get exporter(): Secret {
    return this.#exporter;
  }

  wipe(): void {
    this.#ratchet.wipe();
    this.#exporter.wipe();
    for (const stream of [...this.outgoing.values(), ...this.incoming.values()]) stream.wipe();
    this.outgoing.clear();
    this.incoming.clear();
  }
}

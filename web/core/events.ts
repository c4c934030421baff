/** What a session reports, as values in the order things happened (spec/session.md, Events). */

import type { ByeReason, Content } from "./content/index.ts";
import type { AccountId, DeviceId } from "./ids.ts";

/** One device of one account in a session. */
export interface Member {
  readonly account: AccountId;
  readonly device: DeviceId;
}

/** Why a session is over. */
export const EndReason = {
  /** This side left. */
  HUNG_UP: "hung-up",
  /** The peer said goodbye. */
  PEER_LEFT: "peer-left",
  /** No authentic message for 60 s. */
  LOST: "lost",
  /** 100 frames did not authenticate: someone on the way alters or injects. */
  TAMPERED: "tampered",
  /** The peer, authentic, breaks the protocol. */
  PROTOCOL: "protocol",
  /** Post-quantum rekeying makes no progress while messages arrive: someone drops the large frames. */
  PQ_STALLED: "pq-stalled",
  /** A counter reached its end. */
  EXHAUSTED: "exhausted",
  /** One of the two devices is no longer on its account's list. */
  REVOKED: "revoked",
  /** Two contradicting device lists are shown for one account. */
  FORKED: "forked",
  /** Locked, or wiped by panic. */
  WIPED: "wiped",
} as const;
export type EndReason = (typeof EndReason)[keyof typeof EndReason];

/** A content for the layer above. Counted ones come in the sender's order; `number` is 0 for others. */
export interface ContentReceived {
  readonly type: "content-received";
  readonly sender: Member;
  readonly number: number;
  readonly content: Content;
}

/** A content of a type this version does not know: the peer is newer. Skipped. */
export interface UnknownContent {
  readonly type: "unknown-content";
  readonly sender: Member;
  readonly number: number;
  readonly code: number;
}

/** A counted content that authenticated but does not decode: the peer's fault. It fills its place. */
export interface ContentRefused {
  readonly type: "content-refused";
  readonly sender: Member;
  readonly number: number;
}

/** `count` contents from number `first` on are lost for good; asking again did not bring them. */
export interface Gap {
  readonly type: "gap";
  readonly sender: Member;
  readonly first: number;
  readonly count: number;
}

/** The peer decrypted our contents `first` to `upTo`, all of them, and has them in order. */
export interface Delivered {
  readonly type: "delivered";
  readonly sender: Member;
  readonly first: number;
  readonly upTo: number;
}

/** The peer gave up on our contents `first` to `last`: they never reached it. */
export interface Undelivered {
  readonly type: "undelivered";
  readonly sender: Member;
  readonly first: number;
  readonly last: number;
}

/** The peer's person saw our contents `first` to `upTo`. Delivered for them came before. */
export interface Read {
  readonly type: "read";
  readonly sender: Member;
  readonly first: number;
  readonly upTo: number;
}

/** The version and SHA-256 the peer holds of *our* device list: compare them with the real one. */
export interface ListReported {
  readonly type: "list-reported";
  readonly sender: Member;
  readonly version: number;
  readonly digest: Uint8Array;
}

/** Send these frames now, as they are: the peer asked for them. */
export interface ResendFrames {
  readonly type: "resend-frames";
  readonly frames: readonly Uint8Array[];
}

/** The peer said goodbye; `lost` of its last contents never arrived. `Ended` follows. */
export interface PeerLeft {
  readonly type: "peer-left";
  readonly sender: Member;
  readonly reason: ByeReason;
  readonly lost: number;
}

/** The session is over and wiped; always the last event. */
export interface Ended {
  readonly type: "ended";
  readonly reason: EndReason;
}

/** What comes out of an inbox: every number exactly once, in ascending order, alone or in a Gap. */
export type Delivery = ContentReceived | UnknownContent | ContentRefused | Gap;

export type Event =
  Delivery | Delivered | Undelivered | Read | ListReported | ResendFrames | PeerLeft | Ended;

/**
 * Everything that goes wrong in the protocol, and whose fault it is (spec/errors.md).
 *
 * WhispError
 * ├── LocalProtocolError            our side asked for something the protocol does not allow
 * │   ├── ConsumedStateError        a handshake state was used after it gave way to the next one
 * │   └── SessionEndedError         a session, ratchet or key was used after its end
 * └── RemoteProtocolError           the other side sent something the protocol does not allow
 *     ├── MalformedError            bytes that are not a value of the layout they claim
 *     ├── VerificationError         a well-formed value whose signature, time or binding is wrong
 *     │   ├── ForgedError           its signature does not hold
 *     │   ├── NotYetValidError      its time has not come: one of two clocks is wrong
 *     │   └── ExpiredError          its time is over
 *     ├── HandshakeError            a check of the handshake failed; `reason` names which
 *     │   ├── StaleDeviceListError      an expired or older device list
 *     │   ├── ForkedDeviceListError     two lists that cannot both be honest, kept as evidence
 *     │   └── AccountKeyChangedError    a known name came with another account key
 *     ├── DecryptionError           a message did not open; it changed nothing
 *     │   └── MessageKeyGoneError   its keys were used or are too old: a duplicate or a straggler
 *     └── RatchetEndedError         a rule of the ratchet was broken past repair; `reason` names which
 */

import type { DeviceList } from "./device-list.ts";
import type { AccountId } from "./ids.ts";

/** The base of all errors of the protocol; its message is a sentence fit to show a person. */
export class WhispError extends Error {
  override readonly name: string = "WhispError";
}

/** Our own side broke a rule: a bug or a misuse, never the peer's fault. */
export class LocalProtocolError extends WhispError {
  override readonly name: string = "LocalProtocolError";
}

/** The other side broke a rule. What it sent changed no state. */
export class RemoteProtocolError extends WhispError {
  override readonly name: string = "RemoteProtocolError";
}

/** Bytes do not decode: wrong length, trailing bytes, an unknown flag or an impossible value. */
export class MalformedError extends RemoteProtocolError {
  override readonly name: string = "MalformedError";
}

/** A signature, a hash, a validity period or a binding does not hold. */
export class VerificationError extends RemoteProtocolError {
  override readonly name: string = "VerificationError";
}

/** A signature does not hold. */
export class ForgedError extends VerificationError {
  override readonly name: string = "ForgedError";
}

/** A validity period starts later than any honest clock error explains. */
export class NotYetValidError extends VerificationError {
  override readonly name: string = "NotYetValidError";
}

/** A validity period is over, clock error allowed for. */
export class ExpiredError extends VerificationError {
  override readonly name: string = "ExpiredError";
}

/** Why a handshake message or a bundle was refused. For our own side only: a peer is never told. */
export const HandshakeReason = {
  MALFORMED: "malformed",
  /** The message belongs to another call. */
  WRONG_CALL: "wrong-call",
  /** The message is for, or from, another device. */
  WRONG_DEVICE: "wrong-device",
  /** The account key is not the one that was asked for. */
  WRONG_ACCOUNT: "wrong-account",
  /** The name is known under another account key. */
  ACCOUNT_CHANGED: "account-changed",
  /** Something lies in the future, or the peer's clock is more than 300 s away from ours. */
  CLOCK: "clock",
  CERTIFICATE_FORGED: "certificate-forged",
  CERTIFICATE_EXPIRED: "certificate-expired",
  /** The device list names another certificate for this device. */
  CERTIFICATE_MISMATCH: "certificate-mismatch",
  LIST_FORGED: "list-forged",
  /** The device list has expired, or an older one than was seen before came. */
  LIST_STALE: "list-stale",
  LIST_FORKED: "list-forked",
  DEVICE_NOT_LISTED: "device-not-listed",
  PRE_KEY_FORGED: "pre-key-forged",
  PRE_KEY_EXPIRED: "pre-key-expired",
  /** A record this device never made, or whose time is over. */
  PRE_KEY_UNKNOWN: "pre-key-unknown",
  PRE_KEY_USED: "pre-key-used",
  REPLAYED: "replayed",
  /** Another version or suite than the highest that both sides know. */
  DOWNGRADE: "downgrade",
  /** A public key that no honest side makes: a small-order point or an invalid KEM key. */
  BAD_KEY: "bad-key",
  /** A sealed field does not open, or a MAC does not hold: forged, altered or of another handshake. */
  NOT_AUTHENTIC: "not-authentic",
  /** The transport's fingerprint is not the one the transcript binds. */
  FINGERPRINT: "fingerprint",
} as const;
export type HandshakeReason = (typeof HandshakeReason)[keyof typeof HandshakeReason];

/** A check of the handshake failed. No state changed; `reason` names the check. */
export class HandshakeError extends RemoteProtocolError {
  override readonly name: string = "HandshakeError";
  readonly reason: HandshakeReason;

  constructor(reason: HandshakeReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** A device list has expired, or is older than one seen before. */
export class StaleDeviceListError extends HandshakeError {
  override readonly name: string = "StaleDeviceListError";

  constructor(message: string) {
    super(HandshakeReason.LIST_STALE, message);
  }
}

/**
 * Two signed device lists contradict each other: someone shows different lists to different people.
 * `knownVersion` and `knownDigest` are what was remembered, `presented` is the list that contradicts it.
 */
export class ForkedDeviceListError extends HandshakeError {
  override readonly name: string = "ForkedDeviceListError";
  readonly knownVersion: number;
  readonly knownDigest: Uint8Array;
  readonly presented: DeviceList;

  constructor(knownVersion: number, knownDigest: Uint8Array, presented: DeviceList) {
    super(
      HandshakeReason.LIST_FORKED,
      `device list ${presented.version} contradicts list ${knownVersion}, seen before`,
    );
    this.knownVersion = knownVersion;
    this.knownDigest = knownDigest;
    this.presented = presented;
  }
}

/** A known name came with another account key: a new identity, or someone in between. */
export class AccountKeyChangedError extends HandshakeError {
  override readonly name: string = "AccountKeyChangedError";
  readonly known: AccountId;
  readonly presented: AccountId;

  constructor(known: AccountId, presented: AccountId) {
    super(HandshakeReason.ACCOUNT_CHANGED, "this name now has another account key");
    this.known = known;
    this.presented = presented;
  }
}

/** A handshake state was used again after it had given way to the next one. */
export class ConsumedStateError extends LocalProtocolError {
  override readonly name: string = "ConsumedStateError";
}

/** A session, or a secret of it, was used after it had ended and was wiped. */
export class SessionEndedError extends LocalProtocolError {
  override readonly name: string = "SessionEndedError";
}

/** A message did not open. It changed nothing, and the peer is not told why. */
export class DecryptionError extends RemoteProtocolError {
  override readonly name: string = "DecryptionError";
}

/** A message's keys are gone: it was read before, or came too late. No failure: networks do this. */
export class MessageKeyGoneError extends DecryptionError {
  override readonly name: string = "MessageKeyGoneError";

  constructor() {
    super("the keys of this message are gone");
  }
}

/** Why a ratchet ended itself. For our own side only: a peer is never told. */
export const RatchetEnd = {
  /** An authentic message broke the order of the post-quantum exchange. */
  PROTOCOL: "protocol",
  /** Messages arrive, but none that would renew the post-quantum keys. */
  PQ_STALLED: "pq-stalled",
  /** Too many frames did not open. */
  TAMPERED: "tampered",
  /** A counter or the epoch ran out. */
  EXHAUSTED: "exhausted",
} as const;
export type RatchetEnd = (typeof RatchetEnd)[keyof typeof RatchetEnd];

/** The ratchet ended and wiped itself; the session cannot go on. `reason` names why. */
export class RatchetEndedError extends RemoteProtocolError {
  override readonly name: string = "RatchetEndedError";
  readonly reason: RatchetEnd;

  constructor(reason: RatchetEnd) {
    super(`the ratchet ended: ${reason}`);
    this.reason = reason;
  }
}

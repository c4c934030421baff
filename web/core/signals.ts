/**
 * The five handshake messages, as far as the server may see into them (spec/handshake.md, Messages).
 *
 * Sealed fields stay opaque here; core/handshake opens them.
 */

import { concat, lp16, parseCode, Reader, u8 } from "./encoding.ts";
import { MalformedError } from "./errors.ts";
import { asCallId, asDeviceId, asPreKeyId, type CallId, type DeviceId, type PreKeyId } from "./ids.ts";
import { MAX_SIGNAL_BYTES } from "./limits.ts";
import { KEM_KEY_BYTES } from "./prekey.ts";
import { ML_KEM_CIPHERTEXT_BYTES } from "./primitives.ts";
import { isEqual } from "./secret.ts";

export const KEM_CIPHERTEXT_BYTES = ML_KEM_CIPHERTEXT_BYTES;
export const NO_PRE_KEY: PreKeyId = asPreKeyId(new Uint8Array(8));
const FLAG_ONE_TIME = 0x01;

/** First byte of a signal. */
export const SignalType = { OFFER: 0x01, ANSWER: 0x02, DECLINE: 0x03, CANCEL: 0x04, CONFIRM: 0x05 } as const;
export type SignalType = (typeof SignalType)[keyof typeof SignalType];

interface CallHead {
  readonly version: number;
  readonly suite: number;
  readonly callId: CallId;
}

/** What precedes the sealed fields of an OFFER, 2356 bytes: th1 covers exactly these. */
export interface OfferHeader extends CallHead {
  readonly type: typeof SignalType.OFFER;
  readonly calleeDevice: DeviceId;
  readonly signedPreKey: PreKeyId;
  readonly oneTimePreKey: PreKeyId | null;
  /** EK_a, X25519, 32 bytes, fresh. */
  readonly ephemeralKey: Uint8Array;
  /** ek_a, ML-KEM-768, 1184 bytes, fresh. */
  readonly kemKey: Uint8Array;
  /** ct1, 1088 bytes, to the one-time record's KEM key, else the signed record's. */
  readonly kemCiphertext: Uint8Array;
}

/** Caller to callee: the first flight, one per callee device. */
export interface Offer extends OfferHeader {
  readonly sealedIdentity: Uint8Array;
  readonly sealedOffer: Uint8Array;
}

/** What precedes the sealed field of an ANSWER, 1156 bytes: th4 covers exactly these. */
export interface AnswerHeader extends CallHead {
  readonly type: typeof SignalType.ANSWER;
  readonly device: DeviceId;
  /** EK_b, X25519, 32 bytes, fresh; becomes the callee's first ratchet key. */
  readonly ephemeralKey: Uint8Array;
  /** ct2, 1088 bytes, to the caller's fresh KEM key. */
  readonly kemCiphertext: Uint8Array;
}

/** Callee to caller: sent when the person accepts. */
export interface Answer extends AnswerHeader {
  readonly sealedAnswer: Uint8Array;
}

/** What precedes the sealed reason of a DECLINE or CANCEL, 36 bytes, which the seal covers. */
export interface RefusalHeader extends CallHead {
  readonly type: typeof SignalType.DECLINE | typeof SignalType.CANCEL;
  /** The device that sends it. */
  readonly device: DeviceId;
}

/** Callee to caller: no, or busy. */
export interface Decline extends RefusalHeader {
  readonly type: typeof SignalType.DECLINE;
  readonly sealedReason: Uint8Array;
}

/** Caller to callee: never mind, or answered elsewhere. */
export interface Cancel extends RefusalHeader {
  readonly type: typeof SignalType.CANCEL;
  readonly sealedReason: Uint8Array;
}

/** Caller to callee: proof that the caller is live, with the first ratchet message behind it. */
export interface Confirm extends CallHead {
  readonly type: typeof SignalType.CONFIRM;
  /** HMAC-SHA-256, 32 bytes. */
  readonly mac: Uint8Array;
  readonly firstMessage: Uint8Array;
}

export type Signal = Offer | Answer | Decline | Cancel | Confirm;

/** Bytes 0 to 2355 of an OFFER. */
export function encodeOfferHeader(offer: OfferHeader): Uint8Array {
  return concat(
    head(offer, offer.oneTimePreKey === null ? 0 : FLAG_ONE_TIME),
    offer.calleeDevice,
    offer.signedPreKey,
    offer.oneTimePreKey ?? NO_PRE_KEY,
    offer.ephemeralKey,
    offer.kemKey,
    offer.kemCiphertext,
  );
}

/** Bytes 0 to 1155 of an ANSWER. */
export function encodeAnswerHeader(answer: AnswerHeader): Uint8Array {
  return concat(head(answer), answer.device, answer.ephemeralKey, answer.kemCiphertext);
}

/** Bytes 0 to 35 of a DECLINE or CANCEL. */
export function encodeRefusalHeader(refusal: RefusalHeader): Uint8Array {
  return concat(head(refusal), refusal.device);
}

/** The bytes on the wire; `decodeSignal` of them gives this signal back. */
export function encodeSignal(signal: Signal): Uint8Array {
  switch (signal.type) {
    case SignalType.OFFER:
      return concat(encodeOfferHeader(signal), lp16(signal.sealedIdentity), lp16(signal.sealedOffer));
    case SignalType.ANSWER:
      return concat(encodeAnswerHeader(signal), lp16(signal.sealedAnswer));
    case SignalType.DECLINE:
    case SignalType.CANCEL:
      return concat(encodeRefusalHeader(signal), lp16(signal.sealedReason));
    case SignalType.CONFIRM:
      return concat(head(signal), signal.mac, signal.firstMessage);
  }
}

/** Parses any of the five messages; proves nothing about who wrote them. Throws MalformedError. */
export function decodeSignal(encoded: Uint8Array): Signal {
  if (encoded.length > MAX_SIGNAL_BYTES) throw new MalformedError("a signal over its size limit");
  const reader = new Reader(encoded);
  const signal = readSignal(reader);
  reader.finish();
  return signal;
}

/** A signal's type without decoding it: all that routing needs. Throws MalformedError. */
export function peekType(encoded: Uint8Array): SignalType {
  return new Reader(encoded).code(SignalType);
}

/** A signal's call id without decoding it. Throws MalformedError. */
export function peekCallId(encoded: Uint8Array): CallId {
  const reader = new Reader(encoded);
  reader.take(4);
  return asCallId(reader.take(16));
}

function readSignal(reader: Reader): Signal {
  const type = parseCode(SignalType, reader.u8());
  const version = reader.u8();
  const suite = reader.u8();
  const flags = reader.u8();
  const callId = asCallId(reader.take(16));
  const common = { version, suite, callId };
  if (type === SignalType.OFFER) return readOffer(common, flags, reader);
  if (flags !== 0) throw new MalformedError("unknown flags in a signal");
  switch (type) {
    case SignalType.ANSWER:
      return {
        type,
        ...common,
        device: asDeviceId(reader.take(16)),
        ephemeralKey: reader.take(32),
        kemCiphertext: reader.take(KEM_CIPHERTEXT_BYTES),
        sealedAnswer: reader.lp16(),
      };
    case SignalType.DECLINE:
    case SignalType.CANCEL:
      return { type, ...common, device: asDeviceId(reader.take(16)), sealedReason: reader.lp16() };
    case SignalType.CONFIRM: {
      const mac = reader.take(32);
      const firstMessage = reader.rest();
      if (firstMessage.length === 0) throw new MalformedError("a CONFIRM without the first ratchet message");
      return { type, ...common, mac, firstMessage };
    }
  }
}

function readOffer(common: CallHead, flags: number, reader: Reader): Offer {
  const calleeDevice = asDeviceId(reader.take(16));
  const signedPreKey = asPreKeyId(reader.take(8));
  const oneTime = asPreKeyId(reader.take(8));
  if (flags > FLAG_ONE_TIME || (flags === 0) !== isEqual(oneTime, NO_PRE_KEY)) {
    throw new MalformedError("an OFFER whose flags do not fit its pre-keys");
  }
  return {
    type: SignalType.OFFER,
    ...common,
    calleeDevice,
    signedPreKey,
    oneTimePreKey: flags === 0 ? null : oneTime,
    ephemeralKey: reader.take(32),
    kemKey: reader.take(KEM_KEY_BYTES),
    kemCiphertext: reader.take(KEM_CIPHERTEXT_BYTES),
    sealedIdentity: reader.lp16(),
    sealedOffer: reader.lp16(),
  };
}

function head(signal: CallHead & { readonly type: SignalType }, flags = 0): Uint8Array {
  return concat(u8(signal.type), u8(signal.version), u8(signal.suite), u8(flags), signal.callId);
}

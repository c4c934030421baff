/**
 * The frame around every ratchet message: what the recipient needs to find its keys (spec/ratchet.md, Frame).
 *
 * Everything before the ciphertext travels in the clear and is authenticated as associated data.
 */

import { MalformedError } from "./errors.ts";
import { ML_KEM_CIPHERTEXT_BYTES, ML_KEM_PUBLIC_KEY_BYTES, X25519_KEY_BYTES } from "./primitives.ts";

/** First byte of a ratchet message; file chunks are 0x11. */
export const MESSAGE_TYPE = 0x10;

export const FIXED_HEADER_BYTES = 50;
export const ENVELOPE_TAG_BYTES = 16;

/** One padded plaintext: long enough for any text, short enough that four fit a relayed payload. */
export const MAX_MESSAGE_BYTES = 64 * 1024;

export const MAX_ENVELOPE_BYTES =
  FIXED_HEADER_BYTES + ML_KEM_PUBLIC_KEY_BYTES + MAX_MESSAGE_BYTES + ENVELOPE_TAG_BYTES;

/** No counter or epoch reaches this, so every one fits a signed 32-bit integer; before that a session ends. */
export const COUNTER_LIMIT = 2 ** 31;

const OFFER_FLAG = 0x01;
const ANSWER_FLAG = 0x02;
const N_OFFSET = 2;
const PREVIOUS_N_OFFSET = 6;
const KEY_OFFSET = 10;
const EPOCH_OFFSET = 42;
const EPOCH_N_OFFSET = 46;

/** The leader's fresh ML-KEM-768 encapsulation key for the epoch after the message's, 1184 bytes. */
export interface KemOffer {
  readonly type: "kem-offer";
  readonly kemKey: Uint8Array;
}

/** The follower's ML-KEM-768 ciphertext for the epoch after the message's, 1088 bytes. */
export interface KemAnswer {
  readonly type: "kem-answer";
  readonly kemCiphertext: Uint8Array;
}

export type Attachment = KemOffer | KemAnswer;

/** Where a message stands in its two chains, and what it carries. Public, and authenticated as sent. */
export interface MessageHeader {
  /** How many messages precede it in its classical chain. */
  readonly n: number;
  /** How many messages the sender's classical chain before this one had. */
  readonly previousN: number;
  /** The sender's X25519 ratchet key that names the classical chain, 32 bytes as sent. */
  readonly ratchetKey: Uint8Array;
  readonly epoch: number;
  /** How many messages precede it in this direction of its post-quantum epoch. */
  readonly epochN: number;
  readonly attachment: Attachment | null;
}

/** A frame taken apart. */
export interface Envelope {
  readonly header: MessageHeader;
  /** The header's bytes as received. */
  readonly encodedHeader: Uint8Array;
  /** Ciphertext ‖ tag: a view of the frame, not a copy. */
  readonly sealed: Uint8Array;
}

/** 50 bytes, or 1234 with an offer and 1138 with an answer attached. */
export function encodeHeader(header: MessageHeader): Uint8Array {
  const { attachment } = header;
  const attached = attachment === null ? null : attachedBytes(attachment);
  const encoded = new Uint8Array(FIXED_HEADER_BYTES + (attached?.length ?? 0));
  const view = new DataView(encoded.buffer);
  encoded[0] = MESSAGE_TYPE;
  if (attachment !== null) encoded[1] = attachment.type === "kem-offer" ? OFFER_FLAG : ANSWER_FLAG;
  view.setUint32(N_OFFSET, header.n);
  view.setUint32(PREVIOUS_N_OFFSET, header.previousN);
  encoded.set(header.ratchetKey, KEY_OFFSET);
  view.setUint32(EPOCH_OFFSET, header.epoch);
  view.setUint32(EPOCH_N_OFFSET, header.epochN);
  if (attached !== null) encoded.set(attached, FIXED_HEADER_BYTES);
  return encoded;
}

/**
 * Takes a frame apart. Proves nothing yet: the header is authentic only once the ciphertext opens under it.
 *
 * The header is copied, so that what is acted on is what was authenticated. Throws MalformedError: another
 * type, unknown flags, a length no message has, a counter out of range, or a ratchet key of zeros.
 */
export function decodeEnvelope(frame: Uint8Array): Envelope {
  const size = frame.length;
  if (size < FIXED_HEADER_BYTES + ENVELOPE_TAG_BYTES || size > MAX_ENVELOPE_BYTES) {
    throw new MalformedError(`a message of ${size} bytes`);
  }
  if (frame[0] !== MESSAGE_TYPE) throw new MalformedError("not a ratchet message");
  const flags = frame[1] ?? 0;
  const headerEnd = FIXED_HEADER_BYTES + attachmentBytes(flags);
  if (size < headerEnd + ENVELOPE_TAG_BYTES || size > headerEnd + MAX_MESSAGE_BYTES + ENVELOPE_TAG_BYTES) {
    throw new MalformedError(`a message of ${size} bytes`);
  }
  const encodedHeader = new Uint8Array(frame.subarray(0, headerEnd));
  const view = new DataView(encodedHeader.buffer);
  const ratchetKey = encodedHeader.subarray(KEY_OFFSET, KEY_OFFSET + X25519_KEY_BYTES);
  if (ratchetKey.every((byte) => byte === 0)) throw new MalformedError("a ratchet key of zeros");
  const header = {
    n: counter(view, N_OFFSET),
    previousN: counter(view, PREVIOUS_N_OFFSET),
    ratchetKey,
    epoch: counter(view, EPOCH_OFFSET),
    epochN: counter(view, EPOCH_N_OFFSET),
    attachment: attachment(flags, encodedHeader.subarray(FIXED_HEADER_BYTES)),
  };
  return { header, encodedHeader, sealed: frame.subarray(headerEnd) };
}

function attachedBytes(attachment: Attachment): Uint8Array {
  return attachment.type === "kem-offer" ? attachment.kemKey : attachment.kemCiphertext;
}

function attachmentBytes(flags: number): number {
  if (flags === 0) return 0;
  if (flags === OFFER_FLAG) return ML_KEM_PUBLIC_KEY_BYTES;
  if (flags === ANSWER_FLAG) return ML_KEM_CIPHERTEXT_BYTES;
  throw new MalformedError("unknown flags in a message");
}

function attachment(flags: number, attached: Uint8Array): Attachment | null {
  if (flags === 0) return null;
  return flags === OFFER_FLAG
    ? { type: "kem-offer", kemKey: attached }
    : { type: "kem-answer", kemCiphertext: attached };
}

function counter(view: DataView, offset: number): number {
  const value = view.getUint32(offset);
  if (value >= COUNTER_LIMIT) throw new MalformedError("a counter out of range");
  return value;
}

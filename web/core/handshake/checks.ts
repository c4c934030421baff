/** The steps both sides' checks share, each with its one reason (spec/handshake.md, Checks). */

import { compareBytes, Reader, u8 } from "../encoding.ts";
import {
  DecryptionError,
  HandshakeError,
  HandshakeReason,
  LocalProtocolError,
  MalformedError,
} from "../errors.ts";
import type { AccountId, CallId, DeviceId } from "../ids.ts";
import { openSealed, seal } from "../key-schedule.ts";
import { unpad } from "../padding.ts";
import type { Primitives, X25519PrivateKey } from "../primitives.ts";
import { isEqual } from "../secret.ts";
import {
  type Cancel,
  type Decline,
  decodeSignal,
  encodeRefusalHeader,
  type RefusalHeader,
  type Signal,
  SignalType,
} from "../signals.ts";
import { FINGERPRINT_BYTES, MAX_TRANSPORT_BYTES } from "./payloads.ts";
import { bindRefusalHeader, SEAL_CANCEL, SEAL_DECLINE } from "./schedule.ts";

/** A device that sent this many messages which do not hold is dropped by the caller. */
export const MAX_INVALID_ANSWERS = 3;

/** Runs `decode`, and gives bytes that do not decode their reason. Throws HandshakeError (`malformed`). */
export function parsing<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof MalformedError) throw new HandshakeError(HandshakeReason.MALFORMED, error.message);
    throw error;
  }
}

/** Decodes a signal that must be of `type`. Throws HandshakeError (`malformed`). */
export function decodeAs<T extends SignalType>(type: T, encoded: Uint8Array): Signal & { readonly type: T } {
  return parsing(() => {
    const signal = decodeSignal(encoded);
    if (!isOfType(type, signal)) throw new MalformedError("a signal of another type");
    return signal;
  });
}

/** Checks that a signal is of this call, version and suite. Throws HandshakeError: `downgrade`, `wrong-call`. */
export function requireCall(signal: Signal, version: number, suite: number, callId: CallId): void {
  if (signal.version !== version || signal.suite !== suite) {
    throw new HandshakeError(HandshakeReason.DOWNGRADE, "another version or suite than the call's");
  }
  if (!isEqual(signal.callId, callId)) {
    throw new HandshakeError(HandshakeReason.WRONG_CALL, "a message of another call");
  }
}

/** Checks that a signal names the device it must. Throws HandshakeError (`wrong-device`). */
export function requireDevice(named: DeviceId, expected: DeviceId): void {
  if (!isEqual(named, expected)) {
    throw new HandshakeError(HandshakeReason.WRONG_DEVICE, "a message of another device");
  }
}

/** The X25519 secret, 32 bytes. Throws HandshakeError (`bad-key`) if it would be zero. */
export async function agreeOrRefuse(
  primitives: Primitives,
  privateKey: X25519PrivateKey,
  publicKey: Uint8Array,
): Promise<Uint8Array> {
  return refusingKeys(async () => primitives.x25519Agree(privateKey, publicKey));
}

/** Runs `use`, and gives a public key that no honest side makes its reason. Throws HandshakeError (`bad-key`). */
export async function refusingKeys<T>(use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (error instanceof MalformedError) throw new HandshakeError(HandshakeReason.BAD_KEY, error.message);
    throw error;
  }
}

/**
 * Opens a sealed, padded payload; gives the padded plaintext (the transcript wants it) and the payload.
 * Throws HandshakeError: `not-authentic`, or `malformed` if the authentic plaintext does not decode.
 */
export async function openPadded<T>(
  primitives: Primitives,
  prk: Uint8Array,
  label: string,
  transcript: Uint8Array,
  sealed: Uint8Array,
  decode: (encoded: Uint8Array) => T,
): Promise<{ padded: Uint8Array; payload: T }> {
  const padded = await open(primitives, prk, label, transcript, sealed);
  return { padded, payload: parsing(() => decode(unpad(padded))) };
}

/** The sealed reason of a DECLINE or CANCEL with this header. */
export async function sealReason(
  primitives: Primitives,
  p2: Uint8Array,
  th3: Uint8Array,
  header: RefusalHeader,
  reason: number,
): Promise<Uint8Array> {
  const transcript = await bindRefusalHeader(primitives, th3, encodeRefusalHeader(header));
  return seal(primitives, p2, refusalLabel(header), transcript, u8(reason));
}

/** The reason in an authentic DECLINE or CANCEL. Throws HandshakeError. */
export async function openReason(
  primitives: Primitives,
  p2: Uint8Array,
  th3: Uint8Array,
  signal: Decline | Cancel,
): Promise<number> {
  const transcript = await bindRefusalHeader(primitives, th3, encodeRefusalHeader(signal));
  const opened = await open(primitives, p2, refusalLabel(signal), transcript, signal.sealedReason);
  return parsing(() => {
    const reader = new Reader(opened);
    const reason = reader.u8();
    reader.finish();
    return reason;
  });
}

/** The highest number both bitmaps have (bit n-1 for number n), 0 if they have none in common. */
export function highestCommon(local: number, remote: number): number {
  return 32 - Math.clz32(local & remote);
}

/**
 * Checks in constant time that the transport's fingerprint is the one the transcript binds.
 *
 * Both are 32 bytes, zeros where there is no DTLS: a fingerprint on one side only does not match either.
 * Throws HandshakeError (`fingerprint`): end the call.
 */
export function verifyFingerprint(bound: Uint8Array, presented: Uint8Array): void {
  if (!isEqual(bound, presented)) {
    throw new HandshakeError(
      HandshakeReason.FINGERPRINT,
      "the transport's fingerprint is not the agreed one",
    );
  }
}

/**
 * Whose offer stands when two sides ring each other: that of the lower account key, within one account that of
 * the lower device id. The loser cancels its own offers (`CancelReason.GLARE`) and accepts the winner's at once;
 * the winner ignores the loser's.
 */
export function localWinsGlare(
  localAccount: AccountId,
  localDevice: DeviceId,
  remoteAccount: AccountId,
  remoteDevice: DeviceId,
): boolean {
  const order = compareBytes(localAccount, remoteAccount);
  return order === 0 ? compareBytes(localDevice, remoteDevice) < 0 : order < 0;
}

/** Checks what our own side wants to send. Throws LocalProtocolError. */
export function requireTransport(transport: Uint8Array, fingerprint: Uint8Array): void {
  if (transport.length > MAX_TRANSPORT_BYTES) {
    throw new LocalProtocolError(`transport bytes are over their limit of ${MAX_TRANSPORT_BYTES}`);
  }
  if (fingerprint.length !== FINGERPRINT_BYTES) {
    throw new LocalProtocolError(`a fingerprint is ${FINGERPRINT_BYTES} bytes`);
  }
}

function isOfType<T extends SignalType>(type: T, signal: Signal): signal is Signal & { readonly type: T } {
  return signal.type === type;
}

function refusalLabel(header: RefusalHeader): string {
  return header.type === SignalType.DECLINE ? SEAL_DECLINE : SEAL_CANCEL;
}

async function open(
  primitives: Primitives,
  prk: Uint8Array,
  label: string,
  transcript: Uint8Array,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  try {
    return await openSealed(primitives, prk, label, transcript, sealed);
  } catch (error) {
    if (error instanceof DecryptionError) {
      throw new HandshakeError(HandshakeReason.NOT_AUTHENTIC, error.message);
    }
    throw error;
  }
}

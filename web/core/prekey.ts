/** Pre-key records and the bundle a caller fetches (spec/identity.md, Pre-keys). */

import { type Certificate, CERTIFICATE_BYTES, decodeCertificate, encodeCertificate } from "./certificate.ts";
import { decodeDeviceList, type DeviceList, encodeDeviceList, MAX_DEVICE_LIST_BYTES } from "./device-list.ts";
import { concat, lp16, Reader, u16, u64, u8 } from "./encoding.ts";
import { MalformedError } from "./errors.ts";
import { asDeviceId, asPreKeyId, type DeviceId, type PreKeyId } from "./ids.ts";
import { ML_KEM_PUBLIC_KEY_BYTES, type Primitives } from "./primitives.ts";
import { SIGNATURE_BYTES, verify } from "./signing.ts";
import { requireValidity } from "./validity.ts";

export const PRE_KEY_BYTES = 1326;
export const MAX_PRE_KEY_SECONDS = 3600;
export const KEM_KEY_BYTES = ML_KEM_PUBLIC_KEY_BYTES;
const FORMAT = 1;

/** Signed records serve many calls for at most an hour; one-time records serve one. */
export const PreKeyKind = { SIGNED: 1, ONE_TIME: 2 } as const;
export type PreKeyKind = (typeof PreKeyKind)[keyof typeof PreKeyKind];

/** Under which label a device signs its records. */
export const PRE_KEY_LABELS: Readonly<Record<PreKeyKind, string>> = { 1: "prekey-signed", 2: "prekey-once" };

/** What a record says, before the device has signed it. */
export interface UnsignedPreKeyRecord {
  readonly kind: PreKeyKind;
  readonly device: DeviceId;
  readonly id: PreKeyId;
  readonly created: number;
  readonly expires: number;
  /** Bitmap of pairwise protocol versions, bit v-1 for version v. */
  readonly versions: number;
  readonly suites: number;
  /** X25519, 32 bytes. */
  readonly agreementKey: Uint8Array;
  /** ML-KEM-768 encapsulation key, 1184 bytes. */
  readonly kemKey: Uint8Array;
}

/** An X25519 and an ML-KEM-768 public key under one device signature, so neither can be re-paired. */
export interface PreKeyRecord extends UnsignedPreKeyRecord {
  readonly signature: Uint8Array;
}

/** Parses the fixed layout. Proves nothing yet: call `verifyPreKey`. Throws MalformedError. */
export function decodePreKey(encoded: Uint8Array): PreKeyRecord {
  const reader = new Reader(encoded);
  if (reader.u8() !== FORMAT) throw new MalformedError("an unknown pre-key format");
  const record = {
    kind: reader.code(PreKeyKind),
    device: asDeviceId(reader.take(16)),
    id: asPreKeyId(reader.take(8)),
    created: reader.u53(),
    expires: reader.u53(),
    versions: reader.u16(),
    suites: reader.u16(),
    agreementKey: reader.take(32),
    kemKey: reader.take(KEM_KEY_BYTES),
    signature: reader.take(SIGNATURE_BYTES),
  };
  reader.finish();
  return record;
}

/** Bytes 0 to 1261: what the device signs. */
export function preKeyToBeSigned(record: UnsignedPreKeyRecord): Uint8Array {
  return concat(
    u8(FORMAT),
    u8(record.kind),
    record.device,
    record.id,
    u64(record.created),
    u64(record.expires),
    u16(record.versions),
    u16(record.suites),
    record.agreementKey,
    record.kemKey,
  );
}

/** The 1326 bytes; `decodePreKey` of them gives this record back. */
export function encodePreKey(record: PreKeyRecord): Uint8Array {
  return concat(preKeyToBeSigned(record), record.signature);
}

/**
 * Checks the device's signature and the validity period at `now` (Unix seconds, ±300 s allowed).
 *
 * Throws ForgedError, NotYetValidError or ExpiredError; VerificationError if it claims no time, or more than
 * an hour.
 */
export async function verifyPreKey(
  primitives: Primitives,
  record: PreKeyRecord,
  signingKey: Uint8Array,
  now: number,
): Promise<void> {
  const label = PRE_KEY_LABELS[record.kind];
  await verify(primitives, signingKey, label, preKeyToBeSigned(record), record.signature);
  requireValidity("pre-key", record.created, record.expires, MAX_PRE_KEY_SECONDS, now);
}

/** What a caller needs to ring one device: who it is, and keys to reach it. */
export interface PreKeyBundle {
  readonly certificate: Certificate;
  readonly deviceList: DeviceList;
  readonly signed: PreKeyRecord;
  readonly oneTime: PreKeyRecord | null;
}

/** Parses certificate ‖ lp16(list) ‖ signed record ‖ u8 has ‖ [one-time record]. Throws MalformedError. */
export function decodeBundle(encoded: Uint8Array): PreKeyBundle {
  const reader = new Reader(encoded);
  const certificate = decodeCertificate(reader.take(CERTIFICATE_BYTES));
  const deviceList = decodeDeviceList(reader.lp16(MAX_DEVICE_LIST_BYTES));
  const signed = decodePreKey(reader.take(PRE_KEY_BYTES));
  const hasOneTime = reader.u8();
  if (hasOneTime > 1) throw new MalformedError("a bundle's flag is neither 0 nor 1");
  const oneTime = hasOneTime === 1 ? decodePreKey(reader.take(PRE_KEY_BYTES)) : null;
  reader.finish();
  if (signed.kind !== PreKeyKind.SIGNED || (oneTime !== null && oneTime.kind !== PreKeyKind.ONE_TIME)) {
    throw new MalformedError("a bundle's pre-keys are of the wrong kind");
  }
  return { certificate, deviceList, signed, oneTime };
}

/** The bytes on the wire; `decodeBundle` of them gives this bundle back. */
export function encodeBundle(bundle: PreKeyBundle): Uint8Array {
  return concat(
    encodeCertificate(bundle.certificate),
    lp16(encodeDeviceList(bundle.deviceList)),
    encodePreKey(bundle.signed),
    u8(bundle.oneTime === null ? 0 : 1),
    bundle.oneTime === null ? new Uint8Array() : encodePreKey(bundle.oneTime),
  );
}

/** Signed, versioned device lists: a server cannot add or hide a device unseen (spec/identity.md). */

import { concat, Reader, toHex, u8, u32, u64 } from "./encoding.ts";
import { MalformedError } from "./errors.ts";
import { type AccountId, asAccountId, asDeviceId, type DeviceId } from "./ids.ts";
import { MAX_ACTIVE_DEVICES, MAX_REVOKED_DEVICES } from "./limits.ts";
import type { Primitives } from "./primitives.ts";
import { isEqual } from "./secret.ts";
import { SIGNATURE_BYTES, verify } from "./signing.ts";
import { requireValidity } from "./validity.ts";

export const DEVICE_LIST_LABEL = "device-list";

/** What version 1 carries where later versions carry the hash of the list before them. */
export const FIRST_PREVIOUS: Uint8Array = new Uint8Array(32);

/** Lists live briefly: this bounds how long a lying server can hide a revocation. */
export const MAX_DEVICE_LIST_SECONDS = 7 * 86_400;

export const MAX_DEVICE_LIST_BYTES =
  1 + 32 + 4 + 32 + 16 + 1 + 48 * MAX_ACTIVE_DEVICES + 1 + 25 * MAX_REVOKED_DEVICES + SIGNATURE_BYTES;
const FORMAT = 1;

/** A device that may act for the account, and the SHA-256 of its certificate. */
export interface ActiveDevice {
  readonly device: DeviceId;
  readonly certificateDigest: Uint8Array;
}

/** A tombstone: this device id never returns. */
export interface RevokedDevice {
  readonly device: DeviceId;
  readonly revokedAt: number;
  readonly reason: number;
}

/** What a device list says, before the account key has signed it. */
export interface UnsignedDeviceList {
  readonly account: AccountId;
  readonly version: number;
  readonly previousDigest: Uint8Array;
  readonly issued: number;
  readonly expires: number;
  readonly active: readonly ActiveDevice[];
  readonly revoked: readonly RevokedDevice[];
}

/** All devices of an account, signed by its key. Version numbers start at 1 and rise by 1. */
export interface DeviceList extends UnsignedDeviceList {
  readonly signature: Uint8Array;
}

/** Parses the layout. Proves nothing yet: call `verifyDeviceList`. Throws MalformedError. */
export function decodeDeviceList(encoded: Uint8Array): DeviceList {
  const reader = new Reader(encoded);
  if (reader.u8() !== FORMAT) throw new MalformedError("an unknown device list format");
  const account = asAccountId(reader.take(32));
  const version = reader.u32();
  const previousDigest = reader.take(32);
  const issued = reader.u53();
  const expires = reader.u53();
  const activeCount = reader.u8();
  if (activeCount > MAX_ACTIVE_DEVICES) throw new MalformedError("too many devices");
  const active = Array.from({ length: activeCount }, () => ({
    device: asDeviceId(reader.take(16)),
    certificateDigest: reader.take(32),
  }));
  const revokedCount = reader.u8();
  if (revokedCount > MAX_REVOKED_DEVICES) throw new MalformedError("too many revoked devices");
  const revoked = Array.from({ length: revokedCount }, () => ({
    device: asDeviceId(reader.take(16)),
    revokedAt: reader.u53(),
    reason: reader.u8(),
  }));
  const signature = reader.take(SIGNATURE_BYTES);
  reader.finish();
  const named = [...active, ...revoked].map((entry) => toHex(entry.device));
  if (version === 0 || new Set(named).size !== named.length) {
    throw new MalformedError("a device list that names a device twice or has version 0");
  }
  if ((version === 1) !== isEqual(previousDigest, FIRST_PREVIOUS)) {
    throw new MalformedError("only the first device list names no list before it");
  }
  return { account, version, previousDigest, issued, expires, active, revoked, signature };
}

/** Everything before the signature: what the account key signs. */
export function deviceListToBeSigned(list: UnsignedDeviceList): Uint8Array {
  return concat(
    u8(FORMAT),
    list.account,
    u32(list.version),
    list.previousDigest,
    u64(list.issued),
    u64(list.expires),
    u8(list.active.length),
    ...list.active.flatMap((entry) => [entry.device, entry.certificateDigest]),
    u8(list.revoked.length),
    ...list.revoked.flatMap((entry) => [entry.device, u64(entry.revokedAt), u8(entry.reason)]),
  );
}

/** The bytes on the wire; `decodeDeviceList` of them gives this list back. */
export function encodeDeviceList(list: DeviceList): Uint8Array {
  return concat(deviceListToBeSigned(list), list.signature);
}

/** SHA-256 of the encoded list, as the next version names it. */
export async function digestDeviceList(primitives: Primitives, list: DeviceList): Promise<Uint8Array> {
  return primitives.sha256(encodeDeviceList(list));
}

/** The digest of an active device's certificate, null for any other device. */
export function listedCertificateDigest(list: DeviceList, device: DeviceId): Uint8Array | null {
  return list.active.find((entry) => isEqual(entry.device, device))?.certificateDigest ?? null;
}

/**
 * Checks signature and validity period at `now` (Unix seconds, ±300 s of clock error allowed). Versions are
 * compared by whoever remembers them (core/identity.ts).
 *
 * Throws ForgedError, NotYetValidError or ExpiredError; VerificationError if it claims no time, or more than
 * seven days.
 */
export async function verifyDeviceList(primitives: Primitives, list: DeviceList, now: number): Promise<void> {
  await verify(primitives, list.account, DEVICE_LIST_LABEL, deviceListToBeSigned(list), list.signature);
  requireValidity("device list", list.issued, list.expires, MAX_DEVICE_LIST_SECONDS, now);
}

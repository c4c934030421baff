/** Distinct types for values that must never be mixed up. All are public values, never secrets. */

import { MalformedError } from "./errors.ts";

declare const brand: unique symbol;
type Branded<Value, Name extends string> = Value & { readonly [brand]: Name };

/** An account's Ed25519 public key AK, 32 bytes: the account *is* this key. */
export type AccountId = Branded<Uint8Array, "AccountId">;
/** 16 random bytes naming a device; never used again after a revocation. */
export type DeviceId = Branded<Uint8Array, "DeviceId">;
/** 8 random bytes naming a pre-key record. */
export type PreKeyId = Branded<Uint8Array, "PreKeyId">;
/** 16 random bytes, one for all offers of one ring. */
export type CallId = Branded<Uint8Array, "CallId">;
/** 16 random bytes from the server naming one direction of one accepted call. */
export type RouteId = Branded<Uint8Array, "RouteId">;
/** A username in its canonical form; only `canonical` (core/username.ts) makes one. */
export type Username = Branded<string, "Username">;

export const ACCOUNT_ID_BYTES = 32;
export const DEVICE_ID_BYTES = 16;
export const PRE_KEY_ID_BYTES = 8;
export const CALL_ID_BYTES = 16;
export const ROUTE_ID_BYTES = 16;

/** Names 32 bytes an account. Throws MalformedError for any other length, as do all of these. */
export function asAccountId(bytes: Uint8Array): AccountId {
  return sized(bytes, ACCOUNT_ID_BYTES) as AccountId;
}

/** Names 16 bytes a device. */
export function asDeviceId(bytes: Uint8Array): DeviceId {
  return sized(bytes, DEVICE_ID_BYTES) as DeviceId;
}

/** Names 8 bytes a pre-key record. */
export function asPreKeyId(bytes: Uint8Array): PreKeyId {
  return sized(bytes, PRE_KEY_ID_BYTES) as PreKeyId;
}

/** Names 16 bytes a call. */
export function asCallId(bytes: Uint8Array): CallId {
  return sized(bytes, CALL_ID_BYTES) as CallId;
}

/** Names 16 bytes a route. */
export function asRouteId(bytes: Uint8Array): RouteId {
  return sized(bytes, ROUTE_ID_BYTES) as RouteId;
}

function sized(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new MalformedError(`an id of ${bytes.length} bytes, not ${length}`);
  return bytes;
}

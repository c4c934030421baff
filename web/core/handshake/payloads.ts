/** What the sealed fields of the handshake hold once opened (spec/handshake.md, Plaintexts). */

import { type Certificate, CERTIFICATE_BYTES, decodeCertificate, encodeCertificate } from "../certificate.ts";
import {
  decodeDeviceList,
  type DeviceList,
  digestDeviceList,
  encodeDeviceList,
  MAX_DEVICE_LIST_BYTES,
} from "../device-list.ts";
import { concat, lp16, Reader, u16, u32, u64 } from "../encoding.ts";
import { MalformedError } from "../errors.ts";
import type { Primitives } from "../primitives.ts";
import { isEqual } from "../secret.ts";

export const FINGERPRINT_BYTES = 32;

/** What stands for the SHA-256 of a DTLS certificate when the transport has no DTLS. */
export const NO_FINGERPRINT: Uint8Array = new Uint8Array(FINGERPRINT_BYTES);

/** Opaque bytes about the way to reach a side; with full device lists an OFFER still fits its limit. */
export const MAX_TRANSPORT_BYTES = 16 * 1024;

/** What a caller asks for. Unknown bits are malformed. */
export const CallFlags = {
  NONE: 0,
  /** The caller allows a direct connection, which shows each side the other's address. */
  DIRECT: 1,
} as const;
export type CallFlags = (typeof CallFlags)[keyof typeof CallFlags];

/** Why a callee does not take the call. */
export const DeclineReason = { DECLINED: 1, BUSY: 2 } as const;
export type DeclineReason = (typeof DeclineReason)[keyof typeof DeclineReason];

/** Why a caller takes an OFFER back. */
export const CancelReason = {
  /** The caller hung up while it rang. */
  STOPPED: 1,
  /** It rang for its full time. */
  NO_ANSWER: 2,
  /** Another device of the same account answered. */
  ELSEWHERE: 3,
  /** Both rang each other, and the other offer won. */
  GLARE: 4,
} as const;
export type CancelReason = (typeof CancelReason)[keyof typeof CancelReason];

/** Which device list a side has seen: version, and the SHA-256 of the whole list. */
export interface ListSighting {
  readonly version: number;
  readonly digest: Uint8Array;
}

/** The sighting of a list. */
export async function sightingOf(primitives: Primitives, deviceList: DeviceList): Promise<ListSighting> {
  return { version: deviceList.version, digest: await digestDeviceList(primitives, deviceList) };
}

/** How a peer's view of our own device list compares with the list itself. */
export const ListView = {
  SAME: "same",
  /** It saw an older one; ours is in the handshake, so it learns. */
  PEER_BEHIND: "peer-behind",
  /** It saw a newer one: fetch it, and end the call if our device is not in it. */
  PEER_AHEAD: "peer-ahead",
  /** It saw another list of the same version: someone shows different lists to different people. */
  FORKED: "forked",
} as const;
export type ListView = (typeof ListView)[keyof typeof ListView];

/** Compares our own list with what the peer saw. */
export async function compareListView(
  primitives: Primitives,
  own: DeviceList,
  seen: ListSighting,
): Promise<ListView> {
  if (seen.version < own.version) return ListView.PEER_BEHIND;
  if (seen.version > own.version) return ListView.PEER_AHEAD;
  return isEqual(seen.digest, await digestDeviceList(primitives, own)) ? ListView.SAME : ListView.FORKED;
}

/** id_A: who calls. */
export interface IdentityPayload {
  readonly certificate: Certificate;
  readonly deviceList: DeviceList;
}

/** certificate 194 ‖ lp16(list). */
export function encodeIdentityPayload(payload: IdentityPayload): Uint8Array {
  return concat(encodeCertificate(payload.certificate), lp16(encodeDeviceList(payload.deviceList)));
}

/** Parses the layout. Proves nothing yet. Throws MalformedError. */
export function decodeIdentityPayload(encoded: Uint8Array): IdentityPayload {
  const reader = new Reader(encoded);
  const certificate = decodeCertificate(reader.take(CERTIFICATE_BYTES));
  const deviceList = decodeDeviceList(reader.lp16(MAX_DEVICE_LIST_BYTES));
  reader.finish();
  return { certificate, deviceList };
}

/** offer_A: what the caller speaks, knows and proposes. */
export interface OfferPayload {
  readonly versions: number;
  readonly suites: number;
  /** The caller's clock, Unix seconds. */
  readonly time: number;
  readonly calleeList: ListSighting;
  readonly fingerprint: Uint8Array;
  readonly flags: CallFlags;
  readonly transport: Uint8Array;
}

/** versions u16 ‖ suites u16 ‖ time u64 ‖ sighting 36 ‖ fp 32 ‖ flags u16 ‖ lp16 transport. */
export function encodeOfferPayload(payload: OfferPayload): Uint8Array {
  return concat(
    u16(payload.versions),
    u16(payload.suites),
    u64(payload.time),
    encodeSighting(payload.calleeList),
    payload.fingerprint,
    u16(payload.flags),
    lp16(payload.transport),
  );
}

/** Parses the layout. Throws MalformedError. */
export function decodeOfferPayload(encoded: Uint8Array): OfferPayload {
  const reader = new Reader(encoded);
  const versions = reader.u16();
  const suites = reader.u16();
  const time = reader.u53();
  const calleeList = readSighting(reader);
  const fingerprint = reader.take(FINGERPRINT_BYTES);
  const flags = reader.u16();
  const transport = reader.lp16(MAX_TRANSPORT_BYTES);
  reader.finish();
  if (flags !== CallFlags.NONE && flags !== CallFlags.DIRECT) throw new MalformedError("unknown call flags");
  return { versions, suites, time, calleeList, fingerprint, flags, transport };
}

/** ans_B: what the callee knows and proposes. */
export interface AnswerPayload {
  /** The callee's clock, Unix seconds. */
  readonly time: number;
  readonly callerList: ListSighting;
  readonly fingerprint: Uint8Array;
  readonly deviceList: DeviceList;
  readonly transport: Uint8Array;
}

/** time u64 ‖ sighting 36 ‖ fp 32 ‖ lp16(list) ‖ lp16 transport. */
export function encodeAnswerPayload(payload: AnswerPayload): Uint8Array {
  return concat(
    u64(payload.time),
    encodeSighting(payload.callerList),
    payload.fingerprint,
    lp16(encodeDeviceList(payload.deviceList)),
    lp16(payload.transport),
  );
}

/** Parses the layout. Throws MalformedError. */
export function decodeAnswerPayload(encoded: Uint8Array): AnswerPayload {
  const reader = new Reader(encoded);
  const time = reader.u53();
  const callerList = readSighting(reader);
  const fingerprint = reader.take(FINGERPRINT_BYTES);
  const deviceList = decodeDeviceList(reader.lp16(MAX_DEVICE_LIST_BYTES));
  const transport = reader.lp16(MAX_TRANSPORT_BYTES);
  reader.finish();
  return { time, callerList, fingerprint, deviceList, transport };
}

function encodeSighting(sighting: ListSighting): Uint8Array {
  return concat(u32(sighting.version), sighting.digest);
}

function readSighting(reader: Reader): ListSighting {
  return { version: reader.u32(), digest: reader.take(32) };
}

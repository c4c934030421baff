/** What the two programs say about the line itself: life signs, resumption, leaving, lists, paths. */

import { decodeDeviceList, MAX_DEVICE_LIST_BYTES } from "../device-list.ts";
import { concat, type Reader, u16, u32, u8 } from "../encoding.ts";
import { MalformedError } from "../errors.ts";
import { type Codec, ContentType, flagByte, isCode, isNumber, readFlag } from "./fields.ts";

/** Missing numbers named in one RESUME; those beyond are asked for when these have come. */
export const MAX_HOLES = 64;

/** Addresses in one LINE_OFFER: a machine with several networks, both IP versions. */
export const MAX_LINE_ADDRESSES = 8;

export const LINE_TOKEN_BYTES = 16;
const DIGEST_BYTES = 32;
const MAX_PORT = 0xffff;

/** Why a side left. A code younger than this version reads as OTHER: a hang-up always ends the call. */
export const ByeReason = {
  OTHER: 0,
  HUNG_UP: 1,
  /** Locked, or wiped by panic: the peer is not told which. */
  LOCKED: 2,
  IDLE: 3,
  /** The leaver saw that one of the two devices is no longer on its account's list. */
  REVOKED: 4,
  /** The leaver saw a break of this protocol. */
  PROTOCOL: 5,
} as const;
export type ByeReason = (typeof ByeReason)[keyof typeof ByeReason];

/** I am here, and `lastNumber` is the last content I counted: a lost tail shows. */
export interface Heartbeat {
  readonly type: "heartbeat";
  readonly lastNumber: number;
}

/**
 * Send again, byte for byte, what is missing: `holes` (ascending, at or below `highest`). `isNewPath` asks for
 * all after `highest` too: what was under way on the old path may be gone.
 */
export interface Resume {
  readonly type: "resume";
  readonly isNewPath: boolean;
  readonly highest: number;
  readonly holes: readonly number[];
}

/** I leave and wipe now. `lastNumber` is the last content I counted. */
export interface Bye {
  readonly type: "bye";
  readonly reason: ByeReason;
  readonly lastNumber: number;
}

/** The sender's own newer device list, encoded; a well-formed one, not yet verified. */
export interface ListUpdate {
  readonly type: "list-update";
  readonly deviceList: Uint8Array;
}

/** The version and SHA-256 of the receiver's list that the sender holds; a lying server shows here. */
export interface ListReport {
  readonly type: "list-report";
  readonly version: number;
  readonly digest: Uint8Array;
}

/** Whether the sender lets this peer learn its IP address. No LINE_OFFER before both said yes. */
export interface DirectConsent {
  readonly type: "direct-consent";
  readonly allowed: boolean;
}

/** An IP address, 4 or 16 bytes, and a TCP port, 1 to 65,535. */
export interface Address {
  readonly ip: Uint8Array;
  readonly port: number;
}

/**
 * Dial me on one of these for a direct TCP path. `token` is 16 random bytes that name the attempt; the dialler
 * writes them first, so that no stranger's connection counts.
 */
export interface LineOffer {
  readonly type: "line-offer";
  readonly token: Uint8Array;
  readonly addresses: readonly Address[];
}

/** The answer to the offer of the same token: dial me on these too; none means stay on the relay. */
export interface LineAnswer {
  readonly type: "line-answer";
  readonly token: Uint8Array;
  readonly addresses: readonly Address[];
}

export const HEARTBEAT: Codec<Heartbeat> = {
  type: "heartbeat",
  code: ContentType.HEARTBEAT,
  isCounted: false,
  fault: ({ lastNumber }) => (isNumber(lastNumber, 0) ? null : "a heartbeat out of range"),
  encodeBody: ({ lastNumber }) => u32(lastNumber),
  read: (reader) => ({ type: "heartbeat", lastNumber: reader.u32() }),
};

export const RESUME: Codec<Resume> = {
  type: "resume",
  code: ContentType.RESUME,
  isCounted: false,
  fault({ highest, holes }) {
    if (!isNumber(highest, 0) || holes.length > MAX_HOLES)
      return "a resume out of range, or with too many holes";
    let last = 0;
    for (const hole of holes) {
      if (!isNumber(hole, last + 1) || hole > highest) {
        return "a resume whose holes are not ascending or go too far";
      }
      last = hole;
    }
    return null;
  },
  encodeBody({ isNewPath, highest, holes }) {
    return concat(u8(flagByte(isNewPath)), u32(highest), u8(holes.length), ...holes.map(u32));
  },
  read(reader) {
    const isNewPath = readFlag(reader);
    const highest = reader.u32();
    const count = reader.u8();
    if (count > MAX_HOLES) throw new MalformedError("a resume with too many holes");
    const holes = Array.from({ length: count }, () => reader.u32());
    return { type: "resume", isNewPath, highest, holes };
  },
};

export const BYE: Codec<Bye> = {
  type: "bye",
  code: ContentType.BYE,
  isCounted: false,
  fault: ({ reason, lastNumber }) =>
    isCode(ByeReason, reason) && isNumber(lastNumber, 0) ? null : "a goodbye out of range",
  encodeBody: ({ reason, lastNumber }) => concat(u8(reason), u32(lastNumber)),
  read(reader) {
    const code = reader.u8();
    const reason = Object.values(ByeReason).find((known) => known === code) ?? ByeReason.OTHER;
    return { type: "bye", reason, lastNumber: reader.u32() };
  },
};

export const LIST_UPDATE: Codec<ListUpdate> = {
  type: "list-update",
  code: ContentType.LIST_UPDATE,
  isCounted: true,
  fault({ deviceList }) {
    if (deviceList.length > MAX_DEVICE_LIST_BYTES) return "a device list over its size limit";
    try {
      decodeDeviceList(deviceList);
      return null;
    } catch (error) {
      if (error instanceof MalformedError) return error.message;
      throw error;
    }
  },
  encodeBody: ({ deviceList }) => deviceList,
  read: (reader) => ({ type: "list-update", deviceList: reader.rest() }),
};

export const LIST_REPORT: Codec<ListReport> = {
  type: "list-report",
  code: ContentType.LIST_REPORT,
  isCounted: false,
  fault: ({ version, digest }) =>
    isNumber(version, 1) && digest.length === DIGEST_BYTES ? null : "a report of no list",
  encodeBody: ({ version, digest }) => concat(u32(version), digest),
  read: (reader) => ({ type: "list-report", version: reader.u32(), digest: reader.take(DIGEST_BYTES) }),
};

export const DIRECT_CONSENT: Codec<DirectConsent> = {
  type: "direct-consent",
  code: ContentType.DIRECT_CONSENT,
  isCounted: true,
  fault: () => null,
  encodeBody: ({ allowed }) => u8(flagByte(allowed)),
  read: (reader) => ({ type: "direct-consent", allowed: readFlag(reader) }),
};

export const LINE_OFFER: Codec<LineOffer> = {
  type: "line-offer",
  code: ContentType.LINE_OFFER,
  isCounted: true,
  fault: addressesFault,
  encodeBody: encodeAddresses,
  read: (reader) => ({ type: "line-offer", ...readAddresses(reader) }),
};

export const LINE_ANSWER: Codec<LineAnswer> = {
  type: "line-answer",
  code: ContentType.LINE_ANSWER,
  isCounted: true,
  fault: addressesFault,
  encodeBody: encodeAddresses,
  read: (reader) => ({ type: "line-answer", ...readAddresses(reader) }),
};

interface LineAddresses {
  readonly token: Uint8Array;
  readonly addresses: readonly Address[];
}

function addressesFault({ token, addresses }: LineAddresses): string | null {
  if (token.length !== LINE_TOKEN_BYTES || addresses.length > MAX_LINE_ADDRESSES) {
    return "a token of the wrong length, or too many addresses";
  }
  return addresses.every(isAddress) ? null : "an address that is none";
}

function isAddress({ ip, port }: Address): boolean {
  return [4, 16].includes(ip.length) && isNumber(port, 1) && port <= MAX_PORT;
}

function encodeAddresses({ token, addresses }: LineAddresses): Uint8Array {
  const encoded = addresses.flatMap(({ ip, port }) => [u8(ip.length), ip, u16(port)]);
  return concat(token, u8(addresses.length), ...encoded);
}

function readAddresses(reader: Reader): LineAddresses {
  const token = reader.take(LINE_TOKEN_BYTES);
  const count = reader.u8();
  if (count > MAX_LINE_ADDRESSES) throw new MalformedError("too many addresses");
  const addresses = Array.from({ length: count }, () => ({
    ip: reader.take(reader.u8()),
    port: reader.u16(),
  }));
  return { token, addresses };
}

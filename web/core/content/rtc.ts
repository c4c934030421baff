/** What two sides say to agree on a WebRTC line: values, never descriptions (spec/lines.md, WebRTC). */

import { ascii, concat, type Reader, u16, u32, u8 } from "../encoding.ts";
import { MalformedError } from "../errors.ts";
import { type Codec, ContentType, isCode, isNumber } from "./fields.ts";
import { LINE_TOKEN_BYTES } from "./line.ts";

/** Candidates in one RTC_CANDIDATES. */
export const MAX_CANDIDATES_AT_ONCE = 16;

/** What ICE's name and password may be (RFC 8839 section 5.4). */
export const MIN_UFRAG_LENGTH = 4;
export const MAX_UFRAG_LENGTH = 32;
export const MIN_PWD_LENGTH = 22;
export const MAX_PWD_LENGTH = 128;

/** A UUID and ".local": what a browser puts in place of an address that a page shall not see. */
export const MDNS_NAME_BYTES = 42;

const ICE_TEXT = /^[A-Za-z0-9+/]*$/u;
const MDNS_NAME = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local$/u;
const MAX_PORT = 0xffff;

/** Which candidates an attempt may use. */
export const RtcPolicy = {
  /** Through TURN only: the peers see each other's TURN server, nothing else. */
  RELAY_ONLY: 1,
  /** Any: the peers learn each other's addresses. Needs consent of both. */
  ALL: 2,
} as const;
export type RtcPolicy = (typeof RtcPolicy)[keyof typeof RtcPolicy];

/** Where an address comes from, which is also what it shows. */
export const CandidateKind = { HOST: 1, SERVER_REFLEXIVE: 2, RELAYED: 3 } as const;
export type CandidateKind = (typeof CandidateKind)[keyof typeof CandidateKind];

/** Why an attempt or a line is over. A code younger than this version reads as BROKE. */
export const RtcCloseReason = { BROKE: 1, CANNOT: 2, NOT_WANTED: 3 } as const;
export type RtcCloseReason = (typeof RtcCloseReason)[keyof typeof RtcCloseReason];

interface IceDescription {
  /** 16 random bytes that name the attempt. */
  readonly token: Uint8Array;
  readonly policy: RtcPolicy;
  readonly ufrag: string;
  readonly pwd: string;
}

/** Let us try a DataChannel; with the token of an open one and a new ufrag, an ICE restart. */
export interface RtcOffer extends IceDescription {
  readonly type: "rtc-offer";
}

/** The answer to the offer of the same token and policy. */
export interface RtcAnswer extends IceDescription {
  readonly type: "rtc-answer";
}

/** One UDP address: 4 or 16 bytes of an IP address, or the ASCII of an mDNS name. */
export interface IceCandidate {
  readonly kind: CandidateKind;
  readonly priority: number;
  readonly address: Uint8Array;
  readonly port: number;
}

/** More candidates of the description with this ufrag; none at all says that there are no more. */
export interface RtcCandidates {
  readonly type: "rtc-candidates";
  readonly token: Uint8Array;
  readonly ufrag: string;
  readonly candidates: readonly IceCandidate[];
}

/** The attempt or the line of this token is over; frames go over the relay. */
export interface RtcClose {
  readonly type: "rtc-close";
  readonly token: Uint8Array;
  readonly reason: RtcCloseReason;
}

export const RTC_OFFER: Codec<RtcOffer> = {
  type: "rtc-offer",
  code: ContentType.RTC_OFFER,
  isCounted: true,
  fault: descriptionFault,
  encodeBody: encodeDescription,
  read: (reader) => ({ type: "rtc-offer", ...readDescription(reader) }),
};

export const RTC_ANSWER: Codec<RtcAnswer> = {
  type: "rtc-answer",
  code: ContentType.RTC_ANSWER,
  isCounted: true,
  fault: descriptionFault,
  encodeBody: encodeDescription,
  read: (reader) => ({ type: "rtc-answer", ...readDescription(reader) }),
};

export const RTC_CANDIDATES: Codec<RtcCandidates> = {
  type: "rtc-candidates",
  code: ContentType.RTC_CANDIDATES,
  isCounted: true,
  fault({ token, ufrag, candidates }) {
    if (candidates.length > MAX_CANDIDATES_AT_ONCE) return "too many candidates";
    const fault = tokenFault(token) ?? iceFault(ufrag, MIN_UFRAG_LENGTH, MAX_UFRAG_LENGTH);
    return fault ?? (candidates.every(isCandidate) ? null : "a candidate that is none");
  },
  encodeBody: ({ token, ufrag, candidates }) =>
    concat(token, lp8(ascii(ufrag)), u8(candidates.length), ...candidates.map(encodeCandidate)),
  read(reader) {
    const token = reader.take(LINE_TOKEN_BYTES);
    const ufrag = readIce(reader, MAX_UFRAG_LENGTH);
    const count = reader.u8();
    if (count > MAX_CANDIDATES_AT_ONCE) throw new MalformedError("too many candidates");
    const candidates = Array.from({ length: count }, () => readCandidate(reader));
    return { type: "rtc-candidates", token, ufrag, candidates };
  },
};

export const RTC_CLOSE: Codec<RtcClose> = {
  type: "rtc-close",
  code: ContentType.RTC_CLOSE,
  isCounted: true,
  fault: ({ token, reason }) =>
    isCode(RtcCloseReason, reason) ? tokenFault(token) : "a close for no reason",
  encodeBody: ({ token, reason }) => concat(token, u8(reason)),
  read(reader) {
    const token = reader.take(LINE_TOKEN_BYTES);
    const code = reader.u8();
    const reason = Object.values(RtcCloseReason).find((known) => known === code) ?? RtcCloseReason.BROKE;
    return { type: "rtc-close", token, reason };
  },
};

function descriptionFault({ token, policy, ufrag, pwd }: IceDescription): string | null {
  if (!isCode(RtcPolicy, policy)) return "a policy that is none";
  return (
    tokenFault(token) ??
    iceFault(ufrag, MIN_UFRAG_LENGTH, MAX_UFRAG_LENGTH) ??
    iceFault(pwd, MIN_PWD_LENGTH, MAX_PWD_LENGTH)
  );
}

function encodeDescription({ token, policy, ufrag, pwd }: IceDescription): Uint8Array {
  return concat(token, u8(policy), lp8(ascii(ufrag)), lp8(ascii(pwd)));
}

function readDescription(reader: Reader): IceDescription {
  return {
    token: reader.take(LINE_TOKEN_BYTES),
    policy: reader.code(RtcPolicy),
    ufrag: readIce(reader, MAX_UFRAG_LENGTH),
    pwd: readIce(reader, MAX_PWD_LENGTH),
  };
}

function tokenFault(token: Uint8Array): string | null {
  return token.length === LINE_TOKEN_BYTES ? null : "a token of the wrong length";
}

function iceFault(text: string, least: number, most: number): string | null {
  const isText = text.length >= least && text.length <= most && ICE_TEXT.test(text);
  return isText ? null : "an ICE name or password that is none";
}

function isCandidate({ kind, priority, address, port }: IceCandidate): boolean {
  if (!isCode(CandidateKind, kind) || !isNumber(priority, 0) || !isNumber(port, 1) || port > MAX_PORT) {
    return false;
  }
  return [4, 16].includes(address.length) || isMdnsName(address);
}

function isMdnsName(address: Uint8Array): boolean {
  // the length first: a name is matched whole, and only when it can be one
  return address.length === MDNS_NAME_BYTES && MDNS_NAME.test(String.fromCharCode(...address));
}

function encodeCandidate({ kind, priority, address, port }: IceCandidate): Uint8Array {
  return concat(u8(kind), u32(priority), lp8(address), u16(port));
}

function readCandidate(reader: Reader): IceCandidate {
  const kind = reader.code(CandidateKind);
  const priority = reader.u32();
  return { kind, priority, address: readLp8(reader, MDNS_NAME_BYTES), port: reader.u16() };
}

/** Latin-1 never fails, and whatever is not ASCII is refused by the fault. */
function readIce(reader: Reader, limit: number): string {
  return String.fromCharCode(...readLp8(reader, limit));
}

function lp8(data: Uint8Array): Uint8Array {
  return concat(u8(data.length), data);
}

function readLp8(reader: Reader, limit: number): Uint8Array {
  const length = reader.u8();
  if (length > limit) throw new MalformedError(`a field of ${length} bytes is over its limit of ${limit}`);
  return reader.take(length);
}

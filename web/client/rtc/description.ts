/**
 * The only place that knows SDP: writes the peer's description from typed values, reads the browser's own.
 *
 * Nothing of what a peer or a server sends as text ever gets here (spec/lines.md, WebRTC).
 */

import {
  CandidateKind,
  type IceCandidate,
  MAX_PWD_LENGTH,
  MAX_UFRAG_LENGTH,
  MIN_PWD_LENGTH,
  MIN_UFRAG_LENGTH,
} from "../../core/content/index.ts";
import { ascii, fromAscii, toHex } from "../../core/encoding.ts";
import { LocalProtocolError, MalformedError } from "../../core/errors.ts";
import type { IceCredentials } from "./port.ts";

/** One message is one frame; the relay's limit is the same. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

const ICE_TEXT = /^[A-Za-z0-9+/]+$/u;
const FINGERPRINT_BYTES = 32;
const KINDS: Readonly<Record<string, CandidateKind>> = {
  host: CandidateKind.HOST,
  srflx: CandidateKind.SERVER_REFLEXIVE,
  relay: CandidateKind.RELAYED,
};
const CANDIDATE =
  /^candidate:[A-Za-z0-9+/]{1,32} 1 udp (\d{1,10}) ([0-9A-Za-z.:-]{2,64}) (\d{1,5}) typ (host|srflx|relay)(?: .*)?$/iu;
const MDNS_NAME = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local$/u;

/** Which half of the negotiation a description is. The answerer is the DTLS client. */
export type DescriptionKind = "offer" | "answer";

/**
 * A description of the peer with one data channel, one fingerprint, and nothing that was not checked.
 * `version` counts the descriptions of one connection. Throws LocalProtocolError.
 */
export function writeDescription(
  kind: DescriptionKind,
  { ufrag, pwd }: IceCredentials,
  fingerprint: Uint8Array,
  version: number,
): string {
  requireIce(ufrag, MIN_UFRAG_LENGTH, MAX_UFRAG_LENGTH);
  requireIce(pwd, MIN_PWD_LENGTH, MAX_PWD_LENGTH);
  if (fingerprint.length !== FINGERPRINT_BYTES)
    throw new LocalProtocolError("a fingerprint of another length");
  const hex = Array.from(fingerprint, (byte) => byte.toString(16).padStart(2, "0").toUpperCase());
  const lines = [
    "v=0",
    `o=- 1 ${Math.trunc(version)} IN IP4 127.0.0.1`,
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    "a=ice-options:trickle",
    `a=fingerprint:sha-256 ${hex.join(":")}`,
    `a=setup:${kind === "offer" ? "actpass" : "active"}`,
    "a=mid:0",
    "a=sctp-port:5000",
    `a=max-message-size:${MAX_MESSAGE_BYTES}`,
  ];
  return `${lines.join("\r\n")}\r\n`;
}

/** A candidate of the peer, as `addIceCandidate` takes it. Throws LocalProtocolError. */
export function writeCandidate({ kind, priority, address, port }: IceCandidate, index: number): string {
  const type = Object.keys(KINDS).find((name) => KINDS[name] === kind);
  if (type === undefined) throw new LocalProtocolError("a candidate of no kind");
  const place = `${Math.trunc(priority)} ${writeAddress(address)} ${Math.trunc(port)}`;
  const related = kind === CandidateKind.HOST ? "" : " raddr 0.0.0.0 rport 9";
  return `candidate:${index} 1 udp ${place} typ ${type}${related}`;
}

/** ICE's name and password in the browser's own description. Throws MalformedError: none, several, or odd ones. */
export function readDescription(sdp: string): IceCredentials {
  const lines = sdp.split(/\r?\n/u);
  const media = lines.filter((line) => line.startsWith("m="));
  if (media.length !== 1 || !(media[0] ?? "").startsWith("m=application ")) {
    throw new MalformedError("a description of something else than one data channel");
  }
  const credentials = { ufrag: only(lines, "a=ice-ufrag:"), pwd: only(lines, "a=ice-pwd:") };
  requireOwn(credentials.ufrag, MIN_UFRAG_LENGTH, MAX_UFRAG_LENGTH);
  requireOwn(credentials.pwd, MIN_PWD_LENGTH, MAX_PWD_LENGTH);
  return credentials;
}

/** The SHA-256 fingerprint of a browser's own certificate. Throws MalformedError. */
export function readFingerprint(value: string): Uint8Array {
  const parts = value.split(":");
  if (parts.length !== FINGERPRINT_BYTES || !parts.every((part) => /^[0-9A-Fa-f]{2}$/u.test(part))) {
    throw new MalformedError("a fingerprint that is none");
  }
  return Uint8Array.from(parts, (part) => parseInt(part, 16));
}

/**
 * One of the browser's own candidates; null for one that is not used here: TCP, another component, or an address
 * that is none. `ufrag` names its description where the browser says so.
 */
export function readCandidate(line: string): { ufrag: string | null; candidate: IceCandidate } | null {
  const match = CANDIDATE.exec(line.replace(/^a=/u, ""));
  if (match === null) return null;
  const [, priority = "", host = "", port = "", type = ""] = match;
  const kind = KINDS[type.toLowerCase()];
  const address = readAddress(host);
  if (kind === undefined || address === null) return null;
  const candidate = { kind, priority: Number(priority), address, port: Number(port) };
  if (candidate.priority > 0xffff_ffff || candidate.port < 1 || candidate.port > 0xffff) return null;
  return { ufrag: / ufrag ([A-Za-z0-9+/]{4,32})(?: |$)/u.exec(line)?.[1] ?? null, candidate };
}

function readAddress(text: string): Uint8Array | null {
  const name = text.toLowerCase();
  if (MDNS_NAME.test(name)) return ascii(name);
  return text.includes(":") ? readIpv6(text) : readIpv4(text);
}

function readIpv4(text: string): Uint8Array | null {
  const parts = text.split(".");
  const isAddress =
    parts.length === 4 && parts.every((part) => /^\d{1,3}$/u.test(part) && Number(part) <= 255);
  return isAddress ? Uint8Array.from(parts, Number) : null;
}

/** RFC 4291 section 2.2, with the shortened forms. */
function readIpv6(text: string): Uint8Array | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = [readGroups(halves[0] ?? ""), readGroups(halves[1] ?? "")];
  if (head === null || tail === null) return null;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return null;
  return Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

function readGroups(text: string): number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  for (const [index, group] of text.split(":").entries()) {
    const isLast = index === text.split(":").length - 1;
    const embedded = isLast && group.includes(".") ? readIpv4(group) : null;
    if (embedded !== null) bytes.push(...embedded);
    else if (/^[0-9A-Fa-f]{1,4}$/u.test(group))
      bytes.push(parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff);
    else return null;
  }
  return bytes;
}

function writeAddress(address: Uint8Array): string {
  if (address.length === 4) return [...address].join(".");
  if (address.length === 16) {
    return Array.from({ length: 8 }, (_, i) => toHex(address.subarray(2 * i, 2 * i + 2))).join(":");
  }
  const name = fromAscii(address);
  if (!MDNS_NAME.test(name)) throw new LocalProtocolError("an address that is none");
  return name;
}

function only(lines: readonly string[], start: string): string {
  const values = lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
  if (values.length !== 1)
    throw new MalformedError("a description with none or several of what there is one of");
  return values[0] ?? "";
}

function isIce(text: string, least: number, most: number): boolean {
  return text.length >= least && text.length <= most && ICE_TEXT.test(text);
}

function requireIce(text: string, least: number, most: number): void {
  if (!isIce(text, least, most)) throw new LocalProtocolError("an ICE name or password that is none");
}

function requireOwn(text: string, least: number, most: number): void {
  if (!isIce(text, least, most)) throw new MalformedError("an ICE name or password that is none");
}

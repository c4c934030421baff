/** Contents to bytes and back: one strict codec for all types. */

import { concat, Reader, u32, u8 } from "../encoding.ts";
import { LocalProtocolError, MalformedError } from "../errors.ts";
import {
  REACTION,
  type Reaction,
  TEXT_DELETE,
  TEXT_EDIT,
  type TextDelete,
  type TextEdit,
} from "./changes.ts";
import { type Codec, MAX_NUMBER } from "./fields.ts";
import {
  FILE_ACK,
  FILE_CANCEL,
  FILE_DONE,
  FILE_OFFER,
  FILE_REQUEST,
  type FileAck,
  type FileCancel,
  type FileDone,
  type FileOffer,
  type FileRequest,
} from "./files.ts";
import {
  BYE,
  type Bye,
  DIRECT_CONSENT,
  type DirectConsent,
  HEARTBEAT,
  type Heartbeat,
  LINE_ANSWER,
  LINE_OFFER,
  type LineAnswer,
  type LineOffer,
  LIST_REPORT,
  LIST_UPDATE,
  type ListReport,
  type ListUpdate,
  RESUME,
  type Resume,
} from "./line.ts";
import { RECEIPT, type Receipt, TEXT, type Text, TYPING, type Typing } from "./messages.ts";
import {
  RTC_ANSWER,
  RTC_CANDIDATES,
  RTC_CLOSE,
  RTC_OFFER,
  type RtcAnswer,
  type RtcCandidates,
  type RtcClose,
  type RtcOffer,
} from "./rtc.ts";

export const CONTENT_HEADER_BYTES = 5;

/** A content of a type younger than this version; its body is not kept, its number still counts. */
export interface Unknown {
  readonly type: "unknown";
  readonly code: number;
}

export type Content =
  | Text
  | Typing
  | Receipt
  | TextEdit
  | TextDelete
  | Reaction
  | FileOffer
  | FileRequest
  | FileAck
  | FileCancel
  | FileDone
  | Heartbeat
  | Resume
  | Bye
  | ListUpdate
  | ListReport
  | DirectConsent
  | LineOffer
  | LineAnswer
  | RtcOffer
  | RtcAnswer
  | RtcCandidates
  | RtcClose;

/** Each type's codec, under its own name. The compiler checks that none is missing or misplaced. */
const CODECS: { readonly [T in Content["type"]]: Codec<Extract<Content, { readonly type: T }>> } = {
  text: TEXT,
  typing: TYPING,
  receipt: RECEIPT,
  "text-edit": TEXT_EDIT,
  "text-delete": TEXT_DELETE,
  reaction: REACTION,
  "file-offer": FILE_OFFER,
  "file-request": FILE_REQUEST,
  "file-ack": FILE_ACK,
  "file-cancel": FILE_CANCEL,
  "file-done": FILE_DONE,
  heartbeat: HEARTBEAT,
  resume: RESUME,
  bye: BYE,
  "list-update": LIST_UPDATE,
  "list-report": LIST_REPORT,
  "direct-consent": DIRECT_CONSENT,
  "line-offer": LINE_OFFER,
  "line-answer": LINE_ANSWER,
  "rtc-offer": RTC_OFFER,
  "rtc-answer": RTC_ANSWER,
  "rtc-candidates": RTC_CANDIDATES,
  "rtc-close": RTC_CLOSE,
};

const BY_CODE: ReadonlyMap<number, Codec<Content>> = new Map(
  Object.values(CODECS).map((codec) => [codec.code, codec as Codec<Content>]),
);

/** Whether contents of this type carry a number, and are delivered in order or declared lost. */
export function isCounted(content: Content): boolean {
  return codecOf(content).isCounted;
}

/**
 * type ‖ number ‖ body; `number` is 1 or more for a counted content, else 0.
 * Throws LocalProtocolError: a value over its limit, or a number that does not fit the type.
 */
export function encodeContent(content: Content, number: number): Uint8Array {
  const codec = codecOf(content);
  const fault = codec.fault(content);
  if (fault !== null) throw new LocalProtocolError(fault);
  if (number > 0 !== codec.isCounted || number > MAX_NUMBER) {
    throw new LocalProtocolError(`number ${number} does not fit a ${content.type}`);
  }
  return concat(u8(codec.code), u32(number), codec.encodeBody(content));
}

/**
 * Type and number, without reading the body: a content that fails later still fills its place.
 * Throws MalformedError.
 */
export function decodeHead(encoded: Uint8Array): { readonly code: number; readonly number: number } {
  const reader = new Reader(encoded);
  return { code: reader.u8(), number: reader.u32() };
}

/** Parses a content whose head `decodeHead` could read. Throws MalformedError. */
export function decodeBody(encoded: Uint8Array): Content | Unknown {
  const reader = new Reader(encoded);
  const code = reader.u8();
  const number = reader.u32();
  const codec = BY_CODE.get(code);
  if (codec === undefined) return { type: "unknown", code };
  if (number > 0 !== codec.isCounted) {
    throw new MalformedError("a number that does not fit the type of its content");
  }
  const content = codec.read(reader);
  reader.finish();
  const fault = codec.fault(content);
  if (fault !== null) throw new MalformedError(fault);
  return content;
}

/** The number and the content. Throws MalformedError. */
export function decodeContent(encoded: Uint8Array): {
  readonly number: number;
  readonly content: Content | Unknown;
} {
  return { number: decodeHead(encoded).number, content: decodeBody(encoded) };
}

function codecOf(content: Content): Codec<Content> {
  return CODECS[content.type];
}

/** What all contents share: the type byte, the number, and how small fields are read. */

import type { Reader } from "../encoding.ts";
import { LocalProtocolError, MalformedError } from "../errors.ts";
import { encodeUtf8 } from "../utf8.ts";

/** The last content number: a u32 that never wraps. At 100 a second it lasts sixteen months. */
export const MAX_NUMBER = 2 ** 32 - 1;

/** First byte of a content. A type that is not here comes from a newer minor version and is skipped. */
export const ContentType = {
  TEXT: 0x01,
  TYPING: 0x02,
  RECEIPT: 0x03,
  TEXT_EDIT: 0x04,
  TEXT_DELETE: 0x05,
  REACTION: 0x06,
  FILE_OFFER: 0x10,
  FILE_REQUEST: 0x11,
  FILE_ACK: 0x12,
  FILE_CANCEL: 0x13,
  FILE_DONE: 0x14,
  HEARTBEAT: 0x20,
  RESUME: 0x21,
  BYE: 0x22,
  LIST_UPDATE: 0x30,
  LIST_REPORT: 0x31,
  DIRECT_CONSENT: 0x40,
  LINE_OFFER: 0x41,
  LINE_ANSWER: 0x42,
  RTC_OFFER: 0x43,
  RTC_ANSWER: 0x44,
  RTC_CANDIDATES: 0x45,
  RTC_CLOSE: 0x46,
} as const;
export type ContentType = (typeof ContentType)[keyof typeof ContentType];

/** How one type of content becomes bytes and comes back. */
export interface Codec<C extends { readonly type: string }> {
  readonly type: C["type"];
  readonly code: ContentType;
  /** Whether it carries a number, and is delivered in order or declared lost. */
  readonly isCounted: boolean;
  /** What breaks the rules, null if nothing does. */
  fault(content: C): string | null;
  /** The body's bytes; only called without a fault. */
  encodeBody(content: C): Uint8Array;
  /** Takes the body. Throws MalformedError. */
  read(reader: Reader): C;
}

/** Takes one byte as 0 or 1. Throws MalformedError for any other. */
export function readFlag(reader: Reader): boolean {
  const value = reader.u8();
  if (value > 1) throw new MalformedError("a flag that is neither 0 nor 1");
  return value === 1;
}

/** One byte, 0 or 1. */
export function flagByte(value: boolean): number {
  return value ? 1 : 0;
}

/** Whether `value` is an integer from `least` to 2^32 - 1. */
export function isNumber(value: number, least: number): boolean {
  return Number.isInteger(value) && value >= least && value <= MAX_NUMBER;
}

/** Whether `value` is one of a table's codes: a caller without a compiler may pass any. */
export function isCode(table: Readonly<Record<string, number>>, value: number): boolean {
  return Object.values(table).includes(value);
}

/** What is wrong with a text that must be at most `limit` bytes of UTF-8, null if nothing is. */
export function utf8Fault(text: string, limit: number, what: string): string | null {
  if (text.length > limit) return `${what} over ${limit} bytes`;
  try {
    return encodeUtf8(text).length > limit ? `${what} over ${limit} bytes` : null;
  } catch (error) {
    if (error instanceof LocalProtocolError) return `${what} that is not Unicode`;
    throw error;
  }
}

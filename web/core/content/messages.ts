/** What people say, and how far it got: texts, typing, receipts. */

import { concat, parseCode, u32, u8 } from "../encoding.ts";
import { MalformedError } from "../errors.ts";
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";
import { type Codec, ContentType, flagByte, isCode, isNumber, readFlag, utf8Fault } from "./fields.ts";

/** One text, as UTF-8: ten pages, and half of what a ratchet message may hold. */
export const MAX_TEXT_BYTES = 32 * 1024;

/** Runs of lost numbers in one receipt; when there are more, the two oldest are joined into one. */
export const MAX_LOST_RUNS = 16;

/** Whose numbering a reference uses, seen from the sender of the reference. */
export const Author = { SENDER: 1, RECEIVER: 2 } as const;
export type Author = (typeof Author)[keyof typeof Author];

/** How far a content got. */
export const ReceiptKind = {
  /** Decrypted, and handed on in order. */
  DELIVERED: 1,
  /** Shown to the person; implies DELIVERED. */
  READ: 2,
} as const;
export type ReceiptKind = (typeof ReceiptKind)[keyof typeof ReceiptKind];

/** A message said earlier in this session. */
export interface MessageReference {
  readonly author: Author;
  readonly number: number;
}

/** The numbers `first` to `last`, both included. */
export interface Run {
  readonly first: number;
  readonly last: number;
}

/** A message, 1 byte to 32 KiB of UTF-8. Its number is its id. */
export interface Text {
  readonly type: "text";
  readonly body: string;
  readonly replyTo: MessageReference | null;
}

/** The sender writes, or stopped. Shown for a few seconds at most; never repeated by the protocol. */
export interface Typing {
  readonly type: "typing";
  readonly active: boolean;
}

/**
 * Every counted content up to `upTo` got this far, but for the numbers in `lost`. Cumulative, so a lost receipt
 * is repaired by the next. `lost` is ascending, apart, and not above `upTo`.
 */
export interface Receipt {
  readonly type: "receipt";
  readonly kind: ReceiptKind;
  readonly upTo: number;
  readonly lost: readonly Run[];
}

export const TEXT: Codec<Text> = {
  type: "text",
  code: ContentType.TEXT,
  isCounted: true,
  fault({ body, replyTo }) {
    if (body === "") return "an empty text";
    if (replyTo !== null && !(isCode(Author, replyTo.author) && isNumber(replyTo.number, 1))) {
      return "a reply to no message";
    }
    return utf8Fault(body, MAX_TEXT_BYTES, "a text");
  },
  encodeBody({ body, replyTo }) {
    const head = replyTo === null ? new Uint8Array(5) : concat(u8(replyTo.author), u32(replyTo.number));
    return concat(head, encodeUtf8(body));
  },
  read(reader) {
    const author = reader.u8();
    const number = reader.u32();
    if (author === 0 && number > 0) throw new MalformedError("a reply without an author");
    const replyTo = author === 0 ? null : { author: parseCode(Author, author), number };
    if (reader.left > MAX_TEXT_BYTES) throw new MalformedError(`a text over ${MAX_TEXT_BYTES} bytes`);
    return { type: "text", body: decodeUtf8(reader.rest()), replyTo };
  },
};

export const TYPING: Codec<Typing> = {
  type: "typing",
  code: ContentType.TYPING,
  isCounted: false,
  fault: () => null,
  encodeBody: ({ active }) => u8(flagByte(active)),
  read: (reader) => ({ type: "typing", active: readFlag(reader) }),
};

export const RECEIPT: Codec<Receipt> = {
  type: "receipt",
  code: ContentType.RECEIPT,
  isCounted: false,
  fault({ kind, upTo, lost }) {
    if (!isCode(ReceiptKind, kind) || !isNumber(upTo, 1) || lost.length > MAX_LOST_RUNS) {
      return "a receipt for nothing, or with too many runs";
    }
    let end = -1;
    for (const run of lost) {
      if (!isNumber(run.first, end + 2) || !isNumber(run.last, run.first))
        return "a receipt whose runs overlap";
      end = run.last;
    }
    return end > upTo ? "a receipt whose runs go too far" : null;
  },
  encodeBody({ kind, upTo, lost }) {
    const runs = lost.flatMap((run) => [u32(run.first), u32(run.last)]);
    return concat(u8(kind), u32(upTo), u8(lost.length), ...runs);
  },
  read(reader) {
    const kind = reader.code(ReceiptKind);
    const upTo = reader.u32();
    const count = reader.u8();
    if (count > MAX_LOST_RUNS) throw new MalformedError("a receipt with too many runs");
    const lost = Array.from({ length: count }, () => ({ first: reader.u32(), last: reader.u32() }));
    return { type: "receipt", kind, upTo, lost };
  },
};

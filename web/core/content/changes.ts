/** What happens to a text after it was said: its author edits or deletes it, and either side reacts to it. */

import { concat, u32, u8 } from "../encoding.ts";
import { MalformedError } from "../errors.ts";
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";
import { type Codec, ContentType, isCode, isNumber, utf8Fault } from "./fields.ts";
import { Author, MAX_TEXT_BYTES, type MessageReference } from "./messages.ts";

/** One reaction, as UTF-8: the longest joined emoji families fit. */
export const MAX_REACTION_BYTES = 32;

// Spelled out, not asked of a Unicode table: both ends refuse the same, whatever their tables' age.
const ACTING =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/u;
const UNSEEN = new Set<number>([
  0x20, 0xa0, 0x34f, 0x115f, 0x1160, 0x1680, 0x200c, 0x200d, 0x202f, 0x205f, 0x2800, 0x3000, 0x3164, 0xffa0,
]);

/** The sender's own text `number` says `body` from now on; 1 byte to 32 KiB of UTF-8. */
export interface TextEdit {
  readonly type: "text-edit";
  readonly number: number;
  readonly body: string;
}

/** The sender's own text `number` is to be shown and kept no more, by either side. */
export interface TextDelete {
  readonly type: "text-delete";
  readonly number: number;
}

/** The sender's reaction to a text: one visible symbol, in place of any before; "" takes it back. */
export interface Reaction {
  readonly type: "reaction";
  readonly to: MessageReference;
  readonly symbol: string;
}

export const TEXT_EDIT: Codec<TextEdit> = {
  type: "text-edit",
  code: ContentType.TEXT_EDIT,
  isCounted: true,
  fault({ number, body }) {
    if (body === "") return "an empty text";
    return numberFault(number) ?? utf8Fault(body, MAX_TEXT_BYTES, "a text");
  },
  encodeBody: ({ number, body }) => concat(u32(number), encodeUtf8(body)),
  read(reader) {
    const number = reader.u32();
    if (reader.left > MAX_TEXT_BYTES) throw new MalformedError(`a text over ${MAX_TEXT_BYTES} bytes`);
    return { type: "text-edit", number, body: decodeUtf8(reader.rest()) };
  },
};

export const TEXT_DELETE: Codec<TextDelete> = {
  type: "text-delete",
  code: ContentType.TEXT_DELETE,
  isCounted: true,
  fault: ({ number }) => numberFault(number),
  encodeBody: ({ number }) => u32(number),
  read: (reader) => ({ type: "text-delete", number: reader.u32() }),
};

export const REACTION: Codec<Reaction> = {
  type: "reaction",
  code: ContentType.REACTION,
  isCounted: true,
  fault({ to, symbol }) {
    if (!isCode(Author, to.author) || !isNumber(to.number, 1)) return "a reaction to no message";
    if (ACTING.test(symbol)) return "a reaction that would act";
    if (symbol !== "" && Array.from(symbol).every(isUnseen)) return "a reaction that shows nothing";
    return utf8Fault(symbol, MAX_REACTION_BYTES, "a reaction");
  },
  encodeBody: ({ to, symbol }) => concat(u8(to.author), u32(to.number), encodeUtf8(symbol)),
  read(reader) {
    const to = { author: reader.code(Author), number: reader.u32() };
    if (reader.left > MAX_REACTION_BYTES) throw new MalformedError("a reaction that is too long");
    return { type: "reaction", to, symbol: decodeUtf8(reader.rest()) };
  },
};

function numberFault(number: number): string | null {
  return isNumber(number, 1) ? null : "a change of no message";
}

function isUnseen(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return UNSEEN.has(code) || (code >= 0x2000 && code <= 0x200a) || (code >= 0xfe00 && code <= 0xfe0f);
}

/** UTF-8 as Python's strict codec has it, without a platform's TextEncoder: nothing is ever replaced. */

import { LocalProtocolError, MalformedError } from "./errors.ts";

const LAST_CODE_POINT = 0x10ffff;

/** The UTF-8 bytes of a text. Throws LocalProtocolError for half of a surrogate pair. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let end = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) {
      bytes[end++] = code;
      continue;
    }
    if (isSurrogate(code)) throw new LocalProtocolError("a text with half of a surrogate pair");
    const more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    bytes[end++] = ((0xff00 >> (more + 1)) & 0xff) | (code >> (6 * more));
    for (let shift = 6 * (more - 1); shift >= 0; shift -= 6) bytes[end++] = 0x80 | ((code >> shift) & 0x3f);
  }
  return bytes.slice(0, end);
}

/** The text of UTF-8 bytes. Throws MalformedError for overlong forms, surrogates and anything else that is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length;) {
    const first = bytes[i++] ?? 0;
    if (first < 0x80) {
      parts.push(String.fromCharCode(first));
      continue;
    }
    const more = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0;
    if (more === 0) throw new MalformedError("a text that is not UTF-8");
    let code = first & (0x3f >> more);
    for (let left = more; left > 0; left--) {
      const next = bytes[i++] ?? 0;
      if ((next & 0xc0) !== 0x80) throw new MalformedError("a text that is not UTF-8");
      code = (code << 6) | (next & 0x3f);
    }
    const isOverlong = (more === 2 && code < 0x800) || (more === 3 && code < 0x10000);
    if (isOverlong || isSurrogate(code) || code > LAST_CODE_POINT) {
      throw new MalformedError("a text that is not UTF-8");
    }
    parts.push(String.fromCodePoint(code));
  }
  return parts.join("");
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xe000;
}

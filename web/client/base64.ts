/** Bytes in JSON: base64 as RFC 4648 section 4 has it. */

import { MalformedError } from "../core/errors.ts";

const STRICT = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/u;
const PIECE = 8192;

/** The text of `bytes`. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += PIECE) {
    text += String.fromCharCode(...bytes.subarray(start, start + PIECE));
  }
  return btoa(text);
}

/** The bytes of `text`. Throws MalformedError for anything but padded base64. */
export function fromBase64(text: string): Uint8Array {
  if (!STRICT.test(text)) throw new MalformedError("a text that is not base64");
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

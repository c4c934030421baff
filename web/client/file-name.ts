/** A foreign file name made safe to suggest: a peer chooses every byte of it. */

import { encodeUtf8 } from "../core/utf8.ts";

/** Leaves room for " (9999)" and a suffix of the browser's within the 255 bytes of common file systems. */
export const MAX_SAFE_BYTES = 200;

const MAX_SUFFIX_BYTES = 20;

/** Device names on Windows, with any extension: a file saved here may be copied there. */
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])$/iu;

/**
 * A name without path, control, format or reserved parts; never empty, never hidden.
 *
 * Bidirectional overrides go, as they show an extension that is not there. Everything else the sender wrote stays,
 * so that a person recognises the file.
 */
export function safeName(offered: string): string {
  const visible = offered.normalize("NFC").replace(/(?! )[\p{C}\p{Z}]/gu, "");
  const name = visible
    .replace(/[/\\:*?"<>|]/gu, "_")
    .replace(/^[ .-]+/u, "")
    .replace(/[ .]+$/u, "");
  if (/^_*$/u.test(name)) return "file";
  const dot = name.lastIndexOf(".");
  const hasSuffix = dot > 0 && encodeUtf8(name.slice(dot + 1)).length <= MAX_SUFFIX_BYTES;
  const suffix = hasSuffix ? name.slice(dot) : "";
  const whole = hasSuffix ? name.slice(0, dot) : name;
  const stem = shortened(whole, MAX_SAFE_BYTES - encodeUtf8(suffix).length).replace(/[ .]+$/u, "");
  const first = (stem.split(".")[0] ?? "").replace(/ +$/u, "");
  return (RESERVED.test(first) ? "_" : "") + stem + suffix;
}

function shortened(text: string, limit: number): string {
  let [short, length] = ["", 0];
  for (const character of text) {
    length += encodeUtf8(character).length;
    if (length > limit) break;
    short += character;
  }
  return short;
}

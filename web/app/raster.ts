/** Pictures told by their first bytes. Never by a name or a claimed type; never SVG or HTML, which can act. */

/** Bytes of a file that `rasterType` looks at. */
export const HEAD_BYTES = 32;

/** A picture larger than this is offered as a file only. Bytes. */
export const MAX_INLINE_BYTES = 32 * 1024 * 1024;

/** Returns the MIME type of a raster image a browser decodes, or `null` for anything else. */
export function rasterType(head: Uint8Array): string | null {
  if (starts(head, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return "image/png";
  if (starts(head, [0xff, 0xd8, 0xff])) return "image/jpeg";
  if (ascii(head, 0, "GIF87a") || ascii(head, 0, "GIF89a")) return "image/gif";
  if (ascii(head, 0, "RIFF") && ascii(head, 8, "WEBP")) return "image/webp";
  if (ascii(head, 4, "ftyp") && (ascii(head, 8, "avif") || ascii(head, 8, "avis"))) return "image/avif";
  return null;
}

/** Returns the picture in `content` under the type its bytes have, or `null` if it is none. */
export async function rasterOf(content: Blob): Promise<Blob | null> {
  if (content.size > MAX_INLINE_BYTES) return null;
  const type = rasterType(new Uint8Array(await content.slice(0, HEAD_BYTES).arrayBuffer()));
  return type === null ? null : content.slice(0, content.size, type);
}

function starts(head: Uint8Array, bytes: readonly number[]): boolean {
  return bytes.every((byte, index) => head[index] === byte);
}

function ascii(head: Uint8Array, at: number, text: string): boolean {
  return Array.from(text).every((letter, index) => head[at + index] === letter.charCodeAt(0));
}

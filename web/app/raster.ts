/**
 * Pictures told by their first bytes. Never by a name or a claimed type; never SVG or HTML, which can act.
 *
 * A few hundred bytes can claim to be a picture of gigabytes. So width, height and frames are read from the file
 * before the browser is asked to decode anything, and what is too large, or does not say, is a file only.
 */

/** Bytes of a file that are looked at. Where the dimensions are not told by then, they are not looked for. */
export const HEAD_BYTES = 256 * 1024;

/** A file larger than this is offered as a file only. Bytes. */
export const MAX_INLINE_BYTES = 32 * 1024 * 1024;

/** A decoded picture takes four bytes a pixel: 40 megapixels are 160 MB, which a phone can just hold. */
export const MAX_PIXELS = 40_000_000;

/** Longer edges than this meet limits of graphics hardware. */
export const MAX_EDGE = 16_384;

/** A picture as its own bytes describe it. */
export interface Raster {
  readonly type: "image/png" | "image/jpeg" | "image/gif" | "image/webp";
  readonly width: number;
  readonly height: number;
}

/** Returns what the head of a file says of a raster image, or `null` if it is none that may be shown. */
export function readRaster(head: Uint8Array): Raster | null {
  const found = readPng(head) ?? readGif(head) ?? readWebp(head) ?? readJpeg(head);
  return found !== null && isShowable(found) ? found : null;
}

/** Returns the picture in `content` under the type its bytes have, or `null` if it is none that may be shown. */
export async function rasterOf(content: Blob): Promise<(Raster & { readonly content: Blob }) | null> {
  if (content.size > MAX_INLINE_BYTES) return null;
  const found = readRaster(new Uint8Array(await content.slice(0, HEAD_BYTES).arrayBuffer()));
  return found === null ? null : { ...found, content: content.slice(0, content.size, found.type) };
}

function isShowable({ width, height }: Raster): boolean {
  if (width < 1 || height < 1 || width > MAX_EDGE || height > MAX_EDGE) return false;
  return width * height <= MAX_PIXELS;
}

/** PNG, third edition, 5.6 and 11.2.1: IHDR comes first. */
function readPng(head: Uint8Array): Raster | null {
  if (!starts(head, 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) || !ascii(head, 12, "IHDR"))
    return null;
  const view = viewOf(head);
  if (head.length < 24) return null;
  return { type: "image/png", width: view.getUint32(16), height: view.getUint32(20) };
}

/** GIF89a, 18: the logical screen, which frames are clipped to. */
function readGif(head: Uint8Array): Raster | null {
  if ((!ascii(head, 0, "GIF87a") && !ascii(head, 0, "GIF89a")) || head.length < 10) return null;
  const view = viewOf(head);
  return { type: "image/gif", width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

/** WebP (RFC 9649): lossy, lossless or extended, each with its own way to say it. */
function readWebp(head: Uint8Array): Raster | null {
  if (!ascii(head, 0, "RIFF") || !ascii(head, 8, "WEBP") || head.length < 30) return null;
  const view = viewOf(head);
  const type = "image/webp";
  if (ascii(head, 12, "VP8 ") && starts(head, 23, [0x9d, 0x01, 0x2a])) {
    return { type, width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  }
  if (ascii(head, 12, "VP8L") && head[20] === 0x2f) {
    const bits = view.getUint32(21, true);
    return { type, width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (ascii(head, 12, "VP8X")) {
    const [width, height] = [view.getUint32(24, true) & 0xffffff, view.getUint32(26, true) >>> 8];
    return { type, width: width + 1, height: height + 1 };
  }
  return null;
}

/** JPEG (ITU-T T.81, B.2): segments, until the one that starts a frame. */
function readJpeg(head: Uint8Array): Raster | null {
  if (!starts(head, 0, [0xff, 0xd8, 0xff])) return null;
  const view = viewOf(head);
  for (let at = 2; at + 9 < head.length;) {
    if (head[at] !== 0xff) return null;
    const marker = head[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1; // fill byte
      continue;
    }
    if (isFrame(marker)) {
      return { type: "image/jpeg", width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    }
    if (marker < 0xc0 || marker === 0xd8 || marker === 0xd9 || marker === 0xda) return null;
    at += 2 + Math.max(2, view.getUint16(at + 2));
  }
  return null;
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function viewOf(head: Uint8Array): DataView {
  return new DataView(head.buffer, head.byteOffset, head.byteLength);
}

function starts(head: Uint8Array, at: number, bytes: readonly number[]): boolean {
  return bytes.every((byte, index) => head[at + index] === byte);
}

function ascii(head: Uint8Array, at: number, text: string): boolean {
  return Array.from(text).every((letter, index) => head[at + index] === letter.charCodeAt(0));
}

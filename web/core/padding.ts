/**
 * Padding hides lengths: Padmé leaks O(log log L) bits of a length for at most 12 % more bytes.
 *
 * Padmé is from Nikitin, Barman, Lueks, Underwood, Hubaux and Ford, "Reducing Metadata Leakage from Encrypted
 * Files and Communication with PURBs" (2019), section 4. Our use of it: spec/content.md, Padding.
 */

import { MalformedError } from "./errors.ts";

/** The least padded size of a message: most chat lines, receipts and heartbeats look alike. */
export const MESSAGE_FLOOR = 256;

/** The least padded size of a handshake plaintext: certificates and short device lists look alike. */
export const HANDSHAKE_FLOOR = 512;

const MARK = 0x80;

/**
 * The least Padmé length that is not below `length` (0 to 2^48).
 *
 * With E = ⌊log2 length⌋ and S = ⌊log2 E⌋ + 1, only the top S bits after the first vary: `length` is rounded
 * up to a multiple of 2^(E-S).
 */
export function padme(length: number): number {
  if (length < 2) return length;
  const exponent = bitLength(length) - 1;
  const step = 2 ** (exponent - bitLength(exponent));
  return Math.ceil(length / step) * step;
}

/** content ‖ 0x80 ‖ 0x00*, max(floor, padme(content.length + 1)) bytes long. */
export function pad(content: Uint8Array, floor: number): Uint8Array {
  const padded = new Uint8Array(Math.max(floor, padme(content.length + 1)));
  padded.set(content);
  padded[content.length] = MARK;
  return padded;
}

/**
 * What `pad` was given. How many zeros follow the mark is not checked: that is the sender's choice, and it is
 * authenticated. Throws MalformedError if there is no mark.
 */
export function unpad(padded: Uint8Array): Uint8Array {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end--;
  if (end < 0 || padded[end] !== MARK) throw new MalformedError("padding without its mark");
  return new Uint8Array(padded.subarray(0, end));
}

function bitLength(value: number): number {
  return value.toString(2).length;
}

/** The few derivations everything else is built of, each bound to its own label (spec/overview.md). */

import { concat, tag } from "./encoding.ts";
import { DecryptionError } from "./errors.ts";
import type { Primitives } from "./primitives.ts";

export { isEqual, Secret, SecretState } from "./secret.ts";

export const KEY_BYTES = 32;
export const NONCE_BYTES = 12;
export const SEAL_TAG_BYTES = 16;

/** Ext(salt, ikm), a 32-byte pseudorandom key: HKDF-SHA-256 extract (RFC 5869 section 2.2). */
export async function extract(
  primitives: Primitives,
  salt: Uint8Array,
  ikm: Uint8Array,
): Promise<Uint8Array> {
  return primitives.hkdfExtract(salt, ikm);
}

/** Exp(prk, label, context, length): HKDF-SHA-256 expand with info T(label) ‖ context. */
export async function expand(
  primitives: Primitives,
  prk: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Promise<Uint8Array> {
  return primitives.hkdfExpand(prk, concat(tag(label), context), length);
}

/** H(label, message) = SHA-256(T(label) ‖ message), 32 bytes. */
export async function hashTranscript(
  primitives: Primitives,
  label: string,
  message: Uint8Array,
): Promise<Uint8Array> {
  return primitives.sha256(concat(tag(label), message));
}

/** HMAC-SHA-256(key, message), 32 bytes. Compare with `isEqual`. */
export async function authenticate(
  primitives: Primitives,
  key: Uint8Array,
  message: Uint8Array,
): Promise<Uint8Array> {
  return primitives.hmacSha256(key, message);
}

/**
 * Seal(prk, label, transcript, plaintext): AES-256-GCM ciphertext ‖ 16-byte tag.
 *
 * Key and nonce both derive from (prk, label, transcript), and the transcript is the associated data, so each
 * such triple must seal exactly one plaintext.
 */
export async function seal(
  primitives: Primitives,
  prk: Uint8Array,
  label: string,
  transcript: Uint8Array,
  plaintext: Uint8Array,
): Promise<Uint8Array> {
  const { key, nonce } = await sealKey(primitives, prk, label, transcript);
  return primitives.aesGcmSeal(key, nonce, transcript, plaintext);
}

/**
 * The plaintext of what `seal` made with the same prk, label and transcript.
 * Throws DecryptionError: it was not sealed with these, or was altered since.
 */
export async function openSealed(
  primitives: Primitives,
  prk: Uint8Array,
  label: string,
  transcript: Uint8Array,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  const { key, nonce } = await sealKey(primitives, prk, label, transcript);
  try {
    return await primitives.aesGcmOpen(key, nonce, transcript, sealed);
  } catch (error) {
    if (error instanceof DecryptionError) throw new DecryptionError(`the sealed ${label} does not open`);
    throw error;
  }
}

async function sealKey(
  primitives: Primitives,
  prk: Uint8Array,
  label: string,
  transcript: Uint8Array,
): Promise<{ key: Uint8Array; nonce: Uint8Array }> {
  const block = await expand(primitives, prk, label, transcript, KEY_BYTES + NONCE_BYTES);
  return { key: block.subarray(0, KEY_BYTES), nonce: block.subarray(KEY_BYTES) };
}

/** Domain-separated Ed25519 signatures: Sig(k, s, m) signs T(s) ‖ m (RFC 8032). */

import { concat, tag } from "./encoding.ts";
import { ForgedError } from "./errors.ts";
import type { Ed25519PrivateKey, Primitives } from "./primitives.ts";

export const SIGNATURE_BYTES = 64;

/** The 64-byte signature over T(label) ‖ message. */
export async function sign(
  primitives: Primitives,
  privateKey: Ed25519PrivateKey,
  label: string,
  message: Uint8Array,
): Promise<Uint8Array> {
  return primitives.ed25519Sign(privateKey, concat(tag(label), message));
}

/**
 * Checks a signature over T(label) ‖ message. Throws ForgedError if it does not hold, MalformedError if
 * `publicKey` is not 32 bytes.
 */
export async function verify(
  primitives: Primitives,
  publicKey: Uint8Array,
  label: string,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<void> {
  try {
    await primitives.ed25519Verify(publicKey, concat(tag(label), message), signature);
  } catch (error) {
    if (error instanceof ForgedError) throw new ForgedError(`the ${label} signature does not hold`);
    throw error;
  }
}

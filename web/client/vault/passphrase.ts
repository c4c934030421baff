/** From a passphrase to a key, slowly on purpose: Argon2id (RFC 9106). Blocks: for a worker only. */

import { argon2id } from "@noble/hashes/argon2.js";

import { encodeUtf8 } from "../../core/utf8.ts";

/** What one guess costs: memory in KiB, passes, lanes. */
export interface PassphraseCost {
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
}

/** RFC 9106's second recommended choice, as the file vault has it: about a second in a browser. */
export const DEFAULT_COST: PassphraseCost = { memory: 64 * 1024, passes: 3, lanes: 4 };

/** More than this is refused when read: what is stored must not hang or exhaust the device. */
export const MAX_COST: PassphraseCost = { memory: 1024 * 1024, passes: 16, lanes: 16 };

export const SALT_BYTES = 16;

/** Whether a stored cost is one that a vault may ask for. */
export function isPossible(cost: PassphraseCost): boolean {
  const { memory, passes, lanes } = cost;
  const isWhole = [memory, passes, lanes].every((part) => Number.isInteger(part) && part > 0);
  return (
    isWhole &&
    8 * lanes <= memory &&
    memory <= MAX_COST.memory &&
    passes <= MAX_COST.passes &&
    lanes <= MAX_COST.lanes
  );
}

/** The 32-byte key of a passphrase, as it was typed, and a 16-byte salt. */
export function deriveKey(passphrase: string, salt: Uint8Array, cost: PassphraseCost): Uint8Array {
  const password = encodeUtf8(passphrase.normalize("NFC").replace(/\p{Cs}/gu, "\ufffd"));
  try {
    return argon2id(password, salt, { m: cost.memory, t: cost.passes, p: cost.lanes, dkLen: 32 });
  } finally {
    password.fill(0);
  }
}

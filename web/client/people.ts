/** Who one talks to: members of a conversation, pinned contacts, and the number two people compare. */

import { compareBytes, toHex } from "../core/encoding.ts";
import type { AccountId, DeviceId, Username } from "../core/ids.ts";
import type { Primitives } from "../core/primitives.ts";
import { encodeSafetyQr, safetyNumber } from "../core/safety-number.ts";

/** One device of one account in a conversation. */
export interface Member {
  readonly username: Username;
  readonly account: AccountId;
  readonly device: DeviceId;
}

/** An account pinned in the vault at first contact, under the name it then had. */
export interface Contact {
  readonly username: Username;
  readonly account: AccountId;
  /** When someone compared safety numbers and said they match, Unix seconds; null if nobody did. */
  readonly verifiedAt: number | null;
  /** Unix seconds. */
  readonly added: number;
  /** A different key the server has shown for this name; null while there is no quarrel. */
  readonly changedTo: AccountId | null;
}

/** Sixty digits both sides see alike, and the bytes of their QR form. */
export interface SafetyNumber {
  /** Twelve groups of five digits, joined by spaces. */
  readonly digits: string;
  /** What this side shows; the other side scans it. */
  readonly qr: Uint8Array;
}

const MAX_KNOWN_NUMBERS = 256;
const known = new Map<string, string>();

/** The number of two accounts. The first time takes about 50 ms. */
export async function safetyNumberBetween(
  primitives: Primitives,
  own: AccountId,
  other: AccountId,
): Promise<SafetyNumber> {
  const [low, high] = compareBytes(own, other) < 0 ? [own, other] : [other, own];
  const pair = toHex(low) + toHex(high);
  let digits = known.get(pair);
  if (digits === undefined) {
    digits = await safetyNumber(primitives, own, other);
    if (known.size >= MAX_KNOWN_NUMBERS) known.clear();
    known.set(pair, digits);
  }
  return { digits, qr: encodeSafetyQr(own, other) };
}

/** Whether two accounts are one. Account keys are public. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return compareBytes(one, other) === 0;
}

/** Two people compare these digits, or scan one QR code, and know that no one is in between. */

import { compareBytes, concat, Reader, tag } from "./encoding.ts";
import { HandshakeError, HandshakeReason, MalformedError } from "./errors.ts";
import { ACCOUNT_ID_BYTES, type AccountId } from "./ids.ts";
import { expand } from "./key-schedule.ts";
import type { Primitives } from "./primitives.ts";
import { isEqual } from "./secret.ts";

/** 2^17 rounds' worth of slowing down a search for two keys with one number, and about 50 ms for a person. */
const ROUNDS = 100_000;
const GROUPS = 12;
const SESSION_GROUPS = 6;
const GROUP_BYTES = 5;
const QR_LABEL = "safety-qr";

/**
 * The 12 groups of five digits that both people see, whoever computes them: PBKDF2-HMAC-SHA-512 over the two
 * account keys in byte order, 100,000 rounds (spec/identity.md, Safety numbers).
 */
export async function safetyNumber(
  primitives: Primitives,
  one: AccountId,
  other: AccountId,
): Promise<string> {
  const both = compareBytes(one, other) < 0 ? concat(one, other) : concat(other, one);
  return digits(await primitives.pbkdf2Sha512(both, tag("safety-number"), ROUNDS, GROUPS * GROUP_BYTES));
}

/**
 * The 6 groups of five digits of one session: with someone in between, the two sides differ. It holds even where
 * the account keys were never compared, for this session only.
 */
export async function sessionCode(primitives: Primitives, exporter: Uint8Array): Promise<string> {
  const length = SESSION_GROUPS * GROUP_BYTES;
  return digits(await expand(primitives, exporter, "session code", new Uint8Array(), length));
}

/** What the QR code on our screen says: T("safety-qr") ‖ our key ‖ the key we hold for the peer. */
export function encodeSafetyQr(local: AccountId, remote: AccountId): Uint8Array {
  return concat(tag(QR_LABEL), local, remote);
}

/**
 * Checks a QR code scanned from the peer's screen, crosswise: its own key is `remote`, its peer is us.
 *
 * Throws MalformedError if it is no such QR code, HandshakeError (`wrong-account`) if the two devices do not hold
 * the same two keys.
 */
export function verifySafetyQr(scanned: Uint8Array, local: AccountId, remote: AccountId): void {
  const head = tag(QR_LABEL);
  const reader = new Reader(scanned);
  if (scanned.length !== head.length + 2 * ACCOUNT_ID_BYTES || !isEqual(reader.take(head.length), head)) {
    throw new MalformedError("not a safety number's QR code");
  }
  if (!isEqual(reader.rest(), concat(remote, local))) {
    throw new HandshakeError(HandshakeReason.WRONG_ACCOUNT, "the two devices hold different account keys");
  }
}

function digits(data: Uint8Array): string {
  const groups: string[] = [];
  for (let start = 0; start < data.length; start += GROUP_BYTES) {
    const group = data.subarray(start, start + GROUP_BYTES).reduce((value, byte) => value * 256 + byte, 0);
    groups.push(String(group % 100_000).padStart(5, "0"));
  }
  return groups.join(" ");
}

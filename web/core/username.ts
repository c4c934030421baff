/** The one canonical form of a username, computed here and nowhere else (spec/signalling.md, Usernames). */

import { MalformedError } from "./errors.ts";
import type { Username } from "./ids.ts";

const LEGAL = /^[a-z0-9][a-z0-9-]{1,30}[a-z0-9]$/u;

/** Names no one may claim, because others would take them for the host's own. */
export const RESERVED: ReadonlySet<string> = new Set([
  "abuse",
  "admin",
  "administrator",
  "daemon",
  "everyone",
  "help",
  "here",
  "host",
  "hostmaster",
  "info",
  "mail",
  "moderator",
  "noreply",
  "official",
  "operator",
  "owner",
  "postmaster",
  "root",
  "security",
  "server",
  "service",
  "staff",
  "support",
  "system",
  "webmaster",
  "whisp",
  "you",
]);

/**
 * The canonical form of `name`: ASCII letters lowered, nothing else changed.
 *
 * 3 to 32 of a to z, 0 to 9 and hyphen, a hyphen neither first nor last. No Unicode is folded or dropped: a
 * look-alike is refused, so no two spellings can meet in one name (UTS #39). Throws MalformedError.
 */
export function canonical(name: string): Username {
  // only these 26: toLowerCase of the whole name would make a legal letter of the Kelvin sign
  const lowered = name.replace(/[A-Z]/gu, (letter) => letter.toLowerCase());
  if (!LEGAL.test(lowered)) throw new MalformedError("Use 3 to 32 of a to z, 0 to 9 and hyphen.");
  return lowered as Username;
}

/** Whether `name` can never be claimed: a host's word, an erased account's name, or punycode. */
export function isReserved(name: Username): boolean {
  return RESERVED.has(name) || name.startsWith("deleted-") || name.startsWith("xn--");
}

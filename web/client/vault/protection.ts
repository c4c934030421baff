/** What keeps a vault shut besides the browser itself: nothing, a passphrase, or a passkey's secret. */

import { ascii } from "../../core/encoding.ts";
import { expand, extract, KEY_BYTES } from "../../core/key-schedule.ts";
import type { Primitives } from "../../core/primitives.ts";
import { VaultError, WrongPassphraseError, WrongPasskeyError } from "../errors.ts";
import { DEFAULT_COST, deriveKey, isPossible, type PassphraseCost, SALT_BYTES } from "./passphrase.ts";

/** What a passkey's PRF extension gives for one input (WebAuthn level 3, section 10.1.4). */
export const PASSKEY_SECRET_BYTES = 32;

/** The longest credential id that WebAuthn allows. */
export const MAX_CREDENTIAL_BYTES = 1023;

/**
 * How a vault is opened, with what opens it. `credential` is the passkey's id, kept in clear beside the vault;
 * `secret` the 32 bytes of its PRF extension for this vault.
 */
export type Protection =
  | { readonly kind: "none" }
  | { readonly kind: "passphrase"; readonly passphrase: string }
  | { readonly kind: "passkey"; readonly credential: Uint8Array; readonly secret: Uint8Array };

/** What is stored of a protection: enough to ask for its secret, and to derive the key from that. */
export type KeySource =
  | { readonly kind: "passphrase"; readonly salt: Uint8Array; readonly cost: PassphraseCost }
  | { readonly kind: "passkey"; readonly salt: Uint8Array; readonly credential: Uint8Array };

/** Whether a stored value is a source that this version made. */
export function isKeySource(value: unknown): value is KeySource {
  const source = value as Readonly<Partial<Record<"kind" | "salt" | "cost" | "credential", unknown>>> | null;
  if (typeof source !== "object" || source === null) return false;
  if (!(source.salt instanceof Uint8Array) || source.salt.length !== SALT_BYTES) return false;
  if (source.kind === "passkey") return isCredential(source.credential);
  const { cost } = source;
  return (
    source.kind === "passphrase" &&
    typeof cost === "object" &&
    cost !== null &&
    isPossible(cost as PassphraseCost)
  );
}

/** A source for `protection` under a fresh salt, null for none. Throws VaultError: it cannot protect. */
export function newSource(
  primitives: Primitives,
  protection: Protection,
  cost: PassphraseCost = DEFAULT_COST,
): KeySource | null {
  const salt = primitives.random(SALT_BYTES);
  switch (protection.kind) {
    case "none":
      return null;
    case "passphrase":
      if (protection.passphrase === "") throw new VaultError("A passphrase cannot be empty.");
      return { kind: "passphrase", salt, cost };
    case "passkey":
      if (!isCredential(protection.credential) || protection.secret.length !== PASSKEY_SECRET_BYTES) {
        throw new VaultError("That passkey cannot protect a vault.");
      }
      return { kind: "passkey", salt, credential: protection.credential.slice() };
  }
}

/**
 * The 32-byte key that `protection` gives for a source. Throws WrongPassphraseError, WrongPasskeyError: this
 * vault opens with something else.
 */
export async function innerKey(
  primitives: Primitives,
  source: KeySource,
  protection: Protection,
): Promise<Uint8Array> {
  if (source.kind === "passphrase") {
    if (protection.kind === "passphrase") return deriveKey(protection.passphrase, source.salt, source.cost);
    throw new WrongPassphraseError("This vault opens with a passphrase.");
  }
  if (protection.kind !== "passkey") throw new WrongPasskeyError("This vault opens with a passkey.");
  if (protection.secret.length !== PASSKEY_SECRET_BYTES) throw new WrongPasskeyError();
  const prk = await extract(primitives, source.salt, protection.secret);
  try {
    return await expand(primitives, prk, "vault passkey", source.credential, KEY_BYTES);
  } finally {
    prk.fill(0);
  }
}

/** Overwrites what a protection holds, as far as the language lets it. */
export function wipeProtection(protection: Protection): void {
  if (protection.kind === "passkey") protection.secret.fill(0);
}

/** What the associated data of both boxes says of a source. */
export function sourceLabel(source: KeySource | null): Uint8Array {
  return ascii(source?.kind ?? "none");
}

function isCredential(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length > 0 && value.length <= MAX_CREDENTIAL_BYTES;
}

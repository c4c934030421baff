/**
 * What a vault holds: the own account and the pinned contacts, in one fixed binary layout.
 *
 * format u8 = 1 ‖ u8 has ‖ [account] ‖ u32 count ‖ contacts
 * account = lp16 origin ‖ lp16 username ‖ seed 32 ‖ lp16 device keys ‖ lp16 certificate ‖ lp16 list ‖ u8 confirmed
 * contact = lp16 username ‖ AK 32 ‖ u64 verified at, or 0 ‖ u64 added ‖ u32 list version ‖ list digest 32 ‖ u8 has ‖ [AK 32]
 */

import { ascii, concat, fromAscii, lp16, Reader, u32, u64, u8 } from "../../core/encoding.ts";
import { MalformedError } from "../../core/errors.ts";
import { SecretState } from "../../core/secret.ts";
import { DamagedVaultError } from "../errors.ts";

const FORMAT = 1;

/** More than any person pins; bounds what opening can cost. */
export const MAX_CONTACTS = 50_000;

/** The own account as the vault keeps it. Secret: never shown, never logged. */
export class StoredAccount extends SecretState {
  readonly kind = "StoredAccount";
  readonly origin: string;
  readonly username: string;
  readonly certificate: Uint8Array;
  readonly deviceList: Uint8Array;
  /** Whether the server is known to have taken the registration. */
  readonly isConfirmed: boolean;
  readonly #seed: Uint8Array;
  readonly #deviceKeys: Uint8Array;

  constructor(parts: {
    readonly origin: string;
    readonly username: string;
    readonly seed: Uint8Array;
    readonly deviceKeys: Uint8Array;
    readonly certificate: Uint8Array;
    readonly deviceList: Uint8Array;
    readonly isConfirmed: boolean;
  }) {
    super();
    this.origin = parts.origin;
    this.username = parts.username;
    this.certificate = parts.certificate;
    this.deviceList = parts.deviceList;
    this.isConfirmed = parts.isConfirmed;
    this.#seed = parts.seed;
    this.#deviceKeys = parts.deviceKeys;
  }

  /** AK's seed, 32 bytes, and the device keys as `DeviceKeys.export` wrote them. */
  expose(): { readonly seed: Uint8Array; readonly deviceKeys: Uint8Array } {
    return { seed: this.#seed, deviceKeys: this.#deviceKeys };
  }

  /** Zeroes both. */
  wipe(): void {
    this.#seed.fill(0);
    this.#deviceKeys.fill(0);
  }
}

/** A pinned account: its key, its mark, and the highest device list seen of it. */
export interface StoredContact {
  readonly username: string;
  readonly account: Uint8Array;
  readonly verifiedAt: number | null;
  readonly added: number;
  readonly listVersion: number;
  readonly listDigest: Uint8Array;
  readonly changedTo: Uint8Array | null;
}

/** All of it. */
export interface VaultContents {
  readonly account: StoredAccount | null;
  readonly contacts: readonly StoredContact[];
}

/** The bytes to seal. */
export function encodeContents(contents: VaultContents): Uint8Array {
  const { account, contacts } = contents;
  return concat(
    u8(FORMAT),
    u8(account === null ? 0 : 1),
    account === null ? new Uint8Array() : encodeAccount(account),
    u32(contacts.length),
    ...contacts.map(encodeContact),
  );
}

/** Parses what `encodeContents` made; null is an empty vault. Throws DamagedVaultError. */
export function decodeContents(encoded: Uint8Array | null): VaultContents {
  if (encoded === null) return { account: null, contacts: [] };
  try {
    const reader = new Reader(encoded);
    if (reader.u8() !== FORMAT) {
      throw new DamagedVaultError("This vault was written by a newer version of Whisp.");
    }
    const account = readFlag(reader) ? readAccount(reader) : null;
    const count = reader.u32();
    if (count > MAX_CONTACTS) throw new MalformedError("too many contacts");
    const contacts = Array.from({ length: count }, () => readContact(reader));
    reader.finish();
    return { account, contacts };
  } catch (error) {
    if (error instanceof MalformedError) throw new DamagedVaultError();
    throw error;
  }
}

function encodeAccount(account: StoredAccount): Uint8Array {
  const { seed, deviceKeys } = account.expose();
  return concat(
    lp16(ascii(account.origin)),
    lp16(ascii(account.username)),
    seed,
    lp16(deviceKeys),
    lp16(account.certificate),
    lp16(account.deviceList),
    u8(account.isConfirmed ? 1 : 0),
  );
}

function readAccount(reader: Reader): StoredAccount {
  return new StoredAccount({
    origin: fromAscii(reader.lp16()),
    username: fromAscii(reader.lp16()),
    seed: reader.take(32),
    deviceKeys: reader.lp16(),
    certificate: reader.lp16(),
    deviceList: reader.lp16(),
    isConfirmed: readFlag(reader),
  });
}

function encodeContact(contact: StoredContact): Uint8Array {
  return concat(
    lp16(ascii(contact.username)),
    contact.account,
    u64(contact.verifiedAt ?? 0),
    u64(contact.added),
    u32(contact.listVersion),
    contact.listDigest,
    u8(contact.changedTo === null ? 0 : 1),
    contact.changedTo ?? new Uint8Array(),
  );
}

function readContact(reader: Reader): StoredContact {
  return {
    username: fromAscii(reader.lp16()),
    account: reader.take(32),
    verifiedAt: reader.u53() || null,
    added: reader.u53(),
    listVersion: reader.u32(),
    listDigest: reader.take(32),
    changedTo: readFlag(reader) ? reader.take(32) : null,
  };
}

function readFlag(reader: Reader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new MalformedError("a flag that is neither 0 nor 1");
  return flag === 1;
}

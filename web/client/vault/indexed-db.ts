/** The browser's vault: one sealed record in IndexedDB, held by one tab at a time. */

import type { Primitives } from "../../core/primitives.ts";
import { SecretState } from "../../core/secret.ts";
import { Serial } from "../../core/serial.ts";
import {
  DamagedVaultError,
  LockedError,
  VaultExistsError,
  VaultInUseError,
  VaultMissingError,
} from "../errors.ts";
import { type LockPart, takeLock } from "./account-lock.ts";
import { Database } from "./database.ts";
import { DEFAULT_COST, type PassphraseCost } from "./passphrase.ts";
import { innerKey, type KeySource, newSource, type Protection } from "./protection.ts";
import { openRecord, readRecord, sealRecord, type VaultKeys } from "./sealing.ts";
import type { Vault } from "./vault.ts";

const KEY = "key";
const RECORD = "record";

/** Where a vault is: the browser's parts, and a name for those that run several. */
export interface VaultPlace {
  readonly primitives: Primitives;
  readonly subtle: SubtleCrypto;
  readonly factory: IDBFactory;
  readonly locks: LockPart;
  readonly name: string;
}

/**
 * What there is at a place: no vault, one that opens by itself, one that asks for a passphrase or for the passkey of
 * that credential id, or one that no secret opens any more.
 */
export type VaultState =
  | { readonly kind: "none" | "open" | "passphrase" | "damaged" }
  | { readonly kind: "passkey"; readonly credential: Uint8Array };

/** Says what there is, without taking the lock. Throws VaultError. */
export async function vaultState(place: VaultPlace): Promise<VaultState> {
  const database = await Database.open(place.factory, place.name);
  try {
    const [key, record] = await database.read([KEY, RECORD]);
    if (record === undefined) return { kind: "none" };
    if (!isBrowserKey(key)) return { kind: "damaged" };
    const { source } = readRecord(record);
    if (source?.kind === "passkey") return { kind: "passkey", credential: source.credential };
    return { kind: source === null ? "open" : "passphrase" };
  } catch (error) {
    if (error instanceof DamagedVaultError) return { kind: "damaged" };
    throw error;
  } finally {
    database.close();
  }
}

/**
 * Deletes whatever is there, whole or damaged, key first. Throws VaultInUseError: a tab has it open.
 * The browser may keep overwritten bytes on disk for a while; without the key they say nothing.
 */
export async function eraseVault(place: VaultPlace): Promise<void> {
  const release = await takeLock(place.locks, place.name);
  try {
    const database = await Database.open(place.factory, place.name);
    try {
      await database.clear();
    } finally {
      database.close();
    }
  } finally {
    release();
  }
}

/** One sealed record. `create` and `open` make it. */
export class IndexedDbVault extends SecretState implements Vault {
  readonly kind = "IndexedDbVault";
  readonly #place: VaultPlace;
  readonly #database: Database;
  readonly #release: () => void;
  readonly #saves = new Serial();
  #keys: VaultKeys | null;
  #source: KeySource | null;
  #revision: number;
  #contents: Uint8Array;

  private constructor(
    place: VaultPlace,
    database: Database,
    release: () => void,
    keys: VaultKeys,
    source: KeySource | null,
    revision: number,
    contents: Uint8Array,
  ) {
    super();
    this.#place = place;
    this.#database = database;
    this.#release = release;
    this.#keys = keys;
    this.#source = source;
    this.#revision = revision;
    this.#contents = contents;
  }

  /**
   * Makes a new, empty vault that opens by `protection` only.
   * Throws VaultExistsError, VaultInUseError, StorageFullError, VaultError.
   */
  static async create(
    place: VaultPlace,
    protection: Protection,
    cost: PassphraseCost = DEFAULT_COST,
  ): Promise<IndexedDbVault> {
    return held(place, async (database, release) => {
      const outer = await place.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, [
        "encrypt",
        "decrypt",
      ]);
      const source = newSource(place.primitives, protection, cost);
      const keys = { outer, inner: await keyOf(place, source, protection) };
      const contents = new Uint8Array();
      const record = await sealRecord(place.primitives, place.subtle, keys, source, 1, contents);
      const isFree = (present: unknown): boolean => present === undefined;
      if (!(await database.replace({ [KEY]: outer, [RECORD]: record }, RECORD, isFree))) {
        throw new VaultExistsError();
      }
      return new IndexedDbVault(place, database, release, keys, source, 1, contents);
    });
  }

  /**
   * Opens the vault that is there; one that asks for nothing opens whatever `protection` is.
   * Throws VaultMissingError, VaultInUseError, WrongPassphraseError, WrongPasskeyError, DamagedVaultError, VaultError.
   */
  static async open(place: VaultPlace, protection: Protection): Promise<IndexedDbVault> {
    return held(place, async (database, release) => {
      const [outer, stored] = await database.read([KEY, RECORD]);
      if (stored === undefined) throw new VaultMissingError();
      const record = readRecord(stored);
      if (!isBrowserKey(outer)) throw new DamagedVaultError();
      const opened = await openRecord(place.primitives, place.subtle, outer, record, async (source) =>
        innerKey(place.primitives, source, protection),
      );
      const keys = { outer, inner: opened.inner };
      const { revision, source } = record;
      return new IndexedDbVault(place, database, release, keys, source, revision, opened.contents);
    });
  }

  async load(): Promise<Uint8Array | null> {
    if (this.#keys === null) throw new LockedError();
    return Promise.resolve(this.#contents.length === 0 ? null : this.#contents.slice());
  }

  async save(contents: Uint8Array): Promise<void> {
    return this.#saves.run(async () => {
      if (this.#keys === null) throw new LockedError();
      await this.#write(this.#keys, this.#source, contents);
    });
  }

  /**
   * Seals by another protection from now on, under a fresh salt: afterwards, and after a crash at any moment, either
   * the old one opens it or the new. Throws StorageFullError, VaultError: the old one still does.
   */
  async changeProtection(protection: Protection, cost: PassphraseCost = DEFAULT_COST): Promise<void> {
    return this.#saves.run(async () => {
      if (this.#keys === null) throw new LockedError();
      const { outer, inner: before } = this.#keys;
      const source = newSource(this.#place.primitives, protection, cost);
      const inner = await keyOf(this.#place, source, protection);
      try {
        await this.#write({ outer, inner }, source, this.#contents.slice());
        before?.fill(0);
      } catch (error) {
        inner?.fill(0);
        throw error;
      }
    });
  }

  /** Deletes it from the browser, and forgets. Throws VaultError: it is forgotten, but may still be there. */
  async erase(): Promise<void> {
    this.#drop();
    try {
      await this.#database.clear();
    } finally {
      this.#letGo();
    }
  }

  forget(): void {
    if (this.#keys === null) return;
    this.#drop();
    this.#letGo();
  }

  #drop(): void {
    this.#keys?.inner?.fill(0);
    this.#keys = null;
    this.#contents.fill(0);
  }

  #letGo(): void {
    this.#database.close();
    this.#release();
  }

  async #write(keys: VaultKeys, source: KeySource | null, contents: Uint8Array): Promise<void> {
    const { primitives, subtle } = this.#place;
    const revision = this.#revision;
    const record = await sealRecord(primitives, subtle, keys, source, revision + 1, contents);
    const isOurs = (present: unknown): boolean =>
      (present as { readonly revision?: unknown } | undefined)?.revision === revision;
    if (this.#keys === null) throw new LockedError();
    if (!(await this.#database.replace({ [RECORD]: record }, RECORD, isOurs))) throw new VaultInUseError();
    this.#revision = revision + 1;
    this.#source = source;
    // forgotten while the disk wrote: what was saved is sealed, and nothing of it stays here
    if (this.#isForgotten) {
      keys.inner?.fill(0);
      return;
    }
    this.#keys = keys;
    this.#contents.fill(0);
    this.#contents = contents.slice();
  }

  get #isForgotten(): boolean {
    return this.#keys === null;
  }
}

/** Takes lock and database for what `make` makes of them; lets both go if it throws. */
async function held(
  place: VaultPlace,
  make: (database: Database, release: () => void) => Promise<IndexedDbVault>,
): Promise<IndexedDbVault> {
  const release = await takeLock(place.locks, place.name);
  let database: Database | null = null;
  try {
    database = await Database.open(place.factory, place.name);
    return await make(database, release);
  } catch (error) {
    database?.close();
    release();
    throw error;
  }
}

async function keyOf(
  { primitives }: VaultPlace,
  source: KeySource | null,
  protection: Protection,
): Promise<Uint8Array | null> {
  return source === null ? null : innerKey(primitives, source, protection);
}

function isBrowserKey(value: unknown): value is CryptoKey {
  const key = value as Partial<CryptoKey> | null | undefined;
  return key?.type === "secret" && key.extractable === false;
}

/** What this device holds: its account, contacts and pre-keys, in memory and, sealed, in the vault. */

import { LocalProtocolError, MalformedError } from "../core/errors.ts";
import type { Username } from "../core/ids.ts";
import { PreKeyStore } from "../core/prekeys.ts";
import type { Primitives } from "../core/primitives.ts";
import { SecretState } from "../core/secret.ts";
import { Serial } from "../core/serial.ts";
import { ContactBook } from "./contact-book.ts";
import { DamagedVaultError, LockedError, NotFoundError, NotRegisteredError } from "./errors.ts";
import { OwnAccount } from "./own-account.ts";
import type { Contact } from "./people.ts";
import { decodeContents, encodeContents, type StoredContact } from "./vault/contents.ts";
import type { Vault } from "./vault/vault.ts";

/**
 * The secrets of one client, in one place, so that one call wipes them all.
 *
 * Pre-keys live in memory only: nobody rings a device that is off, and what is not written is not found.
 */
export class DeviceState extends SecretState {
  readonly kind = "DeviceState";
  readonly #primitives: Primitives;
  readonly #vault: Vault;
  readonly #origin: string;
  readonly #saves = new Serial();
  #book = new ContactBook();
  #account: OwnAccount | null = null;
  #prekeys: PreKeyStore | null = null;
  #loading: Promise<void> | null = null;
  #isWiped = false;

  /** `origin` is the server that the account must live on. */
  constructor(primitives: Primitives, vault: Vault, origin: string) {
    super();
    this.#primitives = primitives;
    this.#vault = vault;
    this.#origin = origin;
  }

  /** The contacts. */
  get book(): ContactBook {
    return this.#book;
  }

  /** Whether `wipe` ran: everything but repeating it throws LockedError. */
  get isWiped(): boolean {
    return this.#isWiped;
  }

  /** The own account if there is one, be it confirmed by the server or not. */
  get knownAccount(): OwnAccount | null {
    return this.#account;
  }

  /** The own account. Throws LockedError, NotRegisteredError. */
  get account(): OwnAccount {
    if (this.#isWiped) throw new LockedError();
    if (this.#account === null) throw new NotRegisteredError();
    return this.#account;
  }

  /** The private halves of what is advertised. Throws LockedError. */
  get prekeys(): PreKeyStore {
    if (this.#prekeys === null) throw new LockedError();
    return this.#prekeys;
  }

  /** The contact of that name. Throws NotFoundError. */
  contact(name: Username): Contact {
    const found = this.#book.find(name);
    if (found === null) throw new NotFoundError("There is no such contact.");
    return found;
  }

  /**
   * Reads the vault, once. An account that never reached another server is dropped.
   *
   * Throws LocalProtocolError: the account lives on another server; LockedError, VaultError: wiped meanwhile, or
   * the vault cannot be read.
   */
  async load(): Promise<void> {
    this.#loading ??= this.#read().catch((error: unknown) => {
      this.#loading = null;
      throw error;
    });
    return this.#loading;
  }

  /** Seals account and contacts in the vault, whole or not at all. Throws LockedError, VaultError. */
  async save(): Promise<void> {
    return this.#saves.run(async () => {
      // or what is left in memory, nothing, would overwrite the vault
      if (this.#isWiped) throw new LockedError();
      const stored = this.#account?.store() ?? null;
      const contents = encodeContents({ account: stored, contacts: this.#book.store() });
      stored?.wipe();
      try {
        await this.#vault.save(contents);
      } finally {
        contents.fill(0);
      }
    });
  }

  /** Goes on with this account; other device keys begin with an empty store of pre-keys. */
  adopt(account: OwnAccount): void {
    if (this.#isWiped) throw new LockedError();
    if (this.#prekeys === null || account.local.keys !== this.#account?.local.keys) {
      this.#prekeys = new PreKeyStore(this.#primitives, account.local.keys);
    }
    this.#account = account;
  }

  /** Forgets the account and everyone; `save` makes it last. */
  erase(): void {
    this.#dropKeys();
    this.#book.clear();
  }

  /** Makes every advertised pre-key useless. */
  wipePrekeys(): void {
    this.#prekeys?.wipe();
  }

  /** Wipes every key in memory. The vault stays sealed where it is, and its key is forgotten. */
  wipe(): void {
    this.#isWiped = true;
    this.#dropKeys();
    this.#book.clear();
    this.#vault.forget();
  }

  async #read(): Promise<void> {
    if (this.#isWiped) throw new LockedError();
    const encoded = await this.#vault.load();
    const contents = decodeContents(encoded);
    encoded?.fill(0);
    const book = restoreBook(contents.contacts);
    const account =
      contents.account === null ? null : await OwnAccount.restore(this.#primitives, contents.account);
    if (this.#wasWiped()) {
      account?.wipe();
      throw new LockedError();
    }
    if (account !== null && account.origin !== this.#origin && account.isConfirmed) {
      account.wipe();
      throw new LocalProtocolError(`The account in this vault lives on ${account.origin}.`);
    }
    this.#book = book;
    if (account?.origin === this.#origin) this.adopt(account);
    else account?.wipe();
  }

  #wasWiped(): boolean {
    return this.#isWiped;
  }

  #dropKeys(): void {
    this.wipePrekeys();
    this.#prekeys = null;
    this.#account?.wipe();
    this.#account = null;
  }
}

function restoreBook(stored: readonly StoredContact[]): ContactBook {
  try {
    return new ContactBook(stored);
  } catch (error) {
    if (error instanceof MalformedError) throw new DamagedVaultError();
    throw error;
  }
}

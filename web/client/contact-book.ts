/**
 * Pinned contacts: which account key stands behind a name, and the newest device list seen of it.
 *
 * A name is pinned at first contact. What is remembered survives restarts, or a server could bring a removed
 * device back.
 */

import { LocalProtocolError } from "../core/errors.ts";
import { PinnedAccount } from "../core/identity.ts";
import { type AccountId, asAccountId, type Username } from "../core/ids.ts";
import { canonical } from "../core/username.ts";
import { type Contact, isSame } from "./people.ts";
import type { StoredContact } from "./vault/contents.ts";

interface Entry {
  readonly contact: Contact;
  readonly pinned: PinnedAccount;
}

/** The contacts of one account, by canonical name. */
export class ContactBook {
  readonly #entries = new Map<Username, Entry>();

  /** Restores what `store` gave. Throws MalformedError. */
  constructor(stored: readonly StoredContact[] = []) {
    for (const kept of stored) {
      const username = canonical(kept.username);
      const account = asAccountId(kept.account);
      const { verifiedAt, added } = kept;
      const changedTo = kept.changedTo === null ? null : asAccountId(kept.changedTo);
      const pinned = new PinnedAccount(account, kept.listVersion, kept.listDigest);
      this.#entries.set(username, { contact: { username, account, verifiedAt, added, changedTo }, pinned });
    }
  }

  /** The contacts as the vault keeps them. */
  store(): StoredContact[] {
    return [...this.#entries.values()].map(({ contact, pinned }) => ({
      ...contact,
      listVersion: pinned.version,
      listDigest: pinned.digest,
    }));
  }

  /** Everyone, by name. */
  get all(): readonly Contact[] {
    return [...this.#entries.values()]
      .map(({ contact }) => contact)
      .sort((one, other) => (one.username < other.username ? -1 : 1));
  }

  /** The contact of that name, null if there is none. */
  find(name: Username): Contact | null {
    return this.#entries.get(name)?.contact ?? null;
  }

  /** The contact with that account key, null if there is none. */
  findAccount(account: AccountId): Contact | null {
    return this.#ofAccount(account)?.contact ?? null;
  }

  /** What is remembered of the account behind a name. */
  pinned(name: Username): PinnedAccount | null {
    return this.#entries.get(name)?.pinned ?? null;
  }

  /** What is remembered of an account. */
  pinnedAccount(account: AccountId): PinnedAccount | null {
    return this.#ofAccount(account)?.pinned ?? null;
  }

  /**
   * Pins a first contact, or notes a newer device list of a known one; says whether anything changed.
   * Throws LocalProtocolError: another account than the pinned one, for which `noteChange` is.
   */
  remember(name: Username, seen: PinnedAccount, now: number): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      this.#entries.set(name, { contact: stranger(name, seen.account, now), pinned: seen });
      return true;
    }
    if (!isSame(entry.pinned.account, seen.account)) {
      throw new LocalProtocolError("a name is pinned to one account");
    }
    if (seen.version <= entry.pinned.version) return false;
    this.#entries.set(name, { ...entry, pinned: seen });
    return true;
  }

  /** Notes that a name came with another key: the verified mark goes. Says whether that is news. */
  noteChange(name: Username, presented: AccountId): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    const { changedTo, verifiedAt } = entry.contact;
    const isNews = verifiedAt !== null || changedTo === null || !isSame(changedTo, presented);
    this.#entries.set(name, {
      ...entry,
      contact: { ...entry.contact, verifiedAt: null, changedTo: presented },
    });
    return isNews;
  }

  /** Pins the changed key of a name, unverified; false if none changed. */
  acceptChange(name: Username, now: number): boolean {
    const account = this.#entries.get(name)?.contact.changedTo ?? null;
    if (account === null) return false;
    const pinned = new PinnedAccount(account, 0, new Uint8Array(32));
    this.#entries.set(name, { contact: stranger(name, account, now), pinned });
    return true;
  }

  /** Notes when safety numbers were compared, or with null that they were not; false without such a contact. */
  mark(name: Username, verifiedAt: number | null): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    this.#entries.set(name, { ...entry, contact: { ...entry.contact, verifiedAt } });
    return true;
  }

  /** Removes a contact; false without such a one. */
  forget(name: Username): boolean {
    return this.#entries.delete(name);
  }

  /** Forgets everyone. */
  clear(): void {
    this.#entries.clear();
  }

  #ofAccount(account: AccountId): Entry | undefined {
    for (const entry of this.#entries.values()) {
      if (isSame(entry.pinned.account, account)) return entry;
    }
    return undefined;
  }
}

function stranger(username: Username, account: AccountId, now: number): Contact {
  return { username, account, verifiedAt: null, added: Math.floor(now), changedTo: null };
}

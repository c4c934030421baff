/** Who is known: the contacts of this device, and what this run has learned about them. */

import type { ContactView as KnownContact } from "../../client/messages.ts";
import type { ContactView, PeerView } from "../models.ts";

/** How long it is believed that someone was there, seconds. */
const ONLINE_SECONDS = 120;
const RECENT_SECONDS = 3600;

/** Strangers that are remembered for a while besides the contacts. */
const MAX_STRANGERS = 64;

interface Seen {
  readonly reached: boolean;
  readonly at: number;
}

/** Contacts by name. Times are Unix seconds. */
export class People {
  #contacts: readonly KnownContact[] = [];
  readonly #seen = new Map<string, Seen>();
  readonly #compared = new Map<string, number>(); // what a changed key has made void

  /** Takes the contacts as the worker knows them now. */
  know(contacts: readonly KnownContact[]): void {
    this.#contacts = contacts;
    for (const { username, verifiedAt, hasNewKey } of contacts) {
      if (verifiedAt !== null) this.#compared.set(username, verifiedAt);
      else if (!hasNewKey) this.#compared.delete(username);
    }
  }

  /** Forgets everyone, now. */
  wipe(): void {
    this.#contacts = [];
    this.#seen.clear();
    this.#compared.clear();
  }

  /** Returns what is known of a contact, `null` for someone new. */
  contact(name: string): KnownContact | null {
    return this.#contacts.find(({ username }) => username === name) ?? null;
  }

  /** When the key before the one that is shown now was compared; `null` if it never was. */
  comparedBefore(name: string): number | null {
    return this.contact(name)?.verifiedAt ?? this.#compared.get(name) ?? null;
  }

  /** Whom a ring or a call is with. */
  peer(name: string, web: boolean): PeerView {
    const known = this.contact(name);
    return { name, comparedAt: known?.verifiedAt ?? null, metAt: known?.added ?? null, web };
  }

  /** The contacts as they are drawn. */
  views(now: number): readonly ContactView[] {
    return this.#contacts.map(({ username, verifiedAt, hasNewKey }) => ({
      name: username,
      presence: presenceOf(this.#seen.get(username), now),
      comparedAt: verifiedAt,
      newKey: hasNewKey,
    }));
  }

  /** Someone was there, or was not. Of strangers little is remembered: a name that was tried is nobody's business. */
  saw(name: string, reached: boolean, now: number): void {
    this.#seen.set(name, { reached, at: now });
    if (this.#seen.size <= this.#contacts.length + MAX_STRANGERS) return;
    for (const known of [...this.#seen.keys()]) if (this.contact(known) === null) this.#seen.delete(known);
  }
}

function presenceOf(seen: Seen | undefined, now: number): ContactView["presence"] {
  if (seen === undefined || now - seen.at > RECENT_SECONDS) return "unknown";
  if (!seen.reached) return "out";
  return now - seen.at <= ONLINE_SECONDS ? "online" : "recently";
}

/**
 * Keys of messages that were overtaken or lost, kept for a short while (spec/ratchet.md, Skipped keys).
 *
 * Forward secrecy rests on deletion, so the store is bounded three ways: how many, how old, and (by whoever
 * owns the chains) how many chains back.
 */

import { SecretState } from "./secret.ts";

/** Four full gaps: enough for any network that still carries a conversation, 100 KB at most. */
export const MAX_SKIPPED_KEYS = 1024;

/** Twice the time a session survives silence: what has not come by then was lost. */
export const SKIPPED_KEY_SECONDS = 120;

declare const brand: unique symbol;

/** One chain's half of the secret of one message, 32 bytes. */
export type MessageKey = Uint8Array & { readonly [brand]: "MessageKey" };

/** What names a chain: its ratchet key in hex, or its epoch. */
export type ChainId = string | number;

interface KeptKey<Id extends ChainId> {
  readonly chain: Id;
  readonly n: number;
  readonly messageKey: MessageKey;
  readonly keptAt: number;
}

/** Message keys by (chain, number), oldest first; a key leaves when used, aged, crowded out or dropped. */
export class SkippedKeys<Id extends ChainId> extends SecretState {
  readonly kind = "SkippedKeys";
  readonly #keys = new Map<string, KeptKey<Id>>();

  get size(): number {
    return this.#keys.size;
  }

  /** A copy of the key, without taking it; null if it is not here or older than 120 s. */
  find(chain: Id, n: number, now: number): MessageKey | null {
    const kept = this.#keys.get(indexOf(chain, n));
    if (kept === undefined || now >= kept.keptAt + SKIPPED_KEY_SECONDS) return null;
    return kept.messageKey.slice() as MessageKey;
  }

  /** Drops a key that has opened its message: no message opens twice. */
  take(chain: Id, n: number): void {
    this.#drop(indexOf(chain, n));
  }

  /** Keeps the keys of messages `firstN`, `firstN` + 1, … as their owner; beyond 1024 the oldest go. */
  keep(chain: Id, firstN: number, messageKeys: readonly MessageKey[], now: number): void {
    let n = firstN;
    for (const messageKey of messageKeys) {
      this.#keys.set(indexOf(chain, n), { chain, n, messageKey, keptAt: now });
      n++;
    }
    for (const index of this.#keys.keys()) {
      if (this.#keys.size <= MAX_SKIPPED_KEYS) break;
      this.#drop(index);
    }
  }

  /** Drops all keys of one chain. */
  dropChain(chain: Id): void {
    for (const [index, kept] of this.#keys) {
      if (kept.chain === chain) this.#drop(index);
    }
  }

  /** Drops all keys that have reached 120 s. */
  expire(now: number): void {
    for (const [index, kept] of this.#keys) {
      if (now < kept.keptAt + SKIPPED_KEY_SECONDS) return;
      this.#drop(index);
    }
  }

  /** When the oldest key expires; null while there is none. */
  nextExpiry(): number | null {
    for (const kept of this.#keys.values()) return kept.keptAt + SKIPPED_KEY_SECONDS;
    return null;
  }

  /** Zeroes and drops everything. */
  wipe(): void {
    for (const index of this.#keys.keys()) this.#drop(index);
  }

  /** All state: values that compare equal exactly when it is the same. The live buffers, for tests only. */
  snapshotForTesting(): unknown[] {
    return [...this.#keys.values()].map(({ chain, n, messageKey, keptAt }) => [chain, n, messageKey, keptAt]);
  }

  #drop(index: string): void {
    this.#keys.get(index)?.messageKey.fill(0);
    this.#keys.delete(index);
  }
}

function indexOf(chain: ChainId, n: number): string {
  return `${chain}/${n}`;
}

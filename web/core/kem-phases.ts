/**
 * Where the exchange for the next epoch stands: a type for each place, no flags (spec/ratchet.md, Phases).
 *
 *     leader     LeaderAtRest ──due──▶ Offered ──answer──▶ Switched ──heard──▶ FollowerAtRest of the next
 *     follower   FollowerAtRest ──offer──▶ Answered ──heard──▶ LeaderAtRest of the next
 *
 * Each phase knows what it attaches to a message and since when it waits for one. Times are seconds.
 */

import type { KemAnswer, KemOffer } from "./envelope.ts";
import type { SendingChain } from "./message-chain.ts";
import type { MlKemPrivateKey } from "./primitives.ts";
import { SecretState } from "./secret.ts";

/** An epoch is renewed after a minute or 64 messages of both sides: 36 bytes a message at most, amortised. */
export const EPOCH_SECONDS = 60;
export const EPOCH_MESSAGES = 64;

/** An unconfirmed half is sent again this often: loss costs a second, and silence 1.2 KB/s. */
export const ATTACH_SECONDS = 1;

/** After this it rides on every message, so that holding back large frames is holding back everything. */
export const URGENT_SECONDS = 30;

/** Both sides are in the epoch, and renewing it is ours. */
export class LeaderAtRest extends SecretState {
  readonly kind = "LeaderAtRest";
  readonly #epoch: number;
  readonly #since: number;
  #dueAt = Infinity;

  constructor(epoch: number, now: number) {
    super();
    this.#epoch = epoch;
    this.#since = now;
  }

  /** Takes note that the epoch has carried so many messages of both sides. */
  noteTraffic(messages: number, now: number): void {
    if (messages >= EPOCH_MESSAGES) {
      this.#dueAt = Math.min(this.#dueAt, now);
    } else if (this.#dueAt === Infinity && messages > 0) {
      this.#dueAt = Math.max(this.#since + EPOCH_SECONDS, now);
    }
  }

  /** Whether the next message must open an exchange. */
  isDue(now: number): boolean {
    return now >= this.#dueAt;
  }

  /** Since when, or from when on, a message is owed: to open, or to be seen in a new epoch. */
  owedSince(sent: number): number | null {
    if (sent === 0 && this.#epoch > 0) return this.#since;
    return this.#dueAt === Infinity ? null : this.#dueAt;
  }

  wipe(): void {
    // it holds no key
  }

  /** All state: values that compare equal exactly when it is the same. The live buffers, for tests only. */
  snapshotForTesting(): unknown[] {
    return [this.kind, this.#epoch, this.#since, this.#dueAt];
  }
}

/** Both sides are in the epoch, and renewing it is the peer's. */
export class FollowerAtRest extends SecretState {
  readonly kind = "FollowerAtRest";

  /** Nothing is owed: the peer moves next. */
  owedSince(_sent: number): null {
    return null;
  }

  wipe(): void {
    // it holds no key
  }

  /** All state: values that compare equal exactly when it is the same. The live buffers, for tests only. */
  snapshotForTesting(): unknown[] {
    return [this.kind];
  }
}

/** When a half of the exchange rides on a message, until it is confirmed. */
class Attaching {
  readonly since: number;
  attachedAt: number | null = null;

  constructor(now: number) {
    this.since = now;
  }

  mustAttach(now: number): boolean {
    const last = this.attachedAt;
    return last === null || now >= last + ATTACH_SECONDS || now >= this.since + URGENT_SECONDS;
  }
}

/** The leader holds a fresh key pair and waits for the ciphertext. Owns the private key. */
export class Offered extends SecretState {
  readonly kind = "Offered";
  readonly attachment: KemOffer;
  readonly #privateKey: MlKemPrivateKey;
  readonly #attaching: Attaching;

  constructor(privateKey: MlKemPrivateKey, now: number) {
    super();
    this.#privateKey = privateKey;
    this.attachment = { type: "kem-offer", kemKey: privateKey.publicKey };
    this.#attaching = new Attaching(now);
  }

  get privateKey(): MlKemPrivateKey {
    return this.#privateKey;
  }

  /** Whether the next message must carry the encapsulation key. */
  mustAttach(now: number): boolean {
    return this.#attaching.mustAttach(now);
  }

  /** Takes note that a message carried it. */
  noteAttached(now: number): void {
    this.#attaching.attachedAt = now;
  }

  /** Since when the half waits for its first message, or when it was last sent. */
  owedSince(_sent: number): number {
    return this.#attaching.attachedAt ?? this.#attaching.since;
  }

  wipe(): void {
    this.#privateKey.wipe();
  }

  /** All state: values that compare equal exactly when it is the same. The live buffers, for tests only. */
  snapshotForTesting(): unknown[] {
    return [this.kind, this.#privateKey, this.#attaching.since, this.#attaching.attachedAt];
  }
}

/** The follower has derived the next epoch, reads it, and sends in the old one until it hears the new. */
export class Answered extends SecretState {
  readonly kind = "Answered";
  readonly attachment: KemAnswer;
  /** What to send by in the next epoch. */
  readonly sender: SendingChain;
  readonly #attaching: Attaching;

  constructor(ciphertext: Uint8Array, sender: SendingChain, now: number) {
    super();
    this.attachment = { type: "kem-answer", kemCiphertext: ciphertext };
    this.sender = sender;
    this.#attaching = new Attaching(now);
  }

  /** Whether the next message must carry the ciphertext. */
  mustAttach(now: number): boolean {
    return this.#attaching.mustAttach(now);
  }

  /** Takes note that a message carried it. */
  noteAttached(now: number): void {
    this.#attaching.attachedAt = now;
  }

  /** Since when the half waits for its first message, or when it was last sent. */
  owedSince(_sent: number): number {
    return this.#attaching.attachedAt ?? this.#attaching.since;
  }

  wipe(): void {
    this.sender.wipe();
  }

  /** All state: values that compare equal exactly when it is the same. The live buffers, for tests only. */
  snapshotForTesting(): unknown[] {
    const { since, attachedAt } = this.#attaching;
    return [this.kind, this.attachment.kemCiphertext, this.sender.snapshotForTesting(), since, attachedAt];
  }
}

/** The leader sends in the new epoch and waits to hear the peer in it. */
export class Switched extends SecretState {
  readonly kind = "Switched";
  #unseenSince: number | null;

  constructor(now: number) {
    super();
    this.#unseenSince = now;
  }

  /** Takes note that a message in the new epoch is on its way. */
  spoke(): void {
    this.#unseenSince = null;
  }

  /** Takes note that the peer still sends its ciphertext: it has seen nothing of the new epoch. */
  remind(now: number): void {
    this.#unseenSince ??= now;
  }

  /** Since when the peer has to see the new epoch; null if a message is on its way. */
  owedSince(_sent: number): number | null {
    return this.#unseenSince;
  }

  wipe(): void {
    // it holds no key
  }

  /** All state: values that compare equal exactly when it is the same. The live buffers, for tests only. */
  snapshotForTesting(): unknown[] {
    return [this.kind, this.#unseenSince];
  }
}

export type Phase = LeaderAtRest | FollowerAtRest | Offered | Answered | Switched;

/**
 * Chains of message keys: each step yields one key and forgets the way back (spec/ratchet.md, Chains).
 *
 * The classical and the post-quantum half both run on these; they differ in what starts a new chain. Moving
 * along a chain is split in two: prepare a step and change nothing; once its message is sealed or has proved
 * authentic, commit. A step that is not committed is wiped.
 */

import { COUNTER_LIMIT } from "./envelope.ts";
import { DecryptionError, MessageKeyGoneError, RatchetEnd, RatchetEndedError } from "./errors.ts";
import type { Primitives } from "./primitives.ts";
import { SecretState } from "./secret.ts";
import type { ChainId, MessageKey, SkippedKeys } from "./skipped-keys.ts";

/** How many messages of one chain may be missing at once: bounds the work an unauthentic frame can cause. */
export const MAX_SKIP = 256;

declare const brand: unique symbol;

/** What all later message keys of one chain derive from, 32 bytes. */
export type ChainKey = Uint8Array & { readonly [brand]: "ChainKey" };

const FOR_MESSAGE = Uint8Array.of(1);
const FOR_CHAIN = Uint8Array.of(2);

/** KDF_CK(ck): mk = HMAC-SHA-256(ck, 0x01) and the next ck = HMAC-SHA-256(ck, 0x02). */
export async function advance(
  primitives: Primitives,
  chainKey: ChainKey,
): Promise<{ messageKey: MessageKey; nextKey: ChainKey }> {
  const messageKey = (await primitives.hmacSha256(chainKey, FOR_MESSAGE)) as MessageKey;
  const nextKey = (await primitives.hmacSha256(chainKey, FOR_CHAIN)) as ChainKey;
  return { messageKey, nextKey };
}

/** The chain of what we send: one key per message, in order. Owns the key it is given. */
export class SendingChain extends SecretState {
  readonly kind = "SendingChain";
  #key: ChainKey;
  #n: number;

  /** `n` is how many messages were sent before: none, but in tests of the end of a chain. */
  constructor(key: ChainKey, n = 0) {
    super();
    this.#key = key;
    this.#n = n;
  }

  /** The number of the next message, which is how many were sent. */
  get n(): number {
    return this.#n;
  }

  /** The next message's key. Changes nothing. Throws RatchetEndedError: the chain has given 2^31 keys. */
  async prepare(primitives: Primitives): Promise<Next> {
    if (this.#n >= COUNTER_LIMIT) throw new RatchetEndedError(RatchetEnd.EXHAUSTED);
    const { messageKey, nextKey } = await advance(primitives, this.#key);
    return new Next(this, this.#n, messageKey, nextKey);
  }

  /** Takes the step to `key`, and forgets the key before. For `Next` only. */
  move(key: ChainKey): void {
    this.#key.fill(0);
    this.#key = key;
    this.#n++;
  }

  wipe(): void {
    this.#key.fill(0);
  }

  /** All state: values that compare equal exactly when it is the same. The live buffers, for tests only. */
  snapshotForTesting(): unknown[] {
    return [this.#key, this.#n];
  }
}

/** The key of the next message we send, with what moving the chain past it takes. */
export class Next extends SecretState {
  readonly kind = "Next";
  readonly n: number;
  readonly messageKey: MessageKey;
  readonly #chain: SendingChain;
  #nextKey: ChainKey | null;

  constructor(chain: SendingChain, n: number, messageKey: MessageKey, nextKey: ChainKey) {
    super();
    this.#chain = chain;
    this.n = n;
    this.messageKey = messageKey;
    this.#nextKey = nextKey;
  }

  /** Moves the chain past the message: its frame is going to be sent. */
  commit(): void {
    if (this.#nextKey === null) return;
    this.#chain.move(this.#nextKey);
    this.#nextKey = null;
  }

  /** Zeroes the message key, and the rest unless it was committed. */
  wipe(): void {
    this.messageKey.fill(0);
    this.#nextKey?.fill(0);
    this.#nextKey = null;
  }
}

/** The chain of what the peer sends, up to the highest message that proved authentic. Owns its key. */
export class ReceivingChain<Id extends ChainId> extends SecretState {
  readonly kind = "ReceivingChain";
  readonly id: Id;
  #key: ChainKey;
  #n = 0;

  constructor(id: Id, key: ChainKey) {
    super();
    this.id = id;
    this.#key = key;
  }

  /** The number of the next message in order; all below were read, skipped or lost. */
  get n(): number {
    return this.#n;
  }

  /**
   * The key of message `n`, ahead in the chain or kept from a skip. Changes nothing.
   * Throws MessageKeyGoneError: it was read before, or its key is gone; DecryptionError: more than 256 messages
   * would be skipped.
   */
  async find(
    primitives: Primitives,
    n: number,
    skipped: SkippedKeys<Id>,
    now: number,
  ): Promise<Ahead<Id> | Kept<Id>> {
    return n < this.#n ? new Kept(this.id, n, skipped, now) : this.reach(primitives, n);
  }

  /** The key of message `n`, which is not behind. Changes nothing. Throws DecryptionError: over 256 missing. */
  async reach(primitives: Primitives, n: number): Promise<Ahead<Id>> {
    const { passed, key } = await this.passOver(primitives, n);
    const { messageKey, nextKey } = await advance(primitives, key);
    key.fill(0);
    return new Ahead(this, messageKey, nextKey, n + 1, passed);
  }

  /**
   * The keys of all messages before `n` not reached yet, and a copy of the chain key at `n`. Changes nothing.
   * Throws DecryptionError: these are more than 256.
   */
  async passOver(primitives: Primitives, n: number): Promise<{ passed: MessageKey[]; key: ChainKey }> {
    if (n - this.#n > MAX_SKIP) throw new DecryptionError(`${n - this.#n} messages missing in one chain`);
    const passed: MessageKey[] = [];
    let key = this.#key.slice() as ChainKey;
    for (let at = this.#n; at < n; at++) {
      const { messageKey, nextKey } = await advance(primitives, key);
      passed.push(messageKey);
      key.fill(0);
      key = nextKey;
    }
    return { passed, key };
  }

  /** Takes the step to `key` and forgets the key before. For `Ahead` only. */
  move(key: ChainKey, n: number): void {
    this.#key.fill(0);
    this.#key = key;
    this.#n = n;
  }

  wipe(): void {
    this.#key.fill(0);
  }

  /** All state: values that compare equal exactly when it is the same. The live buffers, for tests only. */
  snapshotForTesting(): unknown[] {
    return [this.id, this.#key, this.#n];
  }
}

/** The key of a message not reached before, with what moving the chain past it takes. */
export class Ahead<Id extends ChainId> extends SecretState {
  readonly kind = "Ahead";
  readonly chain: ReceivingChain<Id>;
  readonly messageKey: MessageKey;
  readonly #nextN: number;
  #nextKey: ChainKey | null;
  #passed: readonly MessageKey[];

  constructor(
    chain: ReceivingChain<Id>,
    messageKey: MessageKey,
    nextKey: ChainKey,
    nextN: number,
    passed: readonly MessageKey[],
  ) {
    super();
    this.chain = chain;
    this.messageKey = messageKey;
    this.#nextKey = nextKey;
    this.#nextN = nextN;
    this.#passed = passed;
  }

  /** Moves the chain past the message and keeps the keys of those it overtook. */
  commit(skipped: SkippedKeys<Id>, now: number): void {
    if (this.#nextKey === null) return;
    if (this.#passed.length > 0) skipped.keep(this.chain.id, this.chain.n, this.#passed, now);
    this.chain.move(this.#nextKey, this.#nextN);
    this.#passed = [];
    this.#nextKey = null;
  }

  /** Zeroes the message key, and the rest unless it was committed. */
  wipe(): void {
    this.messageKey.fill(0);
    for (const key of this.#passed) key.fill(0);
    this.#nextKey?.fill(0);
    this.#passed = [];
    this.#nextKey = null;
  }
}

/** The key of a message that others overtook. Throws MessageKeyGoneError when made without one. */
export class Kept<Id extends ChainId> extends SecretState {
  readonly kind = "Kept";
  readonly messageKey: MessageKey;
  readonly #chain: Id;
  readonly #n: number;

  constructor(chain: Id, n: number, skipped: SkippedKeys<Id>, now: number) {
    super();
    const messageKey = skipped.find(chain, n, now);
    if (messageKey === null) throw new MessageKeyGoneError();
    this.messageKey = messageKey;
    this.#chain = chain;
    this.#n = n;
  }

  /** Forgets the key: the message has been read. */
  commit(skipped: SkippedKeys<Id>, _now: number): void {
    skipped.take(this.#chain, this.#n);
  }

  /** Zeroes the copy of the key that is here. */
  wipe(): void {
    this.messageKey.fill(0);
  }
}

/**
 * The classical half: a Double Ratchet over X25519 (spec/ratchet.md, Classical half).
 *
 * After Perrin and Marlinspike, "The Double Ratchet Algorithm", with one change that peers cannot see: the new
 * key pair is made when the first reply is sent, not when the peer's key arrives. Between the two, a thief of
 * the state finds no private key at all.
 */

import { tag, toHex } from "./encoding.ts";
import { DecryptionError, LocalProtocolError, MalformedError } from "./errors.ts";
import { KEY_BYTES } from "./key-schedule.ts";
import { type Ahead, type ChainKey, Kept, type Next, ReceivingChain, SendingChain } from "./message-chain.ts";
import type { Primitives, X25519PrivateKey } from "./primitives.ts";
import { SecretState } from "./secret.ts";
import { type MessageKey, SkippedKeys } from "./skipped-keys.ts";

/** How many later chains of the peer its skipped keys outlive: a straggler is seldom two replies late. */
export const MAX_CHAIN_AGE = 4;

/**
 * How many past ratchet keys of the peer are known by sight: as many as messages can be sent again. Their
 * messages are duplicates or too late; without this each would look like a forgery and cost a key agreement.
 */
export const MAX_RETIRED_KEYS = 256;

declare const brand: unique symbol;

/** What the next chains of both directions derive from, 32 bytes. */
export type RootKey = Uint8Array & { readonly [brand]: "RootKey" };

const ROOT_INFO = tag("ec root");

/** KDF_RK(rk, dh): the next root key and a new chain's key, HKDF-SHA-256 with the root as salt. */
export async function deriveRoot(
  primitives: Primitives,
  rootKey: RootKey,
  sharedSecret: Uint8Array,
): Promise<{ rootKey: RootKey; chainKey: ChainKey }> {
  const prk = await primitives.hkdfExtract(rootKey, sharedSecret);
  const block = await primitives.hkdfExpand(prk, ROOT_INFO, 2 * KEY_BYTES);
  prk.fill(0);
  const derived = {
    rootKey: block.slice(0, KEY_BYTES) as RootKey,
    chainKey: block.slice(KEY_BYTES) as ChainKey,
  };
  block.fill(0);
  return derived;
}

/** The responder before the initiator's first message: it holds EK_b and cannot send. */
class Listening extends SecretState {
  readonly kind = "Listening";
  readonly #privateKey: X25519PrivateKey;

  constructor(privateKey: X25519PrivateKey) {
    super();
    this.#privateKey = privateKey;
  }

  get privateKey(): X25519PrivateKey {
    return this.#privateKey;
  }

  wipe(): void {
    this.#privateKey.wipe();
  }

  snapshotForTesting(): unknown[] {
    return [this.kind, this.#privateKey];
  }
}

/** The peer's newest key is unanswered: the next message sent starts a new chain under a new key. */
class OwingTurn extends SecretState {
  readonly kind = "OwingTurn";
  readonly previousN: number;
  readonly since: number;

  constructor(previousN: number, since: number) {
    super();
    this.previousN = previousN;
    this.since = since;
  }

  wipe(): void {
    // it holds no key
  }

  snapshotForTesting(): unknown[] {
    return [this.kind, this.previousN, this.since];
  }
}

/** We have sent under a key of our own, which the peer's next key will be agreed with. */
class Turned extends SecretState {
  readonly kind = "Turned";
  readonly chain: SendingChain;
  readonly previousN: number;
  readonly #privateKey: X25519PrivateKey;

  constructor(privateKey: X25519PrivateKey, chain: SendingChain, previousN: number) {
    super();
    this.#privateKey = privateKey;
    this.chain = chain;
    this.previousN = previousN;
  }

  get privateKey(): X25519PrivateKey {
    return this.#privateKey;
  }

  get ratchetKey(): Uint8Array {
    return this.#privateKey.publicKey;
  }

  wipe(): void {
    this.#privateKey.wipe();
    this.chain.wipe();
  }

  snapshotForTesting(): unknown[] {
    return [this.kind, this.#privateKey, this.chain.snapshotForTesting(), this.previousN];
  }
}

/** The next message's place and key, with a turn of ours if it opens a chain. */
export class ClassicalSend extends SecretState {
  readonly kind = "ClassicalSend";
  readonly turned: Turned;
  /** What the turn makes of the root; null if there is none. */
  readonly rootKey: RootKey | null;
  readonly next: Next;
  #isCommitted = false;

  constructor(turned: Turned, rootKey: RootKey | null, next: Next) {
    super();
    this.turned = turned;
    this.rootKey = rootKey;
    this.next = next;
  }

  get n(): number {
    return this.next.n;
  }

  get previousN(): number {
    return this.turned.previousN;
  }

  get ratchetKey(): Uint8Array {
    return this.turned.ratchetKey;
  }

  get messageKey(): MessageKey {
    return this.next.messageKey;
  }

  /** Keeps `wipe` from what the ratchet now owns. */
  noteCommitted(): void {
    this.#isCommitted = true;
  }

  /** Zeroes the message key, and the rest unless it was committed. */
  wipe(): void {
    this.next.wipe();
    if (this.rootKey === null || this.#isCommitted) return;
    this.rootKey.fill(0);
    this.turned.wipe();
  }
}

/** The key of the first message read under a new key of the peer, with what the turn changes. */
export class Turn extends SecretState {
  readonly kind = "Turn";
  readonly rootKey: RootKey;
  /** Keys of messages of the chain before that have not come yet. */
  readonly closing: readonly MessageKey[];
  readonly ahead: Ahead<string>;
  readonly remoteKey: Uint8Array;
  #isCommitted = false;

  constructor(rootKey: RootKey, closing: readonly MessageKey[], ahead: Ahead<string>, remoteKey: Uint8Array) {
    super();
    this.rootKey = rootKey;
    this.closing = closing;
    this.ahead = ahead;
    this.remoteKey = remoteKey;
  }

  /** The classical half of the message's secret. */
  get messageKey(): MessageKey {
    return this.ahead.messageKey;
  }

  /** Keeps `wipe` from what the ratchet now owns. */
  noteCommitted(): void {
    this.#isCommitted = true;
  }

  /** Zeroes the message key, and the rest unless it was committed. */
  wipe(): void {
    this.ahead.wipe();
    if (this.#isCommitted) return;
    this.rootKey.fill(0);
    this.ahead.chain.wipe();
    for (const key of this.closing) key.fill(0);
  }
}

/** The key of a message to read, in the classical half. */
export type FoundClassical = Ahead<string> | Kept<string> | Turn;

/** Root key, one chain each way, and the keys of overtaken messages. Names a chain by its ratchet key. */
export class DoubleRatchet extends SecretState {
  readonly kind = "DoubleRatchet";
  readonly #primitives: Primitives;
  readonly #skipped = new SkippedKeys<string>();
  /** Past ratchet keys of the peer, in hex, oldest first. */
  readonly #retired = new Set<string>();
  #rootKey: RootKey;
  #own: Listening | OwingTurn | Turned;
  #remoteKey: Uint8Array | null;
  #receiver: ReceivingChain<string> | null = null;

  private constructor(
    primitives: Primitives,
    rootKey: RootKey,
    own: Listening | OwingTurn,
    remoteKey: Uint8Array | null,
  ) {
    super();
    this.#primitives = primitives;
    this.#rootKey = rootKey;
    this.#own = own;
    this.#remoteKey = remoteKey;
  }

  /** The ratchet of the side that sends first; `remoteKey` is the responder's EK_b. Owns the root key. */
  static initiator(
    primitives: Primitives,
    rootKey: RootKey,
    remoteKey: Uint8Array,
    now: number,
  ): DoubleRatchet {
    return new DoubleRatchet(primitives, rootKey, new OwingTurn(0, now), Uint8Array.from(remoteKey));
  }

  /** The ratchet of the side that holds the EK_b pair and listens first. Owns both keys. */
  static responder(primitives: Primitives, rootKey: RootKey, privateKey: X25519PrivateKey): DoubleRatchet {
    return new DoubleRatchet(primitives, rootKey, new Listening(privateKey), null);
  }

  /** Whether there is a key of the peer to send to: always, but for a responder not yet spoken to. */
  get canSend(): boolean {
    return this.#remoteKey !== null;
  }

  /** Since when a key of the peer is unanswered; null if the last turn was ours. */
  get turnOwedSince(): number | null {
    return this.#own instanceof OwingTurn && this.#receiver !== null ? this.#own.since : null;
  }

  /**
   * The next message's place and key, with a turn if one is owed. Changes nothing.
   * Throws LocalProtocolError: the responder has not been spoken to yet; MalformedError: the peer's ratchet key
   * is a small-order point (only its first can be); RatchetEndedError: the chain has given 2^31 keys.
   */
  async prepareSend(): Promise<ClassicalSend> {
    const own = this.#own;
    if (own instanceof Turned) {
      return new ClassicalSend(own, null, await own.chain.prepare(this.#primitives));
    }
    const remoteKey = this.#remoteKey;
    if (remoteKey === null || own instanceof Listening) {
      throw new LocalProtocolError("the responder sends only after the initiator's first message");
    }
    const privateKey = await this.#primitives.x25519Generate();
    const { rootKey, chainKey } = await this.#agree(privateKey, remoteKey);
    const turned = new Turned(privateKey, new SendingChain(chainKey), own.previousN);
    return new ClassicalSend(turned, rootKey, await turned.chain.prepare(this.#primitives));
  }

  /** Takes the step that `prepareSend` prepared: the frame is made. How its key was made is forgotten. */
  commitSend(send: ClassicalSend): void {
    if (send.rootKey !== null) this.#replaceRoot(send.rootKey);
    this.#own = send.turned;
    send.next.commit();
    send.noteCommitted();
  }

  /**
   * The key of the message that a header places. Changes nothing.
   * Throws MessageKeyGoneError: read before or too late; DecryptionError: too many missing before it, or a
   * ratchet key that cannot be the peer's next.
   */
  async find(ratchetKey: Uint8Array, n: number, previousN: number, now: number): Promise<FoundClassical> {
    const name = toHex(ratchetKey);
    const receiver = this.#receiver;
    if (receiver?.id === name) return receiver.find(this.#primitives, n, this.#skipped, now);
    if (this.#retired.has(name)) return new Kept(name, n, this.#skipped, now);
    return this.#findTurn(ratchetKey, name, n, previousN);
  }

  /** Takes the step that `find` prepared: its message proved authentic. */
  commit(found: FoundClassical, now: number): void {
    if (found instanceof Turn) this.#commitTurn(found, now);
    else found.commit(this.#skipped, now);
  }

  /** Drops skipped keys that have reached their age. */
  expire(now: number): void {
    this.#skipped.expire(now);
  }

  /** When `expire` next has something to drop; null while nothing is kept. */
  nextExpiry(): number | null {
    return this.#skipped.nextExpiry();
  }

  /** Zeroes all keys. */
  wipe(): void {
    this.#rootKey.fill(0);
    this.#own.wipe();
    this.#receiver?.wipe();
    this.#skipped.wipe();
  }

  /** All state: values that compare equal exactly when it is the same. The live buffers, for tests only. */
  snapshotForTesting(): unknown[] {
    return [
      this.#rootKey,
      this.#own.snapshotForTesting(),
      this.#remoteKey === null ? null : toHex(this.#remoteKey),
      this.#receiver?.snapshotForTesting() ?? null,
      this.#skipped.snapshotForTesting(),
      [...this.#retired],
    ];
  }

  async #agree(
    privateKey: X25519PrivateKey,
    remoteKey: Uint8Array,
  ): Promise<{ rootKey: RootKey; chainKey: ChainKey }> {
    const sharedSecret = await this.#primitives.x25519Agree(privateKey, remoteKey);
    const derived = await deriveRoot(this.#primitives, this.#rootKey, sharedSecret);
    sharedSecret.fill(0);
    return derived;
  }

  async #findTurn(ratchetKey: Uint8Array, name: string, n: number, previousN: number): Promise<Turn> {
    const own = this.#own;
    if (own instanceof OwingTurn) {
      // the peer turns only after it has read our newest key, and we have shown none since its last
      throw new DecryptionError("a ratchet key out of turn");
    }
    const closing = await this.#close(previousN);
    let derived: { rootKey: RootKey; chainKey: ChainKey } | null = null;
    try {
      derived = await this.#agree(own.privateKey, ratchetKey);
      const ahead = await new ReceivingChain(name, derived.chainKey).reach(this.#primitives, n);
      return new Turn(derived.rootKey, closing, ahead, Uint8Array.from(ratchetKey));
    } catch (error) {
      for (const key of [...closing, ...(derived === null ? [] : [derived.rootKey, derived.chainKey])]) {
        key.fill(0);
      }
      if (error instanceof MalformedError) throw new DecryptionError("a ratchet key that yields no secret");
      throw error;
    }
  }

  /** The keys of messages of the current chain that have not come, up to its announced length. */
  async #close(previousN: number): Promise<readonly MessageKey[]> {
    const receiver = this.#receiver;
    if (receiver === null || previousN <= receiver.n) return [];
    const { passed, key } = await receiver.passOver(this.#primitives, previousN);
    key.fill(0);
    return passed;
  }

  #commitTurn(turn: Turn, now: number): void {
    const { chain } = turn.ahead;
    const before = this.#receiver;
    if (before !== null) {
      if (turn.closing.length > 0) this.#skipped.keep(before.id, before.n, turn.closing, now);
      this.#retire(before.id);
      before.wipe();
    }
    turn.ahead.commit(this.#skipped, now);
    this.#replaceRoot(turn.rootKey);
    this.#receiver = chain;
    this.#remoteKey = turn.remoteKey;
    const own = this.#own;
    own.wipe();
    this.#own = new OwingTurn(own instanceof Turned ? own.chain.n : 0, now);
    turn.noteCommitted();
  }

  #replaceRoot(rootKey: RootKey): void {
    this.#rootKey.fill(0);
    this.#rootKey = rootKey;
  }

  #retire(name: string): void {
    this.#retired.add(name);
    const names = [...this.#retired];
    const aged = names.at(-1 - MAX_CHAIN_AGE);
    if (aged !== undefined) this.#skipped.dropChain(aged);
    if (names.length > MAX_RETIRED_KEYS) this.#retired.delete(names[0] ?? "");
  }
}

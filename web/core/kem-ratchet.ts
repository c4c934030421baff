/**
 * The post-quantum half: epochs renewed by ML-KEM-768 exchanges (spec/ratchet.md, Post-quantum half).
 *
 * The sides take turns to lead, so they can never renew at once, and every second epoch rests on each side's
 * own fresh key pair. After Apple's PQ3 and Signal's Triple Ratchet, with whole keys instead of fragments.
 */

import { concat, tag, toHex, u32 } from "./encoding.ts";
import { type Attachment, COUNTER_LIMIT } from "./envelope.ts";
import {
  DecryptionError,
  MalformedError,
  MessageKeyGoneError,
  RatchetEnd,
  RatchetEndedError,
} from "./errors.ts";
import { Answered, FollowerAtRest, LeaderAtRest, Offered, type Phase, Switched } from "./kem-phases.ts";
import { KEY_BYTES } from "./key-schedule.ts";
import {
  type Ahead,
  type ChainKey,
  type Kept,
  type Next,
  ReceivingChain,
  SendingChain,
} from "./message-chain.ts";
import { Direction } from "./message-seal.ts";
import type { Primitives } from "./primitives.ts";
import { SecretState } from "./secret.ts";
import { type MessageKey, SkippedKeys } from "./skipped-keys.ts";

/** How long stragglers of the epoch before are read once the peer was heard in the new one. */
export const PREVIOUS_EPOCH_SECONDS = 120;

/**
 * Without a new epoch for this long, or so many messages, while messages do arrive, someone is holding back
 * the large frames that carry the exchange. Honest sides need about 61 s.
 */
export const STALL_SECONDS = 300;
export const STALL_MESSAGES = 4096;

/** Silence between two arrivals counts up to this towards a stall: a session ends after as much anyway. */
export const MAX_COUNTED_GAP_SECONDS = 60;

declare const brand: unique symbol;

/** What the next epoch derives from, together with its exchange, 32 bytes. */
export type PqRootKey = Uint8Array & { readonly [brand]: "PqRootKey" };

const EPOCH_INFO = tag("pq root");

/** What one exchange yields. Lives until it is dealt out to chains. */
export interface EpochKeys {
  readonly rootKey: PqRootKey;
  readonly fromInitiator: ChainKey;
  readonly fromResponder: ChainKey;
}

/** What made an epoch, by digest: a repeat of it is ignored, anything else for that epoch is an attack. */
interface Exchange {
  readonly offerDigest: Uint8Array;
  readonly answerDigest: Uint8Array;
}

/**
 * The keys of `epoch` from the root before it and the exchange that led to it. The digests are SHA-256 of the
 * encapsulation key and of the ciphertext: ML-KEM does not promise that its secret determines them.
 */
export async function deriveEpoch(
  primitives: Primitives,
  rootKey: PqRootKey,
  epoch: number,
  sharedSecret: Uint8Array,
  offerDigest: Uint8Array,
  answerDigest: Uint8Array,
): Promise<EpochKeys> {
  const info = concat(EPOCH_INFO, u32(epoch), offerDigest, answerDigest);
  const prk = await primitives.hkdfExtract(rootKey, sharedSecret);
  const block = await primitives.hkdfExpand(prk, info, 3 * KEY_BYTES);
  prk.fill(0);
  const rootAndChains = {
    rootKey: block.slice(0, KEY_BYTES) as PqRootKey,
    fromInitiator: block.slice(KEY_BYTES, 2 * KEY_BYTES) as ChainKey,
    fromResponder: block.slice(2 * KEY_BYTES) as ChainKey,
  };
  block.fill(0);
  return rootAndChains;
}

/** What an authentic message's attachment leads to, worked out before anything is committed. */
class Step extends SecretState {
  readonly kind = "Step";
  readonly epoch: number;
  readonly exchange: Exchange;
  readonly keys: EpochKeys;
  /** What the follower has to send; null on the leader's side. */
  readonly ciphertext: Uint8Array | null;
  isTaken = false;

  constructor(epoch: number, exchange: Exchange, keys: EpochKeys, ciphertext: Uint8Array | null) {
    super();
    this.epoch = epoch;
    this.exchange = exchange;
    this.keys = keys;
    this.ciphertext = ciphertext;
  }

  /** Zeroes the keys unless they were committed. */
  wipe(): void {
    if (this.isTaken) return;
    for (const key of [this.keys.rootKey, this.keys.fromInitiator, this.keys.fromResponder]) key.fill(0);
  }
}

const NOTHING = { wipe: (): void => undefined };
const REPEATED_ANSWER = { wipe: (): void => undefined };

/** What `KemRatchet.prepareStep` gives to `commit`; wiped by its holder in the end. */
export type PreparedStep = Step | typeof NOTHING;

/** Where the next message stands in its epoch, what it must carry, and its key. */
export class PostQuantumSend extends SecretState {
  readonly kind = "PostQuantumSend";
  readonly epoch: number;
  readonly attachment: Attachment | null;
  /** An exchange that this message opens. */
  readonly offered: Offered | null;
  readonly next: Next;
  #isCommitted = false;

  constructor(epoch: number, attachment: Attachment | null, offered: Offered | null, next: Next) {
    super();
    this.epoch = epoch;
    this.attachment = attachment;
    this.offered = offered;
    this.next = next;
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
    if (!this.#isCommitted) this.offered?.wipe();
  }
}

/** The key of a message to read, in the post-quantum half. */
export type FoundPostQuantum = Ahead<number> | Kept<number>;

/** The epoch we send in, a receiving chain for each epoch still read, and where the next exchange stands. */
export class KemRatchet extends SecretState {
  readonly kind = "KemRatchet";
  readonly #primitives: Primitives;
  readonly #direction: Direction;
  readonly #receivers = new Map<number, ReceivingChain<number>>();
  readonly #skipped = new SkippedKeys<number>();
  readonly #exchanges = new Map<number, Exchange>();
  #epoch = 0;
  #rootKey: PqRootKey;
  #sender: SendingChain;
  #phase: Phase;
  #previousEndsAt = Infinity;
  #heardEpoch = 0;
  #heardAt: number;
  #heardSeconds = 0;
  #heardCount = 0;

  /** Owns the keys it is given. */
  constructor(primitives: Primitives, direction: Direction, keys: EpochKeys, now: number) {
    super();
    this.#primitives = primitives;
    this.#direction = direction;
    this.#rootKey = keys.rootKey;
    this.#sender = new SendingChain(this.#ownChainKey(keys));
    this.#receivers.set(0, new ReceivingChain(0, this.#remoteChainKey(keys)));
    this.#phase = this.#rest(now);
    this.#heardAt = now;
  }

  /** The epoch we send in. The peer's is this one, or one more or less while they change. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Since when the exchange waits for a message of ours; null while it waits for something else. */
  get stepOwedSince(): number | null {
    return this.#phase.owedSince(this.#sender.n);
  }

  /**
   * The next message's epoch and number, what it must carry, and its key. Changes nothing.
   * Throws RatchetEndedError: the chain or the epochs are exhausted.
   */
  async prepareSend(now: number): Promise<PostQuantumSend> {
    const phase = this.#phase;
    let offered: Offered | null = null;
    let attachment: Attachment | null = null;
    if (phase instanceof LeaderAtRest) {
      if (phase.isDue(now)) {
        if (this.#epoch + 1 >= COUNTER_LIMIT) throw new RatchetEndedError(RatchetEnd.EXHAUSTED);
        offered = new Offered(await this.#primitives.mlKemGenerate(), now);
        attachment = offered.attachment;
      }
    } else if ((phase instanceof Offered || phase instanceof Answered) && phase.mustAttach(now)) {
      attachment = phase.attachment;
    }
    const next = await this.#sender.prepare(this.#primitives);
    return new PostQuantumSend(this.#epoch, attachment, offered, next);
  }

  /** Takes the step that `prepareSend` prepared: the frame is made. */
  commitSend(send: PostQuantumSend, now: number): void {
    if (send.offered !== null) this.#phase = send.offered;
    const phase = this.#phase;
    if (phase instanceof LeaderAtRest) {
      phase.noteTraffic(this.#sender.n + 1 + this.#receivedInEpoch(), now);
    } else if (phase instanceof Offered || phase instanceof Answered) {
      if (send.attachment !== null) phase.noteAttached(now);
    } else if (phase instanceof Switched) {
      phase.spoke();
    }
    send.next.commit();
    send.noteCommitted();
  }

  /**
   * The key of the message that a header places. Changes nothing.
   * Throws MessageKeyGoneError: read before, or of an epoch no longer read; DecryptionError: too many missing
   * before it, or an epoch that is not there yet.
   */
  async find(epoch: number, n: number, now: number): Promise<FoundPostQuantum> {
    const receiver = this.#receivers.get(epoch);
    if (receiver === undefined) {
      if (epoch < this.#epoch) throw new MessageKeyGoneError();
      throw new DecryptionError("a message of an epoch to come");
    }
    if (epoch < this.#epoch && now >= this.#previousEndsAt) throw new MessageKeyGoneError();
    return receiver.find(this.#primitives, n, this.#skipped, now);
  }

  /**
   * What an authentic message of `epoch` carries, worked out. Changes nothing.
   * Throws RatchetEndedError: it breaks the order of the exchange.
   */
  async prepareStep(epoch: number, attachment: Attachment | null, now: number): Promise<PreparedStep> {
    if (attachment === null) return NOTHING;
    return attachment.type === "kem-offer"
      ? this.#prepareOffer(epoch, attachment.kemKey, now)
      : this.#prepareAnswer(epoch, attachment.kemCiphertext, now);
  }

  /**
   * Takes the step that `find` prepared, then the one of `prepareStep`: the message proved authentic.
   * Throws RatchetEndedError: epochs have stalled.
   */
  commit(found: FoundPostQuantum, epoch: number, step: PreparedStep, now: number): void {
    found.commit(this.#skipped, now);
    if (epoch > this.#heardEpoch) this.#hearEpoch(epoch, now);
    if (step === REPEATED_ANSWER) {
      if (this.#phase instanceof Switched) this.#phase.remind(now);
    } else if (step instanceof Step) {
      this.#takeStep(step, now);
    }
    if (this.#phase instanceof LeaderAtRest) {
      this.#phase.noteTraffic(this.#sender.n + this.#receivedInEpoch(), now);
    }
    this.#requireProgress(now);
  }

  /** Drops skipped keys and the previous epoch's chain when they have reached their age. */
  expire(now: number): void {
    this.#skipped.expire(now);
    if (now >= this.#previousEndsAt) this.#dropEpoch(this.#epoch - 1);
  }

  /** When `expire` next has something to drop; null while nothing is kept. */
  nextExpiry(): number | null {
    const first = Math.min(this.#previousEndsAt, this.#skipped.nextExpiry() ?? Infinity);
    return first === Infinity ? null : first;
  }

  /** Zeroes all keys. */
  wipe(): void {
    this.#rootKey.fill(0);
    this.#sender.wipe();
    for (const receiver of this.#receivers.values()) receiver.wipe();
    this.#skipped.wipe();
    this.#phase.wipe();
  }

  /** All state: values that compare equal exactly when it is the same. The live buffers, for tests only. */
  snapshotForTesting(): unknown[] {
    return [
      this.#epoch,
      this.#rootKey,
      this.#sender.snapshotForTesting(),
      [...this.#receivers.values()].map((receiver) => receiver.snapshotForTesting()),
      this.#skipped.snapshotForTesting(),
      [...this.#exchanges].map(([epoch, made]) => [epoch, toHex(made.offerDigest), toHex(made.answerDigest)]),
      this.#phase.snapshotForTesting(),
      this.#previousEndsAt,
      [this.#heardEpoch, this.#heardAt, this.#heardSeconds, this.#heardCount],
    ];
  }

  #ownChainKey(keys: EpochKeys): ChainKey {
    return this.#direction === Direction.FROM_INITIATOR ? keys.fromInitiator : keys.fromResponder;
  }

  #remoteChainKey(keys: EpochKeys): ChainKey {
    return this.#direction === Direction.FROM_INITIATOR ? keys.fromResponder : keys.fromInitiator;
  }

  /** Whether the exchange for `epoch` is ours to start: odd ones are the initiator's. */
  #leads(epoch: number): boolean {
    return (epoch % 2 === 1) === (this.#direction === Direction.FROM_INITIATOR);
  }

  #rest(now: number): LeaderAtRest | FollowerAtRest {
    return this.#leads(this.#epoch + 1) ? new LeaderAtRest(this.#epoch, now) : new FollowerAtRest();
  }

  #receivedInEpoch(): number {
    return this.#receivers.get(this.#epoch)?.n ?? 0;
  }

  /** Epoch and phase as they will be once a message of `epoch` is committed. */
  #after(epoch: number, now: number): { epoch: number; phase: Phase } {
    const phase = this.#phase;
    if (epoch <= this.#heardEpoch) return { epoch: this.#epoch, phase };
    const entered = this.#epoch + (phase instanceof Answered ? 1 : 0);
    const rest = this.#leads(entered + 1) ? new LeaderAtRest(entered, now) : new FollowerAtRest();
    return { epoch: entered, phase: rest };
  }

  async #prepareOffer(messageEpoch: number, kemKey: Uint8Array, now: number): Promise<PreparedStep> {
    const epoch = messageEpoch + 1;
    if (this.#leads(epoch)) throw breach();
    const offerDigest = await this.#primitives.sha256(kemKey);
    const known = this.#exchanges.get(epoch);
    if (known !== undefined) {
      if (toHex(known.offerDigest) !== toHex(offerDigest)) throw breach();
      return NOTHING;
    }
    const after = this.#after(messageEpoch, now);
    if (epoch !== after.epoch + 1 || epoch >= COUNTER_LIMIT || !(after.phase instanceof FollowerAtRest)) {
      throw breach();
    }
    try {
      const { sharedSecret, ciphertext } = await this.#primitives.mlKemEncapsulate(kemKey);
      const answerDigest = await this.#primitives.sha256(ciphertext);
      return await this.#derive(epoch, sharedSecret, { offerDigest, answerDigest }, ciphertext);
    } catch (error) {
      throw error instanceof MalformedError ? breach() : error;
    }
  }

  async #prepareAnswer(messageEpoch: number, ciphertext: Uint8Array, now: number): Promise<PreparedStep> {
    const epoch = messageEpoch + 1;
    if (!this.#leads(epoch)) throw breach();
    const answerDigest = await this.#primitives.sha256(ciphertext);
    const known = this.#exchanges.get(epoch);
    if (known !== undefined) {
      if (toHex(known.answerDigest) !== toHex(answerDigest)) throw breach();
      return REPEATED_ANSWER;
    }
    const after = this.#after(messageEpoch, now);
    if (epoch !== after.epoch + 1 || !(after.phase instanceof Offered)) throw breach();
    const { privateKey, attachment } = after.phase;
    const offerDigest = await this.#primitives.sha256(attachment.kemKey);
    const sharedSecret = await this.#primitives.mlKemDecapsulate(privateKey, ciphertext);
    return this.#derive(epoch, sharedSecret, { offerDigest, answerDigest }, null);
  }

  async #derive(
    epoch: number,
    sharedSecret: Uint8Array,
    exchange: Exchange,
    ciphertext: Uint8Array | null,
  ): Promise<Step> {
    const { offerDigest, answerDigest } = exchange;
    const primitives = this.#primitives;
    const keys = await deriveEpoch(primitives, this.#rootKey, epoch, sharedSecret, offerDigest, answerDigest);
    sharedSecret.fill(0);
    return new Step(epoch, exchange, keys, ciphertext);
  }

  /** Replaces the root, opens the epoch for receiving, and moves to the next phase. */
  #takeStep(step: Step, now: number): void {
    step.isTaken = true;
    this.#rootKey.fill(0);
    this.#rootKey = step.keys.rootKey;
    this.#exchanges.set(step.epoch, step.exchange);
    this.#receivers.set(step.epoch, new ReceivingChain(step.epoch, this.#remoteChainKey(step.keys)));
    const sender = new SendingChain(this.#ownChainKey(step.keys));
    if (step.ciphertext !== null) {
      this.#phase = new Answered(step.ciphertext, sender, now);
    } else {
      this.#phase.wipe(); // the key pair has done its work
      this.#enterEpoch(sender);
      this.#phase = new Switched(now);
    }
  }

  /** Moves on: this is the first authentic message of the epoch that the last exchange made. */
  #hearEpoch(epoch: number, now: number): void {
    this.#heardEpoch = epoch;
    if (this.#phase instanceof Answered) this.#enterEpoch(this.#phase.sender);
    this.#phase = this.#rest(now);
    this.#previousEndsAt = now + PREVIOUS_EPOCH_SECONDS;
  }

  /** Sends in the next epoch from now on; of the epochs before, only the last is still read. */
  #enterEpoch(sender: SendingChain): void {
    this.#epoch++;
    this.#sender.wipe();
    this.#sender = sender;
    this.#dropEpoch(this.#epoch - 2);
    this.#exchanges.delete(this.#epoch - 1);
    this.#previousEndsAt = Infinity;
    this.#heardSeconds = 0;
    this.#heardCount = 0;
  }

  #dropEpoch(epoch: number): void {
    this.#receivers.get(epoch)?.wipe();
    this.#receivers.delete(epoch);
    this.#skipped.dropChain(epoch);
    if (epoch === this.#epoch - 1) this.#previousEndsAt = Infinity;
  }

  #requireProgress(now: number): void {
    this.#heardCount++;
    const gap = now - this.#heardAt;
    this.#heardAt = now;
    this.#heardSeconds += Math.min(gap, MAX_COUNTED_GAP_SECONDS);
    if (this.#heardCount >= STALL_MESSAGES || this.#heardSeconds >= STALL_SECONDS) {
      throw new RatchetEndedError(RatchetEnd.PQ_STALLED);
    }
  }
}

function breach(): RatchetEndedError {
  return new RatchetEndedError(RatchetEnd.PROTOCOL);
}

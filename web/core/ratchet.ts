/**
 * The ratchet: a key for every message, from a classical and a post-quantum half (spec/ratchet.md).
 *
 * Reading goes in this order, so that a frame that is not authentic changes nothing but a count:
 *
 *     decode ─▶ find both keys ─▶ open ─▶ work out what the header carried ─▶ commit all at once
 *
 * All that waits for crypto works on copies; what changes state runs after it, in one go.
 */

import { DoubleRatchet, type RootKey } from "./double-ratchet.ts";
import { concat } from "./encoding.ts";
import { decodeEnvelope, encodeHeader, MAX_MESSAGE_BYTES } from "./envelope.ts";
import {
  DecryptionError,
  LocalProtocolError,
  MalformedError,
  MessageKeyGoneError,
  RatchetEnd,
  RatchetEndedError,
  SessionEndedError,
} from "./errors.ts";
import { type EpochKeys, KemRatchet, type PqRootKey } from "./kem-ratchet.ts";
import type { ChainKey } from "./message-chain.ts";
import type { MessageRatchet } from "./message-ratchet.ts";
import { Direction, MessageSeal } from "./message-seal.ts";
import type { Primitives, X25519PrivateKey } from "./primitives.ts";
import { SecretState } from "./secret.ts";

/** Frames that may fail to open in one session: more than any honest line damages, far too few to guess. */
export const MAX_FAILURES = 100;

/** Messages read in a row before an answer is owed, so that a listener's keys heal too. */
export const MAX_UNANSWERED = 64;

/** How long a step of the post-quantum exchange waits for a message to ride on. */
export const PQ_STEP_SECONDS = 1;

/** Encrypting and decrypting drop aged keys at most this often, to keep the common message cheap. */
export const SWEEP_SECONDS = 1;

/** How long a turn of the classical half waits: twice in a minute heals even people who only listen. */
export const TURN_SECONDS = 20;

/**
 * What a handshake hands over: `sid` is 16 bytes, all others are 32 secret bytes, of which `pqChainA` is for
 * what the initiator sends and `pqChainB` for what the responder sends. The ratchet copies them.
 */
export interface RatchetSecrets {
  readonly sid: Uint8Array;
  readonly rootKey: Uint8Array;
  readonly pqRoot: Uint8Array;
  readonly pqChainA: Uint8Array;
  readonly pqChainB: Uint8Array;
}

interface Wipeable {
  wipe(): void;
}

/**
 * Encrypts and decrypts one session's messages; made from the handshake's secrets, never stored.
 *
 * Every `now` is in seconds, of a clock that never runs backwards. One operation at a time: a second one that
 * starts before the first is over throws LocalProtocolError. Once it has ended, of itself or by `wipe`, every
 * use throws SessionEndedError, also an operation that was waiting for crypto meanwhile.
 */
export class Ratchet extends SecretState implements MessageRatchet {
  readonly kind = "Ratchet";
  readonly #outbound: MessageSeal;
  readonly #inbound: MessageSeal;
  #halves: { readonly classical: DoubleRatchet; readonly postQuantum: KemRatchet } | null;
  #unanswered = 0;
  #sweepAt = -Infinity;
  #failures = 0;
  #endReason: RatchetEnd | null = null;
  #isBusy = false;

  /** Joins two halves of a session; `initiator` and `responder` make them. Owns both. */
  constructor(
    primitives: Primitives,
    sid: Uint8Array,
    direction: Direction,
    classical: DoubleRatchet,
    postQuantum: KemRatchet,
  ) {
    super();
    const opposite =
      direction === Direction.FROM_INITIATOR ? Direction.FROM_RESPONDER : Direction.FROM_INITIATOR;
    this.#outbound = new MessageSeal(primitives, sid, direction);
    this.#inbound = new MessageSeal(primitives, sid, opposite);
    this.#halves = { classical, postQuantum };
  }

  /** The caller's ratchet, which sends first; `remoteRatchetKey` is EK_b, 32 bytes. */
  static initiator(
    primitives: Primitives,
    secrets: RatchetSecrets,
    remoteRatchetKey: Uint8Array,
    now: number,
  ): Ratchet {
    const direction = Direction.FROM_INITIATOR;
    const rootKey = Uint8Array.from(secrets.rootKey) as RootKey;
    const classical = DoubleRatchet.initiator(primitives, rootKey, remoteRatchetKey, now);
    const postQuantum = new KemRatchet(primitives, direction, epochZero(secrets), now);
    return new Ratchet(primitives, secrets.sid, direction, classical, postQuantum);
  }

  /** The callee's ratchet, which can send once it has read a message; it owns the EK_b pair from now on. */
  static responder(
    primitives: Primitives,
    secrets: RatchetSecrets,
    ratchetKey: X25519PrivateKey,
    now: number,
  ): Ratchet {
    const direction = Direction.FROM_RESPONDER;
    const rootKey = Uint8Array.from(secrets.rootKey) as RootKey;
    const classical = DoubleRatchet.responder(primitives, rootKey, ratchetKey);
    const postQuantum = new KemRatchet(primitives, direction, epochZero(secrets), now);
    return new Ratchet(primitives, secrets.sid, direction, classical, postQuantum);
  }

  /** Whether it has ended or was wiped. */
  get isEnded(): boolean {
    return this.#halves === null;
  }

  /** Why it ended itself; null while it lives, and after a mere `wipe`. */
  get endReason(): RatchetEnd | null {
    return this.#endReason;
  }

  /** How many frames did not open so far. */
  get failures(): number {
    return this.#failures;
  }

  /** The post-quantum epoch we send in, from 0. Throws SessionEndedError after the end. */
  get epoch(): number {
    return this.#live().postQuantum.epoch;
  }

  /** Whether `encrypt` may be called: a responder first has to read a message. */
  get canSend(): boolean {
    return this.#halves?.classical.canSend ?? false;
  }

  /**
   * The frame of the next message: 66 bytes longer than the plaintext, with an exchange up to 1250.
   *
   * Throws LocalProtocolError: more than 64 KiB, or a responder that has not been spoken to;
   * RatchetEndedError: a counter or the epochs are exhausted; SessionEndedError: it has ended.
   */
  async encrypt(paddedPlaintext: Uint8Array, now: number): Promise<Uint8Array> {
    const { classical, postQuantum } = this.#live();
    if (paddedPlaintext.length > MAX_MESSAGE_BYTES) {
      throw new LocalProtocolError(`a message of ${paddedPlaintext.length} bytes is over its limit`);
    }
    return this.#alone(async (held) => {
      const step = held(await classical.prepareSend());
      const pqStep = held(await postQuantum.prepareSend(now));
      const { n, previousN, ratchetKey } = step;
      const { epoch, attachment } = pqStep;
      const header = encodeHeader({ n, previousN, ratchetKey, epoch, epochN: pqStep.next.n, attachment });
      const sealed = await this.#outbound.seal(step.messageKey, pqStep.messageKey, header, paddedPlaintext);
      this.#live();
      classical.commitSend(step);
      postQuantum.commitSend(pqStep, now);
      this.#sweep(now);
      this.#unanswered = 0;
      return concat(header, sealed);
    });
  }

  /**
   * The padded plaintext of a frame. Unless it proves authentic, no key or counter changes.
   *
   * Throws MalformedError: not a message's layout; DecryptionError: not authentic, or out of reach (both are
   * counted); MessageKeyGoneError: a duplicate or a straggler (not counted); RatchetEndedError: this frame
   * ended the ratchet, see its `reason`; SessionEndedError: it had ended before.
   */
  async decrypt(frame: Uint8Array, now: number): Promise<Uint8Array> {
    const { classical, postQuantum } = this.#live();
    return this.#alone(async (held) => {
      const { header, encodedHeader, sealed } = this.#decode(frame);
      const { epoch, epochN, attachment } = header;
      const { pqFound, found, plaintext } = await this.#counting(async () => {
        const pqFound = held(await postQuantum.find(epoch, epochN, now));
        const found = held(await classical.find(header.ratchetKey, header.n, header.previousN, now));
        const keys = [found.messageKey, pqFound.messageKey] as const;
        return { pqFound, found, plaintext: await this.#inbound.open(...keys, encodedHeader, sealed) };
      });
      const step = held(await postQuantum.prepareStep(epoch, attachment, now));
      this.#live();
      classical.commit(found, now);
      this.#unanswered++;
      postQuantum.commit(pqFound, epoch, step, now);
      this.#sweep(now);
      return plaintext;
    });
  }

  /** Whether an EMPTY message has to be sent now, because nothing else was there to carry a step. */
  owesMessage(now: number): boolean {
    return now >= this.#owedAt();
  }

  /**
   * When to look at `owesMessage` and call `expire` again; null while neither has a reason. A time that is not
   * after `now` means at once.
   */
  nextDeadline(now: number): number | null {
    const { classical, postQuantum } = this.#live();
    const first = Math.min(
      this.#owedAt(),
      classical.nextExpiry() ?? Infinity,
      postQuantum.nextExpiry() ?? Infinity,
    );
    return first === Infinity ? null : Math.max(first, now);
  }

  /** Drops the keys of lost messages and past epochs that have reached their age. */
  expire(now: number): void {
    const { classical, postQuantum } = this.#live();
    classical.expire(now);
    postQuantum.expire(now);
    this.#sweepAt = now + SWEEP_SECONDS;
  }

  /** Zeroes and drops all keys. Once is enough, twice does no harm. */
  wipe(): void {
    this.#halves?.classical.wipe();
    this.#halves?.postQuantum.wipe();
    this.#halves = null;
  }

  /**
   * All state but the count of failures, as values equal exactly when the state is the same. These are the
   * live buffers with the bare secrets, for tests only: compare them, and never print or keep them.
   */
  snapshotForTesting(): unknown[] {
    const { classical, postQuantum } = this.#live();
    return [classical.snapshotForTesting(), postQuantum.snapshotForTesting(), this.#unanswered];
  }

  #live(): { readonly classical: DoubleRatchet; readonly postQuantum: KemRatchet } {
    if (this.#halves === null) throw new SessionEndedError("the ratchet has ended");
    return this.#halves;
  }

  /**
   * Runs one operation while no other may start. What it hands to `held` is wiped when it is over: what was
   * committed by then wipes no more than its message key.
   */
  async #alone<T>(operation: (held: <W extends Wipeable>(step: W) => W) => Promise<T>): Promise<T> {
    if (this.#isBusy) throw new LocalProtocolError("operations of a ratchet come one after another");
    this.#isBusy = true;
    const steps: Wipeable[] = [];
    try {
      return await operation((step) => {
        steps.push(step);
        return step;
      });
    } catch (error) {
      if (error instanceof RatchetEndedError) this.#end(error.reason);
      throw error;
    } finally {
      for (const step of steps) step.wipe();
      this.#isBusy = false;
    }
  }

  #decode(frame: Uint8Array): ReturnType<typeof decodeEnvelope> {
    try {
      return decodeEnvelope(frame);
    } catch (error) {
      throw this.#counted(error);
    }
  }

  async #counting<T>(reading: () => Promise<T>): Promise<T> {
    try {
      return await reading();
    } catch (error) {
      this.#live(); // one that was wiped meanwhile counts no more
      throw this.#counted(error);
    }
  }

  /** Counts a frame that fails; gives what to throw for it. */
  #counted(error: unknown): unknown {
    const isFailure = error instanceof MalformedError || error instanceof DecryptionError;
    if (!isFailure || error instanceof MessageKeyGoneError) return error;
    this.#failures++;
    return this.#failures >= MAX_FAILURES ? new RatchetEndedError(RatchetEnd.TAMPERED) : error;
  }

  #sweep(now: number): void {
    if (now >= this.#sweepAt) this.expire(now);
  }

  #owedAt(): number {
    const { classical, postQuantum } = this.#live();
    if (!classical.canSend) return Infinity;
    if (this.#unanswered >= MAX_UNANSWERED) return -Infinity;
    const turn = classical.turnOwedSince ?? Infinity;
    const step = postQuantum.stepOwedSince ?? Infinity;
    return Math.min(turn + TURN_SECONDS, step + PQ_STEP_SECONDS);
  }

  #end(reason: RatchetEnd): void {
    this.#endReason ??= reason;
    this.wipe();
  }
}

function epochZero(secrets: RatchetSecrets): EpochKeys {
  return {
    rootKey: Uint8Array.from(secrets.pqRoot) as PqRootKey,
    fromInitiator: Uint8Array.from(secrets.pqChainA) as ChainKey,
    fromResponder: Uint8Array.from(secrets.pqChainB) as ChainKey,
  };
}

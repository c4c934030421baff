/** An incoming ring: someone identified wants to talk; nothing has left this device yet. */

import { ascii } from "../core/encoding.ts";
import { ConsumedStateError, HandshakeError, MalformedError, SessionEndedError } from "../core/errors.ts";
import {
  type AnsweredCall,
  CancelReason,
  CONFIRM_WAIT_SECONDS,
  DeclineReason,
  type IncomingCall,
  NO_FINGERPRINT,
  type SessionSecrets,
} from "../core/handshake/index.ts";
import type { PeerIdentity } from "../core/identity.ts";
import type { AccountId, CallId, DeviceId, Username } from "../core/ids.ts";
import { RING_SECONDS } from "../core/limits.ts";
import { Serial } from "../core/serial.ts";
import { peekType, SignalType } from "../core/signals.ts";
import type { Clock } from "./clock.ts";
import type { Conversation } from "./conversation.ts";
import { RingEnd, RingOverError } from "./errors.ts";
import { Outcome } from "./outcome.ts";
import type { Contact, SafetyNumber } from "./people.ts";
import { type RtcTerms, termsOf } from "./rtc/line.ts";
import { type RtcPort, RTC_TRANSPORT } from "./rtc/port.ts";

/** What a ring needs of its switchboard. */
export interface RingHost {
  readonly clock: Clock;
  /** Sends a signal to a device of the call. */
  sendSignal(device: DeviceId, signal: Uint8Array): void;
  /** Makes the conversation of a confirmed call. */
  converse(
    ring: Ring,
    secrets: SessionSecrets,
    firstMessage: Uint8Array,
    rtc: RtcTerms | null,
  ): Promise<Conversation>;
  /** A certificate for this call, null where there is no WebRTC. */
  prepareRtc(): Promise<RtcPort | null>;
  /** It no longer rings. */
  ringOver(ring: Ring): void;
  /** The number to compare with this account. */
  safetyNumberOf(account: AccountId): Promise<SafetyNumber>;
}

/**
 * An incoming ring whose caller proved to hold its account's keys. Applications get rings from `Client.rings`.
 *
 * No address and no sign of presence goes to the caller before `accept`.
 */
export class Ring {
  readonly callId: CallId;
  readonly peer: PeerIdentity;
  /** The caller's name, as the server knows it and as the contact book does not contradict. */
  readonly caller: Username;
  /** The pinned contact of this name, null at first contact. */
  readonly contact: Contact | null;
  readonly startedAt: number;
  /** When it stops ringing by itself, Unix seconds. */
  readonly expiresAt: number;
  readonly #host: RingHost;
  readonly #turns = new Serial();
  readonly #conversation = new Outcome<Conversation>();
  readonly #over = new Outcome<RingEnd>();
  #ringing: IncomingCall | null;
  #answered: AnsweredCall | null = null;
  #port: RtcPort | null = null;
  #rtc: RtcTerms | null = null;
  #isAnswering = false;
  #end: RingEnd | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(host: RingHost, call: IncomingCall, caller: Username, contact: Contact | null) {
    this.#host = host;
    this.#ringing = call;
    this.callId = call.callId;
    this.peer = call.peer;
    this.caller = caller;
    this.contact = contact;
    this.startedAt = host.clock.now();
    this.expiresAt = this.startedAt + RING_SECONDS;
    this.#arm(RING_SECONDS, RingEnd.TIMED_OUT);
  }

  /** The caller's account key. */
  get account(): AccountId {
    return this.peer.account;
  }

  /** The caller's device. */
  get device(): DeviceId {
    return this.peer.device;
  }

  /** Whether the caller is a contact whose safety number was compared. */
  get isVerified(): boolean {
    return this.contact !== null && this.contact.verifiedAt !== null;
  }

  /** Whether it waits for an answer. */
  get isRinging(): boolean {
    return this.#ringing !== null && !this.#isAnswering && this.#end === null;
  }

  /** How it ended, null while it rings. */
  get end(): RingEnd | null {
    return this.#end;
  }

  /** The number to compare with this caller. The first time takes about 50 ms. */
  async safetyNumber(): Promise<SafetyNumber> {
    return this.#host.safetyNumberOf(this.account);
  }

  /** Waits until it no longer rings, and says why. */
  async ended(): Promise<RingEnd> {
    return this.#over.promise;
  }

  /**
   * Answers; gives the conversation once the caller has proved to be live.
   * Throws RingOverError: it was over already, or the caller did not confirm within ten seconds.
   */
  async accept(): Promise<Conversation> {
    await this.answer();
    return this.#conversation.promise;
  }

  /** Refuses; `busy` says "in another call" instead of no. Does nothing if it is over already. */
  async decline(busy = false): Promise<void> {
    if (!this.isRinging) return;
    this.#isAnswering = true;
    await this.#turns.run(async () => {
      const call = this.#ringing;
      if (call === null || this.#end !== null) return;
      try {
        const signal = await call.decline(busy ? DeclineReason.BUSY : DeclineReason.DECLINED);
        this.#host.sendSignal(this.device, signal);
      } catch (error) {
        if (!isOver(error)) throw error;
      }
      this.#finish(RingEnd.DECLINED);
    });
  }

  /** Sends ANSWER. For the switchboard. Throws RingOverError. */
  async answer(): Promise<void> {
    if (!this.isRinging) throw new RingOverError(this.#end ?? RingEnd.ACCEPTED);
    this.#isAnswering = true;
    await this.#turns.run(async () => {
      const call = this.#ringing;
      if (call === null || this.#end !== null) throw new RingOverError(this.#end ?? RingEnd.FAILED);
      try {
        const port = await this.#host.prepareRtc();
        this.#port = port;
        if (this.#isOver) {
          port?.close();
          throw new RingOverError(RingEnd.FAILED);
        }
        const now = this.#host.clock.now();
        const transport = port === null ? new Uint8Array() : ascii(RTC_TRANSPORT);
        const { answer, answered } = await call.accept(transport, port?.fingerprint ?? NO_FINGERPRINT, now);
        this.#rtc = termsOf(port, call);
        this.#ringing = null;
        this.#answered = answered;
        this.#arm(CONFIRM_WAIT_SECONDS, RingEnd.FAILED);
        this.#host.sendSignal(this.device, answer);
      } catch (error) {
        if (!(error instanceof HandshakeError) && !isOver(error)) throw error;
        this.#finish(RingEnd.FAILED);
        throw new RingOverError(RingEnd.FAILED);
      }
    });
  }

  /** Takes a signal from the caller. One that does not hold changes nothing. For the switchboard. */
  async receive(signal: Uint8Array): Promise<void> {
    return this.#turns.run(async () => {
      if (this.#end !== null) return;
      try {
        const kind = peekType(signal);
        if (kind === SignalType.CANCEL) {
          const reason = await (this.#answered ?? this.#ringing)?.receiveCancel(signal);
          this.#finish(reason === CancelReason.ELSEWHERE ? RingEnd.ELSEWHERE : RingEnd.CANCELLED);
        } else if (kind === SignalType.CONFIRM && this.#answered !== null) {
          await this.#confirmed(this.#answered, signal);
        }
      } catch (error) {
        const isInvalid = error instanceof HandshakeError || error instanceof MalformedError;
        if (!isInvalid && !isOver(error)) throw error;
      }
    });
  }

  /** Ends it from this side, without a word to the caller. For the switchboard. */
  fail(end: RingEnd): void {
    this.#finish(end);
  }

  async #confirmed(answered: AnsweredCall, signal: Uint8Array): Promise<void> {
    const { secrets, firstMessage } = await answered.receiveConfirm(signal);
    this.#answered = null;
    const rtc = this.#rtc;
    if (rtc !== null) this.#port = null; // the conversation's, from here on
    const conversation = await this.#host.converse(this, secrets, firstMessage, rtc);
    if (this.#end === null) this.#conversation.succeed(conversation);
    else conversation.wipe(); // it went while the keys were made
    this.#finish(RingEnd.ACCEPTED);
  }

  #arm(seconds: number, end: RingEnd): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#finish(end);
    }, seconds * 1000);
  }

  get #isOver(): boolean {
    return this.#end !== null;
  }

  #finish(end: RingEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#ringing?.wipe();
    this.#answered?.wipe();
    this.#ringing = this.#answered = null;
    this.#port?.close();
    this.#port = null;
    this.#conversation.fail(new RingOverError(end));
    this.#over.succeed(end);
    this.#host.ringOver(this);
  }
}

function isOver(error: unknown): boolean {
  return error instanceof ConsumedStateError || error instanceof SessionEndedError;
}

/** A ring this device started: one handshake for each device of the callee, and one that answers. */

import { toHex } from "../core/encoding.ts";
import { ConsumedStateError, HandshakeError, MalformedError, SessionEndedError } from "../core/errors.ts";
import {
  CancelReason,
  type ConfirmedCall,
  DeclineReason,
  MAX_INVALID_ANSWERS,
  type OfferedCall,
} from "../core/handshake/index.ts";
import type { AccountId, CallId, DeviceId, Username } from "../core/ids.ts";
import { peekType, SignalType } from "../core/signals.ts";
import { BusyError, type ClientError, DeclinedError, NoAnswerError, RefusedIdentityError } from "./errors.ts";
import { Outcome } from "./outcome.ts";
import { type RtcTerms, termsOf } from "./rtc/line.ts";
import type { RtcPort } from "./rtc/port.ts";

/** From CONFIRM to the server's route: a round trip, with room. */
export const ROUTE_SECONDS = 10;

/** What a call needs of its switchboard. */
export interface OutgoingCallHost {
  /** Sends a signal to a device. */
  sendSignal(device: DeviceId, signal: Uint8Array): void;
  /** Called once, with the answering device and its confirmed call. */
  confirm(call: OutgoingCall, device: DeviceId, confirmed: ConfirmedCall): Promise<void>;
}

/** The devices that ring, and the outcome. */
export class OutgoingCall {
  readonly username: Username;
  readonly callId: CallId;
  /** Settled when the call is over or its conversation stands. */
  readonly outcome = new Outcome<undefined>();
  /** The account that is rung, null if the server had no device to ring. */
  readonly account: AccountId | null;
  /** The application has the conversation. */
  isTaken = false;
  readonly #host: OutgoingCallHost;
  readonly #offers: Map<string, OfferedCall>;
  #crossedWith: CallId | null = null;
  #wasBusy = false;
  #wasDeclined = false;
  #isPosted = false;
  #isWiped = false;
  #port: RtcPort | null;
  #refusal: HandshakeError | null = null;

  constructor(
    username: Username,
    callId: CallId,
    offers: readonly OfferedCall[],
    port: RtcPort | null,
    host: OutgoingCallHost,
  ) {
    this.username = username;
    this.callId = callId;
    this.#port = port;
    this.account = offers[0]?.peer.account ?? null;
    this.#offers = new Map(offers.map((offered) => [toHex(offered.peer.device), offered]));
    this.#host = host;
  }

  /** Whether nobody has answered, and somebody still can. */
  get isRinging(): boolean {
    return this.#offers.size > 0 && this.#crossedWith === null && !this.outcome.isDone;
  }

  /** Whether it came to an end: a conversation, or none. */
  get isOver(): boolean {
    return this.outcome.isDone;
  }

  /** The OFFERs to post. */
  get offers(): Uint8Array[] {
    return [...this.#offers.values()].map(({ offer }) => offer);
  }

  /** The peer's own call to here, if both rang each other and that one won; else this very call. */
  get conversationId(): CallId {
    return this.#crossedWith ?? this.callId;
  }

  /** Both sides' certificates, for the one conversation this call leads to; null unless both speak WebRTC. */
  takeRtc(confirmed: ConfirmedCall): RtcTerms | null {
    const port = this.#port;
    this.#port = null;
    return termsOf(port, confirmed);
  }

  /** The call is over: a certificate that no conversation took dies. */
  dropRtc(): void {
    this.#port?.close();
    this.#port = null;
  }

  /** The server has the OFFERs. */
  posted(): void {
    this.#isPosted = true;
    if (this.#crossedWith !== null) this.cancel(CancelReason.GLARE);
  }

  /** Both rang each other and the other call won: takes the OFFERs back. */
  yieldTo(callId: CallId): void {
    this.#crossedWith = callId;
    if (this.#isPosted) this.cancel(CancelReason.GLARE);
  }

  /** Takes a signal from a device. One that does not hold changes nothing; three drop the device. */
  async receive(device: DeviceId, signal: Uint8Array, now: number): Promise<void> {
    const offered = this.#offers.get(toHex(device));
    if (offered === undefined || !this.isRinging) return;
    try {
      const kind = peekType(signal);
      if (kind === SignalType.ANSWER) {
        await this.#answered(device, await offered.receiveAnswer(signal, now));
      } else if (kind === SignalType.DECLINE) {
        this.#declined(device, await offered.receiveDecline(signal));
      }
    } catch (error) {
      if (error instanceof HandshakeError) {
        if (offered.refusals < MAX_INVALID_ANSWERS) return;
        this.#refusal = error;
        offered.wipe();
        this.#drop(device);
        return;
      }
      const isLate = error instanceof ConsumedStateError || error instanceof SessionEndedError;
      if (!isLate && !(error instanceof MalformedError)) throw error;
    }
  }

  /** A device can no longer answer: the server took it out of the call. */
  leave(device: DeviceId): void {
    const offered = this.#offers.get(toHex(device));
    if (offered === undefined || !this.isRinging) return;
    offered.wipe();
    this.#drop(device);
  }

  /** Tells every device that still rings to stop. */
  cancel(reason: CancelReason): void {
    const offers = [...this.#offers.values()];
    this.#offers.clear();
    for (const offered of offers) {
      offered.cancel(reason).then(
        (signal) => {
          this.#host.sendSignal(offered.peer.device, signal);
        },
        () => undefined, // it answered or was wiped just now
      );
    }
  }

  /** The conversation stands. */
  succeed(): void {
    this.outcome.succeed(undefined);
  }

  /** It is over without a conversation. */
  fail(error: ClientError): void {
    this.outcome.fail(error);
  }

  /** Drops every secret at once, and tells nobody. */
  wipe(): void {
    this.#isWiped = true;
    for (const offered of this.#offers.values()) offered.wipe();
    this.#offers.clear();
    this.dropRtc();
    this.fail(new NoAnswerError());
  }

  /**
   * A valid ANSWER, also one that a cancellation was too late for: its device then gets a call that ends at once,
   * as there is no way to take back what it accepted.
   */
  async #answered(device: DeviceId, confirmed: ConfirmedCall): Promise<void> {
    if (this.#isWiped) {
      confirmed.wipe();
      return;
    }
    this.#offers.delete(toHex(device));
    this.cancel(CancelReason.ELSEWHERE);
    await this.#host.confirm(this, device, confirmed);
  }

  #declined(device: DeviceId, reason: DeclineReason): void {
    this.#wasBusy ||= reason === DeclineReason.BUSY;
    this.#wasDeclined = true;
    this.#drop(device);
  }

  #drop(device: DeviceId): void {
    this.#offers.delete(toHex(device));
    if (this.#offers.size > 0) return;
    if (this.#refusal !== null) this.fail(new RefusedIdentityError(this.#refusal.message));
    else if (this.#wasBusy) this.fail(new BusyError());
    else if (this.#wasDeclined) this.fail(new DeclinedError());
    else this.fail(new NoAnswerError());
  }
}

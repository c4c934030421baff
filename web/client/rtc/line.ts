/**
 * The WebRTC line of one call: when to try, what to say, when to give up (spec/lines.md, WebRTC).
 *
 * Sans browser: connections come from an `RtcPort`, contents go to the conversation. The side with the lower
 * account and device offers. At most one attempt is under way; the line that is open stays until another one is.
 */

import {
  CandidateKind,
  type Content,
  type IceCandidate,
  LINE_TOKEN_BYTES,
  type RtcAnswer,
  type RtcCandidates,
  type RtcClose,
  RtcCloseReason,
  type RtcOffer,
  RtcPolicy,
} from "../../core/content/index.ts";
import { ascii, compareBytes, concat } from "../../core/encoding.ts";
import type { ConversationEvent } from "../events.ts";
import { isSame, type Member } from "../people.ts";
import type { FrameHandler, Transport } from "../transport/transport.ts";
import { mayKnockAt } from "./addresses.ts";
import { Consent } from "./consent.ts";
import {
  type IceCredentials,
  type IceServers,
  type RtcPeer,
  RTC_TRANSPORT,
  type RtcPort,
  RtcState,
} from "./port.ts";

/** From a description to an open channel, or to giving up. */
export const ATTEMPT_SECONDS = 15;

/** The wait after the first attempt that failed; it doubles up to the last. */
export const FIRST_RETRY_SECONDS = 30;
export const MAX_RETRY_SECONDS = 600;

/** A line that stood this long lets the waits begin anew, and the next attempt is made after one second. */
export const SETTLED_SECONDS = 30;
export const AGAIN_SECONDS = 1;

/** Offers with new tokens in a minute, and restarts of one; more are ignored. */
export const MAX_OFFERS_A_MINUTE = 6;
export const MAX_RESTARTS_A_MINUTE = 4;

/** Candidates of one description that are looked at. */
export const MAX_CANDIDATES = 32;

/** How long an older line is kept for what is still under way on it. */
const RETIRE_SECONDS = 5;

/** What a line needs of its conversation. */
export interface RtcLineHost {
  readonly own: Member;
  readonly peer: Member;
  /** Whether the peer is a web page too: only two of them restart ICE. */
  readonly isWeb: boolean;
  /** Consents to a direct line without a question here. */
  readonly allowDirect: boolean;
  /** The peer may be on this very machine: the server is. */
  readonly mayUseLoopback: boolean;
  random(length: number): Uint8Array;
  /** Credentials for this call, null where the server has none. Throws when it cannot be asked. */
  turnCredentials(): Promise<IceServers | null>;
  sendSoon(content: Content): void;
  tell(event: ConversationEvent): void;
  /** A channel is open, or is heard again: frames go there now. Gives what takes its frames. */
  lineOpened(transport: Transport, policy: RtcPolicy): FrameHandler;
  /** It broke: frames go over the relay, at once. */
  lineLost(): void;
  /** Somebody else's certificate was there. */
  tampered(): void;
}

/** A certificate of ours, and what the handshake said of the peer's. */
export interface RtcTerms {
  readonly port: RtcPort;
  /** SHA-256 of the peer's certificate, 32 bytes. */
  readonly fingerprint: Uint8Array;
}

/**
 * The terms of a call whose handshake named `transport` and `fingerprint` of the peer's; null unless both sides speak
 * WebRTC, and then the port is closed.
 */
export function termsOf(
  port: RtcPort | null,
  { transport, fingerprint }: { readonly transport: Uint8Array; readonly fingerprint: Uint8Array },
): RtcTerms | null {
  const isSpoken = isSame(transport, ascii(RTC_TRANSPORT)) && fingerprint.some((byte) => byte !== 0);
  if (port !== null && isSpoken) return { port, fingerprint };
  port?.close();
  return null;
}

/** One connection: under way, or open. */
class Attempt {
  readonly token: Uint8Array;
  readonly policy: RtcPolicy;
  peer: RtcPeer | null = null;
  own: IceCredentials | null = null;
  remote: IceCredentials | null = null;
  /** Candidates that came while credentials were still asked for. */
  early: IceCandidate[] = [];
  isAwaitingAnswer = false;
  isSilent = false;
  openedAt = 0;
  silentAt: number | null = null;
  told = 0;
  seen = 0;
  timer: ReturnType<typeof setTimeout> | null = null;

  constructor(token: Uint8Array, policy: RtcPolicy) {
    this.token = token;
    this.policy = policy;
  }

  arm(seconds: number, ring: () => void): void {
    this.disarm();
    this.timer = setTimeout(ring, seconds * 1000);
  }

  disarm(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  close(): void {
    this.disarm();
    this.peer?.close();
    this.peer = null;
  }
}

/** How many of something happened within a minute. */
class Minute {
  readonly #most: number;
  #times: number[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** Counts one more; says whether that is still allowed. */
  allows(): boolean {
    const now = performance.now() / 1000;
    this.#times = this.#times.filter((time) => now - time < 60);
    if (this.#times.length >= this.#most) return false;
    this.#times.push(now);
    return true;
  }
}

/** The line. Without terms there is none in this call, and whoever asks for a direct one is refused. */
export class RtcLine {
  readonly #host: RtcLineHost;
  readonly #terms: RtcTerms | null;
  readonly #isOffering: boolean;
  readonly #consent: Consent;
  readonly #offers = new Minute(MAX_OFFERS_A_MINUTE);
  readonly #restarts = new Minute(MAX_RESTARTS_A_MINUTE);
  #attempt: Attempt | null = null;
  #line: Attempt | null = null;
  #retired: Attempt | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #failures = 0;
  #isClosed = false;

  constructor(host: RtcLineHost, terms: RtcTerms | null) {
    this.#host = host;
    this.#terms = terms;
    const own = concat(host.own.account, host.own.device);
    this.#isOffering = compareBytes(own, concat(host.peer.account, host.peer.device)) < 0;
    this.#consent = new Consent({
      get allowDirect() {
        return terms !== null && host.allowDirect;
      },
      sendSoon: (content) => {
        host.sendSoon(content);
      },
      tell: (event) => {
        if (event.type === "direct-requested" && terms === null) this.#consent.answer(false);
        else host.tell(event);
      },
      agreed: () => {
        this.#agreed();
      },
      withdrawn: () => {
        this.#withdrawn();
      },
    });
  }

  /** The open channel, null while there is none or it is silent. */
  get transport(): Transport | null {
    const line = this.#line;
    return line === null || line.isSilent ? null : (line.peer?.transport ?? null);
  }

  /** Which policy the open line was made under. */
  get policy(): RtcPolicy | null {
    return this.#line?.policy ?? null;
  }

  /** The session is up, or has a relay again: begins, if it is this side's turn and there is no line. */
  start(): void {
    if (this.#line === null) this.#begin();
  }

  /** The device's network changed: what waits is tried at once. */
  nudge(): void {
    this.#failures = 0;
    const line = this.#line;
    if (line === null) this.#begin();
    else if (line.isSilent) this.#repair(line);
  }

  /** The person here wants a direct line. */
  requestDirect(): void {
    if (this.#isClosed || this.#line?.policy === RtcPolicy.ALL) return;
    if (this.#terms === null) this.#host.tell({ type: "direct-refused" });
    else this.#consent.request();
  }

  /** The person answers the peer's question, or takes a yes back. */
  answerDirect(yes: boolean): void {
    if (!this.#isClosed) this.#consent.answer(yes && this.#terms !== null);
  }

  /** Takes what the peer says of the line. */
  receive(content: RtcOffer | RtcAnswer | RtcCandidates | RtcClose): void {
    if (this.#isClosed || this.#terms === null) return;
    switch (content.type) {
      case "rtc-offer":
        this.#offered(content);
        break;
      case "rtc-answer":
        this.#answered(content);
        break;
      case "rtc-candidates":
        this.#candidates(content);
        break;
      case "rtc-close":
        this.#closed(content);
        break;
    }
  }

  /** Takes the peer's word on a direct line. */
  receiveConsent(allowed: boolean): void {
    if (!this.#isClosed) this.#consent.receive(allowed);
  }

  /** The conversation is over: drops everything, without a word. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#consent.close();
    this.#stopRetrying();
    for (const attempt of [this.#attempt, this.#line, this.#retired]) attempt?.close();
    this.#attempt = this.#line = this.#retired = null;
    this.#terms?.port.close();
  }

  // Offering

  #begin(): void {
    if (!this.#isOffering || this.#isClosed || this.#terms === null || this.#attempt !== null) return;
    this.#stopRetrying();
    if (!this.#offers.allows()) {
      this.#later(this.#nextWait());
      return;
    }
    const policy = this.#consent.isMutual ? RtcPolicy.ALL : RtcPolicy.RELAY_ONLY;
    const attempt = new Attempt(this.#host.random(LINE_TOKEN_BYTES), policy);
    this.#attempt = attempt;
    void this.#open(attempt);
  }

  /** Asks for credentials, and makes the connection; without credentials the relay stays. */
  async #open(attempt: Attempt): Promise<void> {
    let servers: IceServers | null = null;
    let wasAsked = true;
    try {
      servers = await this.#host.turnCredentials();
    } catch {
      wasAsked = false;
    }
    if (attempt !== this.#attempt) return;
    if (servers === null && attempt.policy === RtcPolicy.RELAY_ONLY) {
      this.#attempt = null;
      if (!this.#isOffering) this.#say(attempt, RtcCloseReason.CANNOT);
      else if (!wasAsked) this.#later(this.#nextWait());
      return;
    }
    this.#connect(attempt, servers);
  }

  #connect(attempt: Attempt, servers: IceServers | null): void {
    const { policy, remote } = attempt;
    attempt.arm(ATTEMPT_SECONDS, () => {
      this.#fail(attempt, RtcCloseReason.CANNOT);
    });
    const setup = { policy, servers, fingerprint: this.#terms?.fingerprint ?? new Uint8Array(32), remote };
    attempt.peer =
      this.#terms?.port.connect(setup, {
        described: (own) => {
          this.#described(attempt, own);
        },
        gathered: (ufrag, candidates) => {
          this.#gathered(attempt, ufrag, candidates);
        },
        changed: (state) => {
          this.#changed(attempt, state);
        },
      }) ?? null;
    if (attempt.early.length > 0) attempt.peer?.add(attempt.early.splice(0));
  }

  #described(attempt: Attempt, own: IceCredentials): void {
    if (!this.#isKnown(attempt)) return;
    attempt.own = own;
    attempt.told = 0;
    attempt.isAwaitingAnswer = this.#isOffering;
    const type = this.#isOffering ? "rtc-offer" : "rtc-answer";
    this.#host.sendSoon({ type, token: attempt.token, policy: attempt.policy, ...own });
  }

  #gathered(attempt: Attempt, ufrag: string, candidates: readonly IceCandidate[]): void {
    if (!this.#isKnown(attempt) || ufrag !== attempt.own?.ufrag) return;
    const allowed = candidates.filter((candidate) => mayBeSeen(attempt, candidate));
    const room = allowed.slice(0, MAX_CANDIDATES - attempt.told);
    attempt.told += room.length;
    // an empty list means the end of them, and only that
    if (room.length === 0 && candidates.length > 0) return;
    this.#host.sendSoon({ type: "rtc-candidates", token: attempt.token, ufrag, candidates: room });
  }

  // What the peer says

  #offered({ token, policy, ufrag, pwd }: RtcOffer): void {
    if (this.#isOffering) return;
    const remote = { ufrag, pwd };
    const line = this.#line;
    if (line !== null && isSame(line.token, token)) {
      const isNew = line.remote?.ufrag !== ufrag && line.policy === policy;
      if (!isNew || !this.#restarts.allows()) return;
      line.remote = remote;
      line.seen = 0;
      line.peer?.restart(remote);
      return;
    }
    if (this.#attempt !== null || !this.#offers.allows()) return;
    const attempt = new Attempt(token, policy);
    if (policy === RtcPolicy.ALL && !this.#consent.isMutual) {
      this.#say(attempt, RtcCloseReason.NOT_WANTED);
      return;
    }
    attempt.remote = remote;
    this.#attempt = attempt;
    void this.#open(attempt);
  }

  #answered({ token, policy, ufrag, pwd }: RtcAnswer): void {
    const attempt = this.#find(token);
    if (attempt?.isAwaitingAnswer !== true || attempt.policy !== policy) return;
    attempt.isAwaitingAnswer = false;
    attempt.remote = { ufrag, pwd };
    attempt.seen = 0;
    attempt.peer?.answered(attempt.remote);
  }

  #candidates({ token, ufrag, candidates }: RtcCandidates): void {
    const attempt = this.#find(token);
    if (attempt === null || attempt.isAwaitingAnswer || attempt.remote?.ufrag !== ufrag) return;
    const room = candidates.slice(0, MAX_CANDIDATES - attempt.seen);
    attempt.seen += room.length;
    if (!room.every((candidate) => mayBeSeen(attempt, candidate))) {
      this.#fail(attempt, RtcCloseReason.CANNOT);
      return;
    }
    const { mayUseLoopback } = this.#host;
    const usable = room.filter((candidate) => mayKnockAt(candidate, attempt.policy, mayUseLoopback));
    if (attempt.peer === null) attempt.early.push(...usable);
    else if (usable.length > 0) attempt.peer.add(usable);
  }

  #closed({ token }: RtcClose): void {
    const attempt = this.#find(token);
    if (attempt !== null) this.#fail(attempt, null);
  }

  // What becomes of a connection

  #changed(attempt: Attempt, state: RtcState): void {
    if (attempt === this.#retired) {
      if (state === RtcState.CLOSED) this.#retire(null);
      return;
    }
    if (!this.#isKnown(attempt)) return;
    switch (state) {
      case RtcState.OPEN:
        if (attempt === this.#attempt) this.#opened(attempt);
        break;
      case RtcState.SILENT:
        if (attempt !== this.#line || attempt.isSilent) return;
        attempt.isSilent = true;
        attempt.silentAt = performance.now() / 1000;
        this.#host.lineLost();
        this.#repair(attempt);
        break;
      case RtcState.HEARD:
        if (attempt !== this.#line || !attempt.isSilent) return;
        attempt.isSilent = false;
        attempt.silentAt = null;
        attempt.disarm();
        this.#use(attempt);
        break;
      case RtcState.CLOSED:
        this.#fail(attempt, attempt === this.#line ? RtcCloseReason.BROKE : RtcCloseReason.CANNOT);
        break;
      case RtcState.TAMPERED:
        this.#host.tampered();
        break;
    }
  }

  #opened(attempt: Attempt): void {
    attempt.disarm();
    this.#attempt = null;
    this.#retire(this.#line);
    this.#line = attempt;
    attempt.openedAt = performance.now() / 1000;
    if (attempt.policy === RtcPolicy.ALL) this.#consent.fulfil();
    this.#use(attempt);
  }

  #use(attempt: Attempt): void {
    const { peer } = attempt;
    if (peer === null) return;
    const receive = this.#host.lineOpened(peer.transport, attempt.policy);
    peer.deliverTo((frame) => {
      // the peer moves too: nothing more comes on the older line
      if (attempt === this.#line && this.#retired !== null) this.#retire(null);
      receive(frame);
    });
  }

  /** Keeps the older line a while for what is under way on it, and drops the one before that. */
  #retire(older: Attempt | null): void {
    this.#retired?.close();
    this.#retired = older;
    older?.arm(RETIRE_SECONDS, () => {
      if (older === this.#retired) this.#retire(null);
    });
  }

  /** A silent line: ICE begins anew between two pages, else the line is given up for another. */
  #repair(line: Attempt): void {
    const mayRestart = this.#host.isWeb && (!this.#isOffering || this.#restarts.allows());
    if (!mayRestart) {
      this.#fail(line, RtcCloseReason.BROKE);
      return;
    }
    line.arm(ATTEMPT_SECONDS, () => {
      this.#fail(line, RtcCloseReason.BROKE);
    });
    if (this.#isOffering) line.peer?.restart(null);
  }

  /** An attempt or the line is over; `reason` goes to the peer, null if it said so itself. */
  #fail(attempt: Attempt, reason: RtcCloseReason | null): void {
    const wasLine = attempt === this.#line;
    const wasSilent = attempt.isSilent;
    attempt.close();
    if (attempt === this.#retired) {
      this.#retired = null;
      return;
    }
    if (wasLine) this.#line = null;
    else if (attempt === this.#attempt) this.#attempt = null;
    else return;
    if (reason !== null) this.#say(attempt, reason);
    if (wasLine && !wasSilent) this.#host.lineLost();
    if (!wasLine && attempt.policy === RtcPolicy.ALL) this.#consent.fail();
    if (this.#line !== null) return; // an older one still stands
    const until = attempt.silentAt ?? performance.now() / 1000;
    const hasSettled = wasLine && until - attempt.openedAt >= SETTLED_SECONDS;
    if (hasSettled) this.#failures = 0;
    this.#later(hasSettled ? AGAIN_SECONDS : this.#nextWait());
  }

  #nextWait(): number {
    const seconds = Math.min(FIRST_RETRY_SECONDS * 2 ** this.#failures, MAX_RETRY_SECONDS);
    this.#failures += 1;
    return seconds;
  }

  #later(seconds: number): void {
    if (!this.#isOffering || this.#isClosed) return;
    this.#stopRetrying();
    this.#retry = setTimeout(() => {
      this.#begin();
    }, seconds * 1000);
  }

  #stopRetrying(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }

  // Consent

  #agreed(): void {
    if (this.#line?.policy === RtcPolicy.ALL || this.#attempt?.policy === RtcPolicy.ALL) return;
    if (!this.#isOffering) return;
    const attempt = this.#attempt;
    if (attempt !== null) {
      this.#attempt = null;
      attempt.close();
      if (attempt.own !== null) this.#say(attempt, RtcCloseReason.NOT_WANTED);
    }
    this.#begin();
  }

  #withdrawn(): void {
    for (const attempt of [this.#attempt, this.#line]) {
      if (attempt?.policy === RtcPolicy.ALL) this.#drop(attempt);
    }
    if (this.#line === null) this.#begin();
  }

  /** A direct line that is no longer wanted. */
  #drop(attempt: Attempt): void {
    const wasUsed = attempt === this.#line && !attempt.isSilent;
    if (attempt === this.#line) this.#line = null;
    else this.#attempt = null;
    attempt.close();
    this.#say(attempt, RtcCloseReason.NOT_WANTED);
    if (wasUsed) this.#host.lineLost();
  }

  // Small things

  #say(attempt: Attempt, reason: RtcCloseReason): void {
    this.#host.sendSoon({ type: "rtc-close", token: attempt.token, reason });
  }

  #find(token: Uint8Array): Attempt | null {
    const known = [this.#attempt, this.#line, this.#retired];
    return known.find((attempt) => attempt !== null && isSame(attempt.token, token)) ?? null;
  }

  #isKnown(attempt: Attempt): boolean {
    return attempt === this.#attempt || attempt === this.#line;
  }
}

/** Under policy 1 nothing but relayed candidates is sent or taken. */
function mayBeSeen({ policy }: Attempt, { kind }: IceCandidate): boolean {
  return policy === RtcPolicy.ALL || kind === CandidateKind.RELAYED;
}

/**
 * A session: everything two devices say to each other from pick-up to hang-up (spec/session.md).
 *
 * Bytes and times in, frames and events out. It numbers and orders contents, finds and repairs loss, confirms
 * what arrived, keeps the line alive, and leaves nothing behind when it ends.
 */

import {
  ByeReason,
  type Content,
  decodeBody,
  decodeHead,
  encodeContent,
  type FileOffer,
  isCounted,
} from "./content/index.ts";
import { toHex } from "./encoding.ts";
import {
  LocalProtocolError,
  MalformedError,
  MessageKeyGoneError,
  type RatchetEnd,
  RatchetEndedError,
  RemoteProtocolError,
  SessionEndedError,
} from "./errors.ts";
import { type Delivery, EndReason, type Event, type Member } from "./events.ts";
import type { FileId } from "./file-key.ts";
import { FileReceiver, FileSender } from "./file-stream.ts";
import { HOLD_SECONDS } from "./limits.ts";
import { MESSAGE_FLOOR, pad, unpad } from "./padding.ts";
import type { Primitives } from "./primitives.ts";
import { type Secret, SecretState } from "./secret.ts";
import { Serial } from "./serial.ts";
import { type HeldList, LIST_REPORT_SECONDS, LiveSession, type SessionParts } from "./session-state.ts";

export { type HeldList, LIST_REPORT_SECONDS, type SessionParts } from "./session-state.ts";

/** The longest silence: four life signs before the peer holds the line for lost. */
export const HEARTBEAT_SECONDS = 15;

/** How old the goodbye that lies ready may grow while messages are sent. */
export const BYE_SECONDS = 0.5;

/** Authentic messages that break the protocol before the session ends. An honest peer sends none. */
export const MAX_BROKEN_CONTENTS = 100;

/** Transfers open at once, either way; each outgoing one may keep a window of 4 MiB. */
export const MAX_OPEN_FILES = 32;

/** Types of content that only a session itself sends. */
const OWN_CONTENTS: ReadonlySet<Content["type"]> = new Set<Content["type"]>([
  "receipt",
  "heartbeat",
  "resume",
  "bye",
  "list-report",
]);

const END_REASONS: Readonly<Record<RatchetEnd, EndReason>> = {
  protocol: EndReason.PROTOCOL,
  "pq-stalled": EndReason.PQ_STALLED,
  tampered: EndReason.TAMPERED,
  exhausted: EndReason.EXHAUSTED,
};

/**
 * A content on its way. `number` is its id, 0 for an uncounted one.
 *
 * Transmit `frame` now. It is null while the line is down: a counted content then waits and is asked for when
 * the line is back, an uncounted one is dropped.
 */
export interface Sent {
  readonly frame: Uint8Array | null;
  readonly number: number;
}

/** What time has brought: frames to transmit, in order, and events. */
export interface Due {
  readonly frames: readonly Uint8Array[];
  readonly events: readonly Event[];
}

/**
 * One device's end of a conversation. Sans-I/O: the caller moves frames and tells the time.
 *
 * Every `now` is in seconds; one that runs backwards counts as standing still. What waits for crypto runs one
 * after another in the order it was called; `wipe`, `panic` and the other plain methods act at once. Byte
 * strings handed in stay unchanged until the call resolves.
 *
 * Once it has ended every method but `wipe` and `panic` throws SessionEndedError (also calls that were still
 * waiting), and `endReason` says why.
 */
export class Session extends SecretState {
  readonly kind = "Session";
  readonly local: Member;
  /** All members, this device first. A list and not "the peer", so that groups can join. */
  readonly members: readonly Member[];
  readonly #primitives: Primitives;
  readonly #remote: Member;
  readonly #serial = new Serial();
  #now: number;
  #state: LiveSession | null;
  #endReason: EndReason | null = null;
  #refusedFrames = 0;
  #repeatedFrames = 0;
  #brokenContents = 0;

  constructor(parts: SessionParts) {
    super();
    this.local = parts.local;
    this.members = [parts.local, parts.remote];
    this.#primitives = parts.primitives;
    this.#remote = parts.remote;
    this.#now = parts.now;
    this.#state = new LiveSession(parts);
  }

  /** Frames that did not authenticate. They changed nothing. */
  get refusedFrames(): number {
    return this.#refusedFrames;
  }

  /** Frames that were read before or came too late. They changed nothing. */
  get repeatedFrames(): number {
    return this.#repeatedFrames;
  }

  /** Authentic messages that broke the protocol. */
  get brokenContents(): number {
    return this.#brokenContents;
  }

  /** Whether it is over and wiped. */
  get isEnded(): boolean {
    return this.#state === null;
  }

  /** Why it is over, null while it lives. */
  get endReason(): EndReason | null {
    return this.#endReason;
  }

  /** Whether `send` takes a counted content now. If not, it will after the next `delivered`. */
  get canSend(): boolean {
    const live = this.#live();
    return live.ratchet.canSend && !live.outbox.isFull;
  }

  /** Whether frames can travel. */
  get isLineUp(): boolean {
    return this.#live().isLineUp;
  }

  /** When the session ends unless the peer is heard before: 60 s after its last authentic message. */
  get heldUntil(): number {
    return this.#live().heardAt + HOLD_SECONDS;
  }

  /** The secret that codes and media keys of this session derive from. It dies with the session. */
  get exporter(): Secret {
    return this.#live().exporter;
  }

  /** A frame that says no more than that we are here: the first message, inside CONFIRM. */
  async opening(now: number): Promise<Uint8Array> {
    return this.#serial.run(async () => this.#guarded(this.#heartbeat(), this.#at(now)));
  }

  /**
   * Encrypts a content for the peer.
   *
   * Throws OutboxFullError: too much is unconfirmed, see `canSend`; LocalProtocolError: a value over its limit,
   * a content only the session itself may send, or the peer's first message is still to come;
   * SessionEndedError: it has ended, perhaps by this very call: the ratchet is exhausted.
   */
  async send(content: Content, now: number): Promise<Sent> {
    return this.#serial.run(async () => {
      const live = this.#live();
      const at = this.#at(now);
      if (OWN_CONTENTS.has(content.type)) {
        throw new LocalProtocolError(`a ${content.type} is for the session to send`);
      }
      if (!isCounted(content)) {
        const frame = live.isLineUp ? await this.#guarded(content, at) : null;
        return { frame: live.isLineUp ? frame : null, number: 0 };
      }
      const number = live.outbox.nextNumber();
      const frame = await this.#guarded(content, at, number);
      return { frame: live.isLineUp ? frame : null, number };
    });
  }

  /**
   * Takes a ratchet frame (type 0x10) from the line; gives what it brought, in the sender's order. A frame that
   * is forged, altered, repeated or too late changes nothing but a count and brings nothing.
   */
  async receive(frame: Uint8Array, now: number): Promise<Event[]> {
    return this.#serial.run(async () => {
      const live = this.#live();
      const at = this.#at(now);
      let padded: Uint8Array;
      try {
        padded = await live.ratchet.decrypt(frame, at);
      } catch (error) {
        return this.#refuse(error);
      }
      this.#requireSame(live);
      live.heardAt = at;
      return this.#read(live, padded, at);
    });
  }

  /** Does what is due; call it at `nextDeadline` and, to answer fast, after each `receive`. */
  async tick(now: number): Promise<Due> {
    return this.#serial.run(async () => {
      const live = this.#live();
      const at = this.#at(now);
      if (at >= live.heardAt + HOLD_SECONDS) return { frames: [], events: this.#finish(EndReason.LOST) };
      live.ratchet.expire(at);
      if (!live.isLineUp) return { frames: [], events: [] };
      const events: Event[] = this.#told(live, live.inbox.expire(at), at);
      const frames: Uint8Array[] = [];
      if (!live.ratchet.canSend) return { frames, events };
      try {
        for (const content of this.#owed(live, at)) frames.push(await this.#transmit(live, content, at));
      } catch (error) {
        if (!(error instanceof RatchetEndedError)) throw error;
        events.push(...this.#finish(END_REASONS[error.reason]));
      }
      return { frames, events };
    });
  }

  /** When to call `tick` next; a time that is not after `now` means at once. */
  nextDeadline(now: number): number {
    const live = this.#live();
    let first = live.heardAt + HOLD_SECONDS;
    if (!live.isLineUp) return first;
    first = Math.min(first, live.inbox.nextDeadline() ?? Infinity);
    if (!live.ratchet.canSend) return first;
    if (live.heldList !== null) first = Math.min(first, live.reportAt);
    return Math.min(
      first,
      live.sentAt + HEARTBEAT_SECONDS,
      live.owed.dueAt ?? Infinity,
      live.outbox.probeAt ?? Infinity,
      live.ratchet.nextDeadline(this.#at(now)) ?? Infinity,
    );
  }

  /** The path is gone. What is sent waits, holes keep their time, and `heldUntil` runs. */
  lineDown(now: number): void {
    this.#live().isLineUp = false;
    this.#at(now);
  }

  /** There is a path again, or a new one. Gives what to transmit on it first: RESUME and HEARTBEAT. */
  async lineUp(now: number): Promise<Uint8Array[]> {
    return this.#serial.run(async () => {
      const live = this.#live();
      const at = this.#at(now);
      live.isLineUp = true;
      const resume = live.inbox.askOnNewPath(at);
      live.owed.repeat(at);
      if (!live.ratchet.canSend) return [];
      return [await this.#guarded(resume, at), await this.#guarded(this.#heartbeat(), at)];
    });
  }

  /**
   * The person saw the peer's content `number` and all before it; a later `tick` tells the peer.
   * Throws LocalProtocolError: that content has not been delivered.
   */
  markRead(number: number, now: number): void {
    const live = this.#live();
    if (!(Number.isInteger(number) && number > 0 && number <= live.inbox.delivered)) {
      throw new LocalProtocolError(`content ${number} cannot have been read`);
    }
    live.owed.read(number, this.#at(now));
  }

  /** Remembers which device list of the peer was accepted last; the next report names it. */
  holdList(heldList: HeldList): void {
    this.#live().heldList = heldList;
  }

  /**
   * The sealing end of a file this side offered. It is wiped with the session.
   * Throws LocalProtocolError: 32 transfers are open this way, or one of this id.
   */
  async openOutgoing(offer: FileOffer): Promise<FileSender> {
    return this.#open(
      offer,
      (live) => live.outgoing,
      async (...stream) => FileSender.create(...stream),
    );
  }

  /**
   * The opening end of a file the peer offered. It is wiped with the session.
   * Throws LocalProtocolError: 32 transfers are open this way, or one of this id.
   */
  async openIncoming(offer: FileOffer): Promise<FileReceiver> {
    return this.#open(
      offer,
      (live) => live.incoming,
      async (...stream) => FileReceiver.create(...stream),
    );
  }

  /** Wipes a transfer's key and window. Unknown ids do no harm. */
  closeFile(fileId: FileId): void {
    const live = this.#live();
    const id = toHex(fileId);
    live.outgoing.get(id)?.wipe();
    live.incoming.get(id)?.wipe();
    live.outgoing.delete(id);
    live.incoming.delete(id);
  }

  /** Ends and wipes; gives BYE to transmit if it can be, null while the line is down. */
  async hangUp(
    now: number,
    reason: ByeReason = ByeReason.HUNG_UP,
    end: EndReason = EndReason.HUNG_UP,
  ): Promise<Uint8Array | null> {
    return this.#serial.run(async () => {
      const live = this.#live();
      const { lastNumber } = live.outbox;
      let bye: Uint8Array | null = null;
      if (live.isLineUp && live.ratchet.canSend) {
        bye = await this.#guarded({ type: "bye", reason, lastNumber }, this.#at(now));
      }
      this.#finish(end);
      return bye;
    });
  }

  /**
   * Wipes first, encrypts nothing; gives the goodbye that lay ready, null if there is none. It may say a few
   * contents less were sent than were. Safe at any time, also after the end.
   */
  panic(): Uint8Array | null {
    const state = this.#state;
    this.wipe();
    return state?.isLineUp === true ? state.bye : null;
  }

  /** Ends and drops everything: keys, buffers, transfers. At once, at any time, also after the end. */
  wipe(): void {
    if (this.#state !== null) this.#finish(EndReason.WIPED);
  }

  #live(): LiveSession {
    if (this.#state === null) throw new SessionEndedError(`the session has ended: ${this.#endReason ?? ""}`);
    return this.#state;
  }

  /** After a wait: the session may have been wiped meanwhile. */
  #requireSame(live: LiveSession): void {
    if (this.#live() !== live) throw new SessionEndedError("the session has ended");
  }

  #at(now: number): number {
    this.#now = Math.max(this.#now, now);
    return this.#now;
  }

  #finish(reason: EndReason): Event[] {
    const live = this.#live();
    this.#state = null;
    this.#endReason = reason;
    live.wipe();
    return [{ type: "ended", reason }];
  }

  #heartbeat(): Content {
    return { type: "heartbeat", lastNumber: this.#live().outbox.lastNumber };
  }

  async #guarded(content: Content, now: number, number = 0): Promise<Uint8Array> {
    try {
      return await this.#transmit(this.#live(), content, now, number);
    } catch (error) {
      if (!(error instanceof RatchetEndedError)) throw error;
      this.#finish(END_REASONS[error.reason]);
      throw new SessionEndedError(`the session has ended: ${error.reason}`);
    }
  }

  /** Encrypts one frame that is going to be transmitted, and notes all that follows from it. */
  async #transmit(live: LiveSession, content: Content, now: number, number = 0): Promise<Uint8Array> {
    const frame = await this.#encrypt(live, content, now, number);
    if (number > 0) live.outbox.keep(frame, now);
    if (content.type === "heartbeat") live.outbox.probed(now, HEARTBEAT_SECONDS);
    live.sentAt = now;
    // Right behind a frame that carried what the ratchet owed: a goodbye that never leaves takes nothing of
    // that with it.
    if (now >= live.byeAt + BYE_SECONDS && content.type !== "bye") {
      const { lastNumber } = live.outbox;
      live.bye = await this.#encrypt(live, { type: "bye", reason: ByeReason.LOCKED, lastNumber }, now, 0);
      live.byeAt = now;
    }
    return frame;
  }

  async #encrypt(live: LiveSession, content: Content, now: number, number: number): Promise<Uint8Array> {
    const frame = await live.ratchet.encrypt(pad(encodeContent(content, number), MESSAGE_FLOOR), now);
    this.#requireSame(live);
    return frame;
  }

  #owed(live: LiveSession, now: number): Content[] {
    const owed: Content[] = [];
    const resume = live.inbox.ask(now);
    if (resume !== null) owed.push(resume);
    if (live.owed.dueAt !== null && now >= live.owed.dueAt) {
      owed.push(...live.owed.take(live.inbox.delivered, live.inbox.lost));
    }
    if (live.heldList !== null && now >= live.reportAt) {
      live.reportAt = now + LIST_REPORT_SECONDS;
      owed.push({ type: "list-report", ...live.heldList });
    }
    const isSilent = now >= live.sentAt + HEARTBEAT_SECONDS || live.ratchet.owesMessage(now);
    const isProbe = live.outbox.probeAt !== null && now >= live.outbox.probeAt;
    if (isProbe || (isSilent && owed.length === 0)) owed.push(this.#heartbeat());
    return owed;
  }

  #refuse(error: unknown): Event[] {
    if (error instanceof RatchetEndedError) return this.#finish(END_REASONS[error.reason]);
    if (error instanceof MessageKeyGoneError) this.#repeatedFrames++;
    else if (error instanceof RemoteProtocolError) this.#refusedFrames++;
    else throw error;
    return [];
  }

  /** What an authentic message says. */
  #read(live: LiveSession, padded: Uint8Array, now: number): Event[] {
    const sender = this.#remote;
    let encoded: Uint8Array;
    let head: ReturnType<typeof decodeHead>;
    try {
      encoded = unpad(padded);
      head = decodeHead(encoded);
    } catch (error) {
      if (error instanceof MalformedError) return this.#broken();
      throw error;
    }
    const { number } = head;
    let content: ReturnType<typeof decodeBody>;
    try {
      content = decodeBody(encoded);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      const ended = this.#broken();
      if (ended.length > 0 || number === 0) return ended;
      return this.#deliver(live, number, { type: "content-refused", sender, number }, encoded.length, now);
    }
    if (content.type === "unknown") {
      const unknown = { type: "unknown-content", sender, number, code: content.code } as const;
      return number > 0 ? this.#deliver(live, number, unknown, 0, now) : [unknown];
    }
    if (number === 0) return this.#uncounted(live, content, now);
    const received = { type: "content-received", sender, number, content } as const;
    return this.#deliver(live, number, received, encoded.length, now);
  }

  #deliver(live: LiveSession, number: number, delivery: Delivery, size: number, now: number): Event[] {
    return this.#told(live, live.inbox.receive(number, delivery, size, now), now);
  }

  #told(live: LiveSession, deliveries: Delivery[], now: number): Event[] {
    if (deliveries.length > 0) live.owed.deliver(live.inbox.delivered, now);
    return deliveries;
  }

  #uncounted(live: LiveSession, content: Content, now: number): Event[] {
    const sender = this.#remote;
    const { lastNumber } = live.outbox;
    if (content.type === "heartbeat") {
      live.inbox.learn(content.lastNumber, now);
      if (live.inbox.delivered > 0) live.owed.repeat(now);
      return [];
    }
    if (content.type === "receipt") {
      if (content.upTo > lastNumber) return this.#broken();
      live.outbox.confirm(content.upTo, now);
      return live.confirmed.receive(content);
    }
    if (content.type === "resume") {
      if (content.highest > lastNumber) return this.#broken();
      const frames = live.isLineUp ? live.outbox.answer(content, now) : [];
      return frames.length > 0 ? [{ type: "resend-frames", frames }] : [];
    }
    if (content.type === "bye") {
      const { deliveries, lost } = live.inbox.finish(content.lastNumber);
      const left = { type: "peer-left", sender, reason: content.reason, lost } as const;
      return [...deliveries, left, ...this.#finish(EndReason.PEER_LEFT)];
    }
    if (content.type === "list-report") {
      return [{ type: "list-reported", sender, version: content.version, digest: content.digest }];
    }
    return [{ type: "content-received", sender, number: 0, content }];
  }

  #broken(): Event[] {
    this.#brokenContents++;
    return this.#brokenContents >= MAX_BROKEN_CONTENTS ? this.#finish(EndReason.PROTOCOL) : [];
  }

  async #open<S extends FileSender | FileReceiver>(
    offer: FileOffer,
    streamsOf: (live: LiveSession) => Map<string, S>,
    create: (...stream: Parameters<typeof FileSender.create>) => Promise<S>,
  ): Promise<S> {
    return this.#serial.run(async () => {
      const live = this.#live();
      const streams = streamsOf(live);
      const id = toHex(offer.fileId);
      if (streams.has(id) || streams.size >= MAX_OPEN_FILES) {
        throw new LocalProtocolError("too many transfers are open, or this one is open already");
      }
      const stream = await create(this.#primitives, live.sid, offer.fileId, offer.key, offer.size);
      if (this.#state !== live) stream.wipe();
      this.#requireSame(live);
      streams.set(id, stream);
      return stream;
    });
  }
}

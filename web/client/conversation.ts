/**
 * A live conversation: texts, receipts, typing and files between its members, until someone hangs up.
 *
 * One driver runs the core's session: frames in, events out, and the clock. What waits for crypto takes turns, so
 * that frames leave and events come in the order things happened.
 */

import {
  ByeReason,
  type Content,
  type FileOffer,
  isCounted,
  type ListUpdate,
} from "../core/content/index.ts";
import { type DeviceList, encodeDeviceList } from "../core/device-list.ts";
import { LocalProtocolError, SessionEndedError } from "../core/errors.ts";
import { EndReason as CoreEnd, type Event, type PeerLeft } from "../core/events.ts";
import type { FileId } from "../core/file-key.ts";
import { CHUNK_FRAME_TYPE, type FileReceiver, type FileSender } from "../core/file-stream.ts";
import { sessionCode } from "../core/safety-number.ts";
import { Serial } from "../core/serial.ts";
import type { Session } from "../core/session.ts";
import { Alarm } from "./clock.ts";
import { BYES, type CallTerms, type ConversationHost, REASONS, takePeerList } from "./conversation-host.ts";
import { sortedOut, toldOf } from "./conversation-events.ts";
import { ConversationEndedError, EndReason, FileFault, FileTransferError } from "./errors.ts";
import { type ConversationEvent, Line, type Quote, type SentMessage, type Via } from "./events.ts";
import type { FileToSend } from "./file-source.ts";
import type { Carrier } from "./file-transfer.ts";
import { FrameQueue } from "./frame-queue.ts";
import { Inbox } from "./inbox.ts";
import { Lines, type LinesHost } from "./lines.ts";
import { Changes } from "./outcome.ts";
import type { OutgoingFile } from "./outgoing-file.ts";
import type { Member } from "./people.ts";
import { SaidTexts, textOf } from "./said-texts.ts";
import { Transfers } from "./transfers.ts";
import type { FrameHandler, Transport } from "./transport/transport.ts";

/**
 * A conversation as its application holds it: an async iterable of events. `Client.call` and `Ring.accept` make
 * one. Events wait in a bounded queue: an application that stops reading them stops its peer, it never fills
 * memory. Every method throws ConversationEndedError once it is over.
 */
export class Conversation implements Carrier, LinesHost {
  /** This device as a member. */
  readonly own: Member;
  /** The other members. */
  readonly members: readonly [Member];
  /** Unix seconds. */
  readonly startedAt: number;
  /** Six groups of five digits, alike on both sides of this very session and no other. */
  readonly sessionCode: string;
  /** Whether the peer's device is a web page. */
  readonly isWeb: boolean;
  readonly #host: ConversationHost;
  readonly #session: Session;
  readonly #turns = new Serial();
  readonly #frames = new FrameQueue(async (frame) => this.#open(frame));
  readonly #inbox = new Inbox((isFull) => {
    this.#frames.hold(isFull);
  });
  readonly #texts: SaidTexts;
  readonly #transfers: Transfers;
  readonly #changes = new Changes();
  readonly #alarm = new Alarm(() => {
    void this.#turns.run(async () => this.#tickIfDue());
  });
  readonly #lines: Lines;
  #line: Line = Line.RELAYED;
  #via: Via = "server";
  #isTyping = false;
  #end: EndReason | null = null;
  #peerLeft: PeerLeft | null = null;

  private constructor(
    session: Session,
    code: string,
    own: Member,
    peer: Member,
    terms: CallTerms,
    host: ConversationHost,
  ) {
    this.#session = session;
    this.#host = host;
    this.own = own;
    this.members = [peer];
    this.isWeb = terms.isWeb;
    this.sessionCode = code;
    this.startedAt = host.clock.now();
    this.#texts = new SaidTexts(peer);
    this.#transfers = new Transfers(this, host.primitives, host.memory);
    this.#lines = new Lines(this, terms, host);
  }

  /** A conversation over `session`, which it owns. Throws SessionEndedError. */
  static async create(
    session: Session,
    own: Member,
    peer: Member,
    terms: CallTerms,
    host: ConversationHost,
  ): Promise<Conversation> {
    const code = await sessionCode(host.primitives, session.exporter.expose());
    return new Conversation(session, code, own, peer, terms, host);
  }

  // What it is

  /** The other side. */
  get peer(): Member {
    return this.members[0];
  }

  /** How frames travel now. */
  get line(): Line {
    return this.#line;
  }

  /** What carries frames while the line is up. */
  get via(): Via {
    return this.#lines.via;
  }

  /** Why it is over, null while it lives. */
  get ended(): EndReason | null {
    return this.#end;
  }

  // What happens

  /** The next event; after the last, `ended`, that one again. */
  async receive(): Promise<ConversationEvent> {
    return this.#inbox.get();
  }

  /** Events as they come; the last is `ended`. */
  [Symbol.asyncIterator](): AsyncGenerator<ConversationEvent, void, undefined> {
    return this.#inbox.untilEnd();
  }

  // What to do

  /**
   * Sends a text. Resolves when it is encrypted and queued; `delivered` tells when it arrived. While the line is
   * held some texts wait for it; then this call waits too. Throws LocalProtocolError: empty, or over 32 KiB.
   */
  async sendText(text: string, replyTo: Quote | null = null): Promise<SentMessage> {
    const number = await this.#say(() => textOf(text, replyTo));
    this.#texts.sent(number);
    this.#isTyping = false;
    return { id: number, text, at: this.#host.clock.now(), replyTo };
  }

  /** Replaces an own text, on both sides. Waits as `sendText` does, and throws LocalProtocolError as it does. */
  async editText(messageId: number, text: string): Promise<void> {
    await this.#say(() => this.#texts.edit(messageId, text));
  }

  /** Deletes an own text for both sides, for good. Throws LocalProtocolError: not one's own, or deleted already. */
  async deleteText(messageId: number): Promise<void> {
    await this.#say(() => this.#texts.deletion(messageId));
  }

  /** Reacts to a text in place of the own reaction before; "" takes it back. Throws LocalProtocolError. */
  async react(to: Quote, symbol: string): Promise<void> {
    await this.#say(() => this.#texts.reaction(to, symbol));
  }

  /** Tells the others that someone types here, or stopped. Repeats are not sent. */
  async setTyping(active: boolean): Promise<void> {
    this.#requireLive();
    this.#host.touched();
    if (active === this.#isTyping) return;
    this.#isTyping = active;
    if (this.#session.canSend) await this.#send({ type: "typing", active });
  }

  /**
   * Tells the sender that the person saw its message and all before it; nothing with receipts off.
   * Throws LocalProtocolError: no such message has come.
   */
  markRead(messageId: number): void {
    this.#requireLive();
    this.#host.touched();
    if (!this.#host.receipts) return;
    this.#session.markRead(messageId, this.#host.clock.now());
    this.#rearm();
  }

  /**
   * Offers a file. Throws LocalProtocolError: a name, size or media type out of range, or 32 transfers are open.
   */
  async sendFile(source: FileToSend): Promise<OutgoingFile> {
    this.#requireLive();
    this.#host.touched();
    const { offer, file } = await this.#transfers.offer(source);
    try {
      await this.#send(offer);
    } catch (error) {
      file.fail(FileFault.ENDED, false);
      throw error;
    }
    return file;
  }

  /** Consents to a direct line, which shows each side the other's address, and asks the peer to. */
  requestDirect(): void {
    this.#requireLive();
    this.#host.touched();
    this.#lines.rtc.requestDirect();
  }

  /** Answers the peer's `direct-requested`; no takes an earlier yes back, too. */
  answerDirect(yes: boolean): void {
    this.#requireLive();
    this.#host.touched();
    this.#lines.rtc.answerDirect(yes);
  }

  /** Says goodbye, wipes the keys, ends. */
  async hangUp(): Promise<void> {
    await this.#leave(ByeReason.HUNG_UP, CoreEnd.HUNG_UP);
  }

  // For the client: lines come and go

  /** Uses a relay route from now on; gives what takes the frames that arrive on it. */
  attach(relay: Transport, isFirst: boolean): FrameHandler {
    this.#lines.attach(relay);
    if (isFirst) this.#rearm();
    else if (!this.#lines.isRtc) this.#resume();
    if (this.#end === null) this.#lines.rtc.start();
    const receive = this.#receiver(relay);
    return (frame) => {
      if (relay === this.#lines.relay) receive(frame);
    };
  }

  /** The relay is gone for now; a DataChannel does without. */
  detach(): void {
    this.#lines.detach();
    if (!this.#lines.isRtc) this.#holdLine();
  }

  /** The server says that the peer's socket is gone, or back. */
  peerChanged(isUp: boolean): void {
    this.#lines.peerChanged(isUp);
    if (this.#lines.isRtc) return;
    if (!isUp) this.#holdLine();
    else if (this.#lines.relay !== null) this.#resume();
  }

  /** This device's network changed: what waits to be tried is tried. */
  nudge(): void {
    if (this.#end === null) this.#lines.rtc.nudge();
  }

  /** Ends at once: keys, buffers and unread events go; only a goodbye that lay ready is sent. */
  wipe(): void {
    this.#inbox.clear();
    if (this.#end !== null) return;
    const transport = this.#transport;
    const bye = this.#session.panic();
    if (bye !== null) transport?.send(bye);
    this.#finish(EndReason.LOCKED);
  }

  /** Ends because of what was found out about a device list. */
  async leaveFor(reason: typeof EndReason.REVOKED | typeof EndReason.FORKED): Promise<void> {
    if (reason === EndReason.REVOKED) await this.#leave(ByeReason.REVOKED, CoreEnd.REVOKED);
    else await this.#leave(ByeReason.PROTOCOL, CoreEnd.FORKED);
  }

  /** Sends this account's newer device list to the peer. */
  showList(deviceList: DeviceList): void {
    this.sendSoon({ type: "list-update", deviceList: encodeDeviceList(deviceList) });
  }

  // For transfers

  get isLineUp(): boolean {
    return this.#end === null && this.#transport !== null;
  }

  async sendContent(content: Content): Promise<void> {
    await this.#send(content);
  }

  sendSoon(content: Content): void {
    if (this.#end === null) this.#background(this.sendContent(content));
  }

  sendChunk(frame: Uint8Array): boolean {
    const transport = this.#transport;
    transport?.send(frame, true);
    return transport?.isFull ?? false;
  }

  async drain(): Promise<void> {
    await this.#transport?.drain();
  }

  async openOutgoing(offer: FileOffer): Promise<FileSender> {
    this.#requireLive();
    return this.#orEnded(async () => this.#session.openOutgoing(offer));
  }

  async openIncoming(offer: FileOffer): Promise<FileReceiver> {
    if (this.#end !== null) throw new FileTransferError(FileFault.ENDED);
    try {
      return await this.#session.openIncoming(offer);
    } catch (error) {
      if (error instanceof SessionEndedError) throw new FileTransferError(FileFault.ENDED);
      throw error;
    }
  }

  closeFile(fileId: FileId): void {
    this.#transfers.forget(fileId);
    if (!this.#session.isEnded) this.#session.closeFile(fileId);
  }

  tell(event: ConversationEvent): void {
    if (this.#end === null || event.type === "ended") this.#inbox.put(event);
  }

  // For the DataChannel

  lineOpened(transport: Transport): FrameHandler {
    this.#transfers.lineLost();
    this.#resume();
    return this.#receiver(transport);
  }

  lineLost(): void {
    if (this.#end !== null || this.#session.isEnded) return;
    if (this.#transport === null) this.#holdLine();
    else {
      this.#session.lineDown(this.#host.clock.now());
      this.#transfers.lineLost();
      this.#resume();
    }
  }

  tampered(): void {
    this.#background(this.#leave(ByeReason.PROTOCOL, CoreEnd.TAMPERED));
  }

  // The driver

  get #transport(): Transport | null {
    return this.#lines.transport;
  }

  #receiver(transport: Transport): FrameHandler {
    return (frame) => {
      if (this.#end !== null || frame.length === 0) return;
      // chunks keep order on one way only
      if (frame[0] !== CHUNK_FRAME_TYPE) this.#frames.put(frame);
      else if (transport === this.#transport) this.#transfers.receiveChunk(frame);
    };
  }

  async #open(frame: Uint8Array): Promise<void> {
    await this.#turns.run(async () => {
      if (this.#end !== null) return;
      await this.#quietly(async () => {
        this.#handle(await this.#session.receive(frame, this.#host.clock.now()));
        await this.#tickIfDue();
      });
    });
  }

  async #tickIfDue(): Promise<void> {
    if (this.#end !== null) return;
    await this.#quietly(async () => {
      const now = this.#host.clock.now();
      if (this.#session.nextDeadline(now) <= now) {
        const due = await this.#session.tick(now);
        for (const sent of due.frames) this.#push(sent);
        this.#handle(due.events);
      }
      this.#rearm();
    });
  }

  #handle(events: readonly Event[]): void {
    for (const event of events) {
      switch (event.type) {
        case "content-received":
          this.#take(event.number, event.content);
          break;
        case "resend-frames":
          for (const frame of event.frames) this.#push(frame);
          break;
        case "list-reported":
          this.#background(this.#host.ownListReported(this, event.version, event.digest));
          break;
        case "peer-left":
          this.#peerLeft = event;
          break;
        case "ended":
          this.#finish(this.#reasonOf(event.reason));
          break;
        case "delivered":
        case "read":
        case "undelivered":
        case "gap":
        case "content-refused":
          this.tell(toldOf(event));
          break;
        case "unknown-content": // the peer is of a younger minor version; its number was counted
          break;
      }
    }
    if (events.length > 0) this.#changes.tell();
  }

  #take(number: number, content: Content): void {
    if (this.#end !== null) return;
    const given = sortedOut(content);
    switch (given.to) {
      case "texts": {
        this.#host.touched();
        const event = this.#texts.heard(number, given.content, this.#host.clock.now());
        if (event !== null) this.tell(event);
        break;
      }
      case "files":
        this.#transfers.receive(given.content);
        break;
      case "lines":
        this.#lines.receive(given.content);
        break;
      case "list":
        this.#background(this.#takeList(given.content));
        break;
      case "typing":
        this.tell({ type: "typing", member: this.peer, active: given.content.active });
        break;
      case "session": // which keeps it to itself
        break;
    }
  }

  async #takeList(update: ListUpdate): Promise<void> {
    const taken = await takePeerList(this.#host, this.peer, update);
    if ("leave" in taken) await this.leaveFor(taken.leave);
    else if (this.#end === null) this.#session.holdList(taken.held);
  }

  async #say(make: () => Content): Promise<number> {
    this.#requireLive();
    this.#host.touched();
    const number = await this.#send(make());
    await this.drain();
    return number;
  }

  /** Sends when there is room; gives the content's number. Throws ConversationEndedError. */
  async #send(content: Content): Promise<number> {
    for (;;) {
      this.#requireLive();
      const sent = await this.#turns.run(async () => this.#sendIfRoom(content));
      if ("number" in sent) return sent.number;
      await sent.room;
    }
  }

  async #sendIfRoom(content: Content): Promise<{ number: number } | { room: Promise<void> }> {
    this.#requireLive();
    // what waits for room begins to wait in this turn, before anything can make some
    if (isCounted(content) && !this.#session.canSend) return { room: this.#changes.next() };
    const sent = await this.#orEnded(async () => this.#session.send(content, this.#host.clock.now()));
    if (sent.frame !== null) this.#push(sent.frame);
    this.#rearm();
    return { number: sent.number };
  }

  /** Runs `operation` on the session; its end, perhaps by this very call, is the conversation's. */
  async #orEnded<T>(operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      if (!(error instanceof SessionEndedError)) throw error;
      this.#finish(this.#reasonOf(this.#session.endReason ?? CoreEnd.LOST));
      throw new ConversationEndedError(this.#end ?? EndReason.LOST);
    }
  }

  async #quietly(operation: () => Promise<void>): Promise<void> {
    try {
      await this.#orEnded(operation);
    } catch (error) {
      this.#fault(error);
    }
  }

  #push(frame: Uint8Array): void {
    this.#transport?.send(frame);
  }

  /** There is a line again: says what came last, and goes on. */
  #resume(): void {
    const transport = this.#transport;
    if (this.#end !== null || transport === null) return;
    this.#background(
      this.#turns.run(async () => {
        if (this.ended !== null || this.#transport !== transport) return;
        await this.#quietly(async () => {
          for (const frame of await this.#session.lineUp(this.#host.clock.now())) this.#push(frame);
          if (this.#transport !== transport) {
            if (this.#transport === null) this.#session.lineDown(this.#host.clock.now());
            return;
          }
          this.#changeLine(this.#lines.line);
          this.#transfers.lineBack();
          this.#changes.tell();
          this.#rearm();
        });
      }),
    );
  }

  #holdLine(): void {
    if (this.#end !== null || this.#session.isEnded || this.#line === Line.HELD) return;
    this.#session.lineDown(this.#host.clock.now());
    this.#transfers.lineLost();
    this.#changeLine(Line.HELD);
    this.#rearm();
  }

  #changeLine(line: Line): void {
    const { via } = this;
    if (line === this.#line && via === this.#via) return;
    this.#line = line;
    this.#via = via;
    const heldUntil = line === Line.HELD ? this.#session.heldUntil : null;
    this.tell({ type: "line-changed", line, via, heldUntil });
  }

  #rearm(): void {
    if (this.#end !== null || this.#session.isEnded) return;
    const now = this.#host.clock.now();
    this.#alarm.set(this.#session.nextDeadline(now), now);
  }

  async #leave(bye: ByeReason, end: CoreEnd): Promise<void> {
    await this.#turns.run(async () => {
      if (this.#end !== null) return;
      await this.#quietly(async () => {
        const frame = await this.#session.hangUp(this.#host.clock.now(), bye, end);
        if (frame !== null) this.#push(frame);
        this.#finish(REASONS[end]);
      });
    });
  }

  /** Ends, once: wipes, tells the application, lets the line go. */
  #finish(reason: EndReason): void {
    if (this.#end !== null) return;
    this.#end = reason;
    this.#line = Line.GONE;
    this.#alarm.cancel();
    this.#session.wipe();
    this.#transfers.end(reason === EndReason.LOCKED);
    this.#frames.clear();
    this.#inbox.put({ type: "ended", reason, lost: this.#peerLeft?.lost ?? 0 });
    this.#changes.tell();
    this.#host.conversationOver(this);
    this.#lines.close();
  }

  #reasonOf(reason: CoreEnd): EndReason {
    return this.#peerLeft === null ? REASONS[reason] : BYES[this.#peerLeft.reason];
  }

  #requireLive(): void {
    if (this.#end !== null) throw new ConversationEndedError(this.#end);
    if (this.#session.isEnded) {
      throw new ConversationEndedError(this.#reasonOf(this.#session.endReason ?? CoreEnd.LOST));
    }
  }

  #background(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#fault(error);
    });
  }

  /** A fault of our own: a conversation whose state is in doubt must not go on. */
  #fault(error: unknown): void {
    if (this.#end !== null) return;
    // refused before it changed anything
    if (error instanceof LocalProtocolError || error instanceof ConversationEndedError) return;
    this.#session.wipe();
    this.#finish(EndReason.PROTOCOL);
  }
}

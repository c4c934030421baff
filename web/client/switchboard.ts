/** Takes every frame from the server to whom it concerns: rings, calls, routes, conversations. */
import { DeviceKind } from "../core/certificate.ts";
import { ascii, fromHex, toHex } from "../core/encoding.ts";
import {
  AccountKeyChangedError,
  ForkedDeviceListError,
  HandshakeError,
  MalformedError,
  SessionEndedError,
  StaleDeviceListError,
} from "../core/errors.ts";
import {
  decodeServerFrame,
  encodeFrame,
  FrameType,
  type LineStatus,
  LineState,
  RELAY_HEADER_BYTES,
  type Ring as RingFrame,
  type Route,
  type ServerFrame,
  type Signalled,
} from "../core/frames.ts";
import {
  CallFlags,
  type ConfirmedCall,
  type IncomingCall,
  ListView,
  localWinsGlare,
  NO_FINGERPRINT,
  type OfferedCall,
  placeOffer,
  receiveOffer,
  type SessionSecrets,
} from "../core/handshake/index.ts";
import type { PeerIdentity } from "../core/identity.ts";
import {
  type AccountId,
  asCallId,
  type CallId,
  type DeviceId,
  type RouteId,
  type Username,
} from "../core/ids.ts";
import { LOW_PRE_KEYS } from "../core/limits.ts";
import { decodeBundle, encodePreKey } from "../core/prekey.ts";
import { Serial } from "../core/serial.ts";
import type { Session } from "../core/session.ts";
import { peekCallId } from "../core/signals.ts";
import type { Clock } from "./clock.ts";
import { Conversation } from "./conversation.ts";
import { KeyChangedError, NoAnswerError, RefusedIdentityError, RingEnd, TransportError } from "./errors.ts";
import { ServerWarning } from "./events.ts";
import { OutgoingCall, type OutgoingCallHost, ROUTE_SECONDS } from "./outgoing-call.ts";
import { isSame, type Member, type SafetyNumber, safetyNumberBetween } from "./people.ts";
import { Ring, type RingHost } from "./ring.ts";
import type { RtcTerms } from "./rtc/line.ts";
import { type IceServers, RTC_TRANSPORT, type RtcPort } from "./rtc/port.ts";
import { warningFor, warnOf } from "./server-lies.ts";
import type { SwitchboardHost } from "./switchboard-host.ts";
import type { ServerSocket } from "./server-socket.ts";
import { openSession } from "./session-opening.ts";
import { RelayTransport } from "./transport/relay.ts";
import type { FrameHandler } from "./transport/transport.ts";

/** Rings at once; more are not even told to the application. */
export const MAX_RINGS = 8;

/** The least time between two top-ups of pre-keys. The server takes one every five seconds. */
export const REFILL_SECONDS = 6;

/** What may wait behind a frame that is being worked on: two windows of file chunks, with room. */
export const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** Who rings, who is rung, and which route belongs to which conversation. Maps are by hex. */
export class Switchboard implements RingHost, OutgoingCallHost {
  readonly clock: Clock;
  readonly #host: SwitchboardHost;
  readonly #frames = new Serial();
  readonly #outgoing = new Map<string, OutgoingCall>();
  readonly #rings = new Map<string, Ring>();
  readonly #conversations = new Map<string, Conversation>();
  readonly #waitingForRoute = new Map<string, OutgoingCall>();
  readonly #pendingRoutes = new Map<string, RouteId>();
  readonly #routes = new Map<string, FrameHandler>();
  readonly #routeOf = new Map<string, string>();
  #socket: ServerSocket | null = null;
  #waitingFrames = 0;
  #waitingBytes = 0;
  #publishedAt = -Infinity;
  #refill: ReturnType<typeof setTimeout> | null = null;

  constructor(host: SwitchboardHost) {
    this.#host = host;
    this.clock = host.clock;
  }

  /** Those that live now. */
  get conversations(): Conversation[] {
    return [...this.#conversations.values()];
  }

  /** Whether anything waits for the line. */
  get isBusy(): boolean {
    return this.#conversations.size + this.#outgoing.size + this.#rings.size > 0;
  }

  /** The number to compare with this account. */
  async safetyNumberOf(account: AccountId): Promise<SafetyNumber> {
    return safetyNumberBetween(this.#host.primitives, this.#host.local.account, account);
  }

  // The line

  /** A socket is open: advertises pre-keys, and takes the routes of held calls that came with WELCOME. */
  online(socket: ServerSocket): void {
    this.#socket = socket;
    this.#host.spawn(this.publish());
    socket.deliverTo((frame) => {
      this.#receive(socket, frame);
    });
  }

  /** The socket is gone: rings end, calls are held. */
  offline(): void {
    this.#socket = null;
    if (this.#refill !== null) clearTimeout(this.#refill);
    this.#refill = null;
    this.#routes.clear();
    this.#routeOf.clear();
    this.#pendingRoutes.clear();
    for (const ring of [...this.#rings.values()]) ring.fail(RingEnd.FAILED);
    for (const call of [...this.#outgoing.values(), ...this.#waitingForRoute.values()]) {
      call.fail(new TransportError("The connection to the server was lost."));
    }
    for (const callId of [...this.#waitingForRoute.keys()]) this.#conversations.get(callId)?.wipe(); // nobody was given it
    this.#waitingForRoute.clear();
    for (const conversation of this.conversations) conversation.detach();
  }

  /** Advertises fresh pre-keys. Throws SessionEndedError: they were wiped meanwhile. */
  async publish(): Promise<void> {
    const socket = this.#socket;
    if (socket === null) return;
    this.#publishedAt = this.clock.now();
    const records = await this.#host.prekeys.publish(this.clock.now());
    socket.send(encodeFrame({ type: FrameType.PRE_KEYS, records: records.map(encodePreKey) }));
  }

  /** Takes one frame from the server: at once, or after those that are still being worked on. */
  #receive(socket: ServerSocket, frame: Uint8Array): void {
    if (this.#waitingFrames === 0 && frame[0] === FrameType.RELAY) {
      this.#relay(frame);
      return;
    }
    this.#waitingFrames += 1;
    this.#waitingBytes += frame.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) socket.abort(); // no honest server sends so much so fast
    this.#host.spawn(
      this.#frames.run(async () => {
        this.#waitingFrames -= 1;
        this.#waitingBytes -= frame.length;
        if (socket !== this.#socket) return; // of a line that is gone
        if (frame[0] === FrameType.RELAY) this.#relay(frame);
        else await this.#take(frame);
      }),
    );
  }

  #relay(frame: Uint8Array): void {
    const handler = this.#routes.get(toHex(frame.subarray(1, RELAY_HEADER_BYTES)));
    handler?.(frame.subarray(RELAY_HEADER_BYTES));
  }

  /** One frame that is not relayed. What is not of the protocol is dropped. */
  async #take(encoded: Uint8Array): Promise<void> {
    let frame: ServerFrame;
    try {
      frame = decodeServerFrame(encoded);
    } catch (error) {
      if (error instanceof MalformedError) return;
      throw error;
    }
    switch (frame.type) {
      case FrameType.SIGNAL:
        await this.#receiveSignal(frame);
        break;
      case FrameType.RING:
        await this.#receiveRing(frame);
        break;
      case FrameType.ROUTE:
        this.#receiveRoute(frame);
        break;
      case FrameType.LINE:
        this.#receiveLine(frame);
        break;
      case FrameType.PRE_KEYS_LEFT:
        this.#host.preKeysTaken();
        if (frame.count <= LOW_PRE_KEYS) this.#publishSoon();
        break;
      case FrameType.WELCOME: // came before
      case FrameType.RELAY: // takes the short way
        break;
    }
  }

  /**
   * Advertises fresh pre-keys, but not so often that the server holds up this socket for it. Meanwhile callers do
   * without a one-time record: whoever fetches bundles in a hurry wins no more.
   */
  #publishSoon(): void {
    if (this.#refill !== null) return;
    const wait = Math.max(0, this.#publishedAt + REFILL_SECONDS - this.clock.now());
    this.#refill = setTimeout(() => {
      this.#refill = null;
      this.#host.spawn(this.publish());
    }, wait * 1000);
  }

  // Calling

  /**
   * Checks every bundle and makes the offers for one ring. One bundle that does not hold refuses all: the server
   * showed something false.
   *
   * Throws KeyChangedError: another account than the pinned one, noted and told; RefusedIdentityError: keys, lists
   * or signatures that do not hold.
   */
  async placeCall(username: Username, bundles: readonly Uint8Array[]): Promise<OutgoingCall> {
    const host = this.#host;
    const now = this.clock.now();
    const pinned = host.book.pinned(username);
    const port = await host.prepareRtc();
    const proposal = {
      callId: asCallId(host.primitives.random(16)),
      transport: port === null ? new Uint8Array() : ascii(RTC_TRANSPORT),
      fingerprint: port?.fingerprint ?? NO_FINGERPRINT,
      callFlags: CallFlags.NONE,
    };
    const offers: OfferedCall[] = [];
    let memory = pinned;
    try {
      for (const encoded of bundles) {
        const bundle = decodeBundle(encoded);
        if (isSame(bundle.certificate.device, host.local.device)) continue;
        if (offers.some(({ peer }) => isSame(peer.device, bundle.certificate.device))) {
          throw new MalformedError("two bundles of one device");
        }
        const offered = await placeOffer(host.primitives, host.local, bundle, memory, proposal, now);
        memory = offered.peer.pinned;
        offers.push(offered);
      }
    } catch (error) {
      for (const offered of offers) offered.wipe();
      port?.close();
      if (error instanceof AccountKeyChangedError && pinned !== null) {
        this.#noteChange(username, error.presented);
        throw new KeyChangedError(username);
      }
      if (error instanceof HandshakeError) throw this.#refused(username, error);
      if (!(error instanceof MalformedError)) throw error;
      host.tell(warnOf(ServerWarning.BAD_PRE_KEYS, username));
      throw new RefusedIdentityError(error.message);
    }
    if (pinned !== null && memory !== null && host.book.remember(username, memory, now)) host.saveSoon();
    const call = new OutgoingCall(username, proposal.callId, offers, port, this);
    if (offers.length > 0) this.#outgoing.set(toHex(call.callId), call);
    return call;
  }

  /** A ring of that name that can be accepted now. */
  ringFrom(username: Username): Ring | null {
    for (const ring of this.#rings.values()) {
      if (ring.caller === username && ring.isRinging) return ring;
    }
    return null;
  }

  /** A call is over, one way or the other: `conversationOf` comes now, or never. */
  dropCall(call: OutgoingCall): void {
    this.#outgoing.delete(toHex(call.callId));
    call.dropRtc();
    queueMicrotask(() => {
      this.#leaveUntaken(call);
    });
  }

  /** Hands over the conversation a call led to. */
  conversationOf(call: OutgoingCall): Conversation | null {
    call.isTaken = true;
    return this.#conversations.get(toHex(call.conversationId)) ?? null;
  }

  /** For `OutgoingCall`: a device answered. */
  async confirm(call: OutgoingCall, device: DeviceId, confirmed: ConfirmedCall): Promise<void> {
    const host = this.#host;
    const socket = this.#socket;
    if (confirmed.listView === ListView.FORKED) {
      confirmed.wipe();
      host.tell(warnOf(ServerWarning.FORKED_DEVICE_LIST, host.username));
      call.fail(new RefusedIdentityError("the other side was shown another device list of this account"));
      return;
    }
    if (confirmed.listView === ListView.PEER_AHEAD) host.ownListIsBehind();
    if (confirmed.serverWasStale) host.tell(warnOf(ServerWarning.STALE_DEVICE_LIST, call.username));
    const { session, conversation } = await this.#converse(
      call.username,
      confirmed.peer,
      confirmed.secrets,
      call.callId,
      call.takeRtc(confirmed),
    );
    const signal = confirmed.confirm(await session.opening(this.clock.now()));
    if (socket === null || socket !== this.#socket) {
      conversation.wipe(); // the line went while the keys were made
      return;
    }
    const id = toHex(call.callId);
    this.#conversations.set(id, conversation);
    this.#waitingForRoute.set(id, call);
    this.sendSignal(device, signal);
    setTimeout(() => {
      this.#missRoute(call);
    }, ROUTE_SECONDS * 1000);
  }

  /** Says goodbye if the caller gave up while the call came about: at the peer it is a conversation. */
  #leaveUntaken(call: OutgoingCall): void {
    call.fail(new NoAnswerError());
    const conversation = this.#conversations.get(toHex(call.conversationId));
    // goodbye needs a route: where it is still to come, whoever brings it sees that the call is over
    if (call.isTaken || conversation === undefined || this.#waitingForRoute.has(toHex(call.callId))) return;
    this.#host.spawn(conversation.hangUp());
  }

  #missRoute(call: OutgoingCall): void {
    if (!this.#waitingForRoute.delete(toHex(call.callId))) return;
    call.fail(new TransportError("The server opened no line."));
    this.#conversations.get(toHex(call.callId))?.wipe();
  }

  // Being called

  sendSignal(device: DeviceId, signal: Uint8Array): void {
    this.#socket?.send(encodeFrame({ type: FrameType.SIGNAL, device, signal }));
  }

  async prepareRtc(): Promise<RtcPort | null> {
    return this.#host.prepareRtc();
  }

  async converse(
    ring: Ring,
    secrets: SessionSecrets,
    firstMessage: Uint8Array,
    rtc: RtcTerms | null,
  ): Promise<Conversation> {
    const socket = this.#socket;
    const { session, conversation } = await this.#converse(ring.caller, ring.peer, secrets, ring.callId, rtc);
    await session.receive(firstMessage, this.clock.now());
    const id = toHex(ring.callId);
    this.#conversations.set(id, conversation);
    const route = this.#pendingRoutes.get(id);
    this.#pendingRoutes.delete(id);
    if (route !== undefined && socket === this.#socket) this.#attach(id, conversation, route, true);
    else conversation.detach();
    return conversation;
  }

  ringOver(ring: Ring): void {
    this.#rings.delete(toHex(ring.callId));
    this.#pendingRoutes.delete(toHex(ring.callId));
  }

  async #receiveRing(frame: RingFrame): Promise<void> {
    const host = this.#host;
    const socket = this.#socket;
    if (this.#rings.size >= MAX_RINGS) return;
    let call: IncomingCall;
    try {
      call = await receiveOffer(
        host.primitives,
        host.local,
        host.prekeys,
        frame.offer,
        (account) => host.book.pinnedAccount(account),
        this.clock.now(),
      );
    } catch (error) {
      if (error instanceof StaleDeviceListError || error instanceof ForkedDeviceListError) {
        this.#refused(frame.username, error);
      } else if (!(error instanceof HandshakeError) && !(error instanceof SessionEndedError)) throw error;
      return; // forged, replayed or damaged: an OFFER that does not hold is dropped without a word
    }
    if (socket !== this.#socket || !this.#mayRing(frame, call)) {
      call.wipe();
      return;
    }
    const { peer } = call;
    const contact = host.book.find(frame.username);
    if (call.listView === ListView.PEER_AHEAD) host.ownListIsBehind();
    if (contact !== null && host.book.remember(frame.username, peer.pinned, this.clock.now()))
      host.saveSoon();
    const crossing = [...this.#outgoing.values()].find(
      ({ isRinging, account }) => isRinging && account !== null && isSame(account, peer.account),
    );
    const { local } = host;
    const isGlare = crossing !== undefined;
    if (isGlare && localWinsGlare(local.account, local.device, peer.account, peer.device)) {
      call.wipe();
      return;
    }
    const ring = new Ring(this, call, frame.username, contact);
    this.#rings.set(toHex(call.callId), ring);
    if (isGlare) {
      crossing.yieldTo(ring.callId);
      host.spawn(ring.answer());
      host.spawn(this.#handOver(ring, crossing));
    } else if (host.autoBusy && this.#conversations.size > 0) host.spawn(ring.decline(true));
    else host.ringCame(ring);
  }

  /** Whether an authentic OFFER comes under a name it may come under; notes and tells if not. */
  #mayRing({ username, device }: RingFrame, { peer, listView }: IncomingCall): boolean {
    const host = this.#host;
    const contact = host.book.find(username);
    if (!isSame(peer.device, device)) return false;
    if (contact !== null && !isSame(contact.account, peer.account)) {
      this.#noteChange(username, peer.account);
      return false;
    }
    if (contact === null && host.book.findAccount(peer.account) !== null) {
      host.tell(warnOf(ServerWarning.OTHER_NAME, username));
      return false;
    }
    if (listView === ListView.FORKED) {
      host.tell(warnOf(ServerWarning.FORKED_DEVICE_LIST, host.username));
      return false;
    }
    return true;
  }

  /** Both rang each other and the other offer won: its conversation is what the call led to. */
  async #handOver(ring: Ring, call: OutgoingCall): Promise<void> {
    const end = await ring.ended();
    const conversation = this.#conversations.get(toHex(ring.callId));
    if (end !== RingEnd.ACCEPTED || conversation === undefined) {
      call.fail(new TransportError());
      return;
    }
    if (call.isOver) await conversation.hangUp();
    call.succeed();
  }

  // Frames of calls

  async #receiveSignal(frame: Signalled): Promise<void> {
    let callId: CallId;
    try {
      callId = peekCallId(frame.signal);
    } catch (error) {
      if (error instanceof MalformedError) return;
      throw error;
    }
    const call = this.#outgoing.get(toHex(callId));
    const ring = this.#rings.get(toHex(callId));
    if (call !== undefined) await call.receive(frame.device, frame.signal, this.clock.now());
    else if (ring !== undefined && isSame(ring.device, frame.device)) await ring.receive(frame.signal);
  }

  #receiveRoute(frame: Route): void {
    const id = toHex(frame.callId);
    const conversation = this.#conversations.get(id);
    if (conversation === undefined) {
      if (this.#rings.has(id)) this.#pendingRoutes.set(id, frame.route);
      else this.#hangUp(frame.callId); // of a call that is over here
      return;
    }
    const call = this.#waitingForRoute.get(id);
    this.#waitingForRoute.delete(id);
    this.#attach(id, conversation, frame.route, call !== undefined);
    if (call?.isOver === true) this.#host.spawn(conversation.hangUp());
    else call?.succeed();
  }

  #receiveLine(frame: LineStatus): void {
    const id = toHex(frame.callId);
    const conversation = this.#conversations.get(id);
    if (conversation === undefined) {
      if (frame.state === LineState.ENDED) this.#leaveRing(id, frame.device);
    } else if (frame.state === LineState.ENDED) {
      const call = this.#waitingForRoute.get(id);
      if (call !== undefined) {
        this.#missRoute(call);
        return;
      }
      this.#dropRoute(id);
      conversation.detach();
    } else conversation.peerChanged(frame.state === LineState.UP);
  }

  /** A device left a call that nobody has accepted: its account is gone, or it was revoked. */
  #leaveRing(id: string, device: DeviceId): void {
    const ring = this.#rings.get(id);
    this.#outgoing.get(id)?.leave(device);
    if (ring !== undefined && isSame(ring.device, device)) ring.fail(RingEnd.FAILED);
  }

  #attach(id: string, conversation: Conversation, route: RouteId, isFirst: boolean): void {
    if (this.#socket === null) return;
    this.#dropRoute(id);
    const key = toHex(route);
    this.#routeOf.set(id, key);
    this.#routes.set(key, conversation.attach(new RelayTransport(this.#socket, route), isFirst));
  }

  #dropRoute(id: string): void {
    const route = this.#routeOf.get(id);
    if (route !== undefined) this.#routes.delete(route);
    this.#routeOf.delete(id);
  }

  // Ends

  /** Leaves the call of a conversation that ended. */
  conversationOver(conversation: Conversation): void {
    for (const [id, known] of [...this.#conversations]) {
      if (known !== conversation) continue;
      this.#conversations.delete(id);
      this.#dropRoute(id);
      this.#waitingForRoute.get(id)?.fail(new TransportError());
      this.#waitingForRoute.delete(id);
      this.#hangUp(callIdOf(id));
    }
  }

  /** Ends everything at once. */
  wipe(): void {
    for (const conversation of this.conversations) conversation.wipe();
    for (const call of [...this.#outgoing.values(), ...this.#waitingForRoute.values()]) call.wipe();
    for (const ring of [...this.#rings.values()]) ring.fail(RingEnd.FAILED);
    this.#outgoing.clear();
    this.#waitingForRoute.clear();
    if (this.#refill !== null) clearTimeout(this.#refill);
    this.#refill = null;
  }

  async #converse(
    username: Username,
    identity: PeerIdentity,
    secrets: SessionSecrets,
    callId: CallId,
    rtc: RtcTerms | null,
  ): Promise<{ session: Session; conversation: Conversation }> {
    const host = this.#host;
    const now = this.clock.now();
    const { account, device } = host.local;
    const own: Member = { username: host.username, account, device };
    const peer: Member = { username, account: identity.account, device: identity.device };
    if (host.book.remember(username, identity.pinned, now)) host.saveSoon();
    const session = await openSession(host.primitives, secrets, own, peer, identity, now);
    const terms = {
      isWeb: identity.certificate.kind === DeviceKind.WEB,
      rtc,
      turnCredentials: async (): Promise<IceServers | null> => host.turnCredentials(callId),
    };
    return { session, conversation: await Conversation.create(session, own, peer, terms, host) };
  }

  #hangUp(callId: CallId): void {
    this.#socket?.send(encodeFrame({ type: FrameType.HANG_UP, callId }));
  }

  #noteChange(username: Username, presented: AccountId): void {
    if (this.#host.book.noteChange(username, presented)) this.#host.saveSoon();
    this.#host.tell({ type: "key-changed", username });
  }

  #refused(username: Username, error: HandshakeError): RefusedIdentityError {
    this.#host.tell(warnOf(warningFor(error.reason), username));
    return new RefusedIdentityError(error.message);
  }
}

function callIdOf(id: string): CallId {
  return asCallId(fromHex(id));
}

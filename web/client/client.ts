/** The front door: an account on this device, its contacts, and the calls it makes and takes. */

import { DeviceKind } from "../core/certificate.ts";
import type { DeviceList } from "../core/device-list.ts";
import { digestDeviceList } from "../core/device-list.ts";
import { HandshakeError, LocalProtocolError, MalformedError, StaleDeviceListError } from "../core/errors.ts";
import { CancelReason } from "../core/handshake/index.ts";
import type { LocalDevice } from "../core/identity.ts";
import type { AccountId, DeviceId, Username } from "../core/ids.ts";
import { RING_SECONDS } from "../core/limits.ts";
import type { PreKeyStore } from "../core/prekeys.ts";
import type { Primitives } from "../core/primitives.ts";
import { verifySafetyQr } from "../core/safety-number.ts";
import type { HeldList } from "../core/session.ts";
import { canonical, isReserved } from "../core/username.ts";
import { CloseCode } from "../core/codes.ts";
import { Clock } from "./clock.ts";
import { Connection } from "./connection.ts";
import type { ContactBook } from "./contact-book.ts";
import type { Conversation } from "./conversation.ts";
import { DeviceState } from "./device-state.ts";
import {
  AlreadyRegisteredError,
  ClientError,
  EndReason,
  InvalidUsernameError,
  LockedError,
  NoAnswerError,
  NotFoundError,
  NotRegisteredError,
  RefusedIdentityError,
  RevokedError,
  StoppedError,
  TransportError,
  UnauthorizedError,
  UsernameTakenError,
} from "./errors.ts";
import { type ClientEvent, type ConnectionChanged, ConnectionState, ServerWarning } from "./events.ts";
import { Feed } from "./feed.ts";
import { MemoryBudget } from "./file-target.ts";
import { Http } from "./http.ts";
import { ListKeeper } from "./list-keeper.ts";
import { Origin } from "./origin.ts";
import type { OutgoingCall } from "./outgoing-call.ts";
import { OwnAccount } from "./own-account.ts";
import { type Contact, isSame, type Member, type SafetyNumber, safetyNumberBetween } from "./people.ts";
import type { Platform } from "./platform.ts";
import type { Ring } from "./ring.ts";
import { type AccountRecord, ServerApi } from "./server-api.ts";
import { ServerSocket, SocketClosedError } from "./server-socket.ts";
import { Switchboard } from "./switchboard.ts";
import type { Vault } from "./vault/vault.ts";

const HOUSEKEEPING_SECONDS = 20;
const UNREAD_EVENTS = 256;
const UNREAD_RINGS = 8;

/** How often login looks whether the server has this device's pre-keys, and for how long. */
const SETTLE_TRIES = 20;
const SETTLE_MILLISECONDS = 50;

/** What a person may choose. */
export interface ClientOptions {
  /** Tell senders when a message was read. */
  readonly receipts: boolean;
  /** Decline rings as busy while a conversation lives. */
  readonly autoBusy: boolean;
  /** Consent to a direct line whenever the peer asks for one: it then learns this device's address. */
  readonly allowDirect: boolean;
  /** Seconds without any call of this API or incoming text after which the client locks; null for never. */
  readonly lockAfter: number | null;
  /** What peers are told this device is. */
  readonly kind: DeviceKind;
}

export const DEFAULT_OPTIONS: ClientOptions = {
  receipts: true,
  autoBusy: false,
  allowDirect: false,
  lockAfter: null,
  kind: DeviceKind.WEB,
};

/** How one call is made. */
export interface CallOptions {
  /** Seconds that it rings. */
  readonly timeout?: number;
  /** Stops ringing when it fires. */
  readonly signal?: AbortSignal;
}

/**
 * One account on one device, talking to one server.
 *
 * `open` reads the vault; `register` makes an account, `login` goes online and stays so through network changes,
 * `close` hangs up every conversation.
 */
export class Client {
  readonly #rooms: ClientRooms;

  /** `server` is its origin, such as `https://chat.example`. Throws LocalProtocolError: it is none. */
  constructor(platform: Platform, server: string, vault: Vault, options: Partial<ClientOptions> = {}) {
    this.#rooms = new ClientRooms(platform, Origin.parse(server), vault, { ...DEFAULT_OPTIONS, ...options });
  }

  /** Reads the vault. Throws VaultError; LocalProtocolError: its account lives on another server. */
  async open(): Promise<void> {
    await this.#rooms.enter();
  }

  // Who and where

  /** The server's origin. */
  get server(): string {
    return this.#rooms.origin.toString();
  }

  /** Whether the vault holds an account. True only after `open`. */
  get isRegistered(): boolean {
    return this.#rooms.state.knownAccount?.isConfirmed ?? false;
  }

  /** The own name. Throws NotRegisteredError. */
  get username(): Username {
    return this.#rooms.username;
  }

  /** The own account key. Throws NotRegisteredError. */
  get accountId(): AccountId {
    return this.#rooms.account.key.public;
  }

  /** This device. Throws NotRegisteredError. */
  get deviceId(): DeviceId {
    return this.#rooms.local.device;
  }

  /** The socket to the server. */
  get state(): ConnectionState {
    return this.#rooms.connection.state;
  }

  /** Whether it was locked or panicked: make a new client with a vault opened anew. */
  get isLocked(): boolean {
    return this.#rooms.state.isWiped;
  }

  /** Those that live now. */
  get conversations(): Conversation[] {
    return this.#rooms.switchboard.conversations;
  }

  // The account

  /** Asks whether a username can be claimed. Throws InvalidUsernameError: no account may have it. */
  async isAvailable(username: string): Promise<boolean> {
    await this.#rooms.enter();
    const name = canonicalName(username);
    return !isReserved(name) && (await this.#rooms.api.isAvailable(name));
  }

  /**
   * Makes account and device keys, claims the name, and saves both in the vault.
   *
   * The keys are saved before the server hears of them: if anything fails in between, calling this again with the
   * same name takes it up where it stopped.
   * Throws UsernameTakenError, InvalidUsernameError, AlreadyRegisteredError, TransportError, VaultError.
   */
  async register(username: string): Promise<void> {
    const { api, state, origin, clock, primitives, options } = this.#rooms;
    await this.#rooms.enter();
    if (this.isRegistered) throw new AlreadyRegisteredError();
    const name = canonicalName(username);
    if (isReserved(name)) throw new UsernameTakenError();
    let account = state.knownAccount;
    if (account?.username !== name) {
      account = await OwnAccount.create(primitives, origin.toString(), name, options.kind, clock.now());
      this.#rooms.adopt(account);
      await state.save();
    }
    try {
      await api.register(account);
    } catch (error) {
      if (!(error instanceof UsernameTakenError) || !(await this.#rooms.ownsName(account))) throw error;
    }
    this.#rooms.adopt(account.confirmed());
    await state.save();
  }

  /**
   * Goes online: logs in, connects, publishes pre-keys; then stays online through network changes.
   * Throws NotRegisteredError, UnauthorizedError, RevokedError, TransportError.
   */
  async login(): Promise<void> {
    await this.#rooms.enter();
    if (!this.isRegistered) throw new NotRegisteredError();
    if (this.state === ConnectionState.ONLINE) return;
    await this.#rooms.connection.start();
    await this.#rooms.settle();
    this.#rooms.keepHouse();
  }

  /** Hangs up, goes offline, and lets the server forget the token. `login` goes online again. */
  async logout(): Promise<void> {
    await this.#rooms.goOffline();
    await this.#rooms.api.logout().catch(ignoreClientError);
  }

  /** Everything the server stores of this account. */
  async accountData(): Promise<AccountRecord> {
    await this.#rooms.enterAccount();
    return this.#rooms.api.account();
  }

  /** Erases the account on the server and in the vault, and goes offline. The name never returns. */
  async deleteAccount(): Promise<void> {
    const account = await this.#rooms.enterAccount();
    await this.#rooms.goOffline();
    await this.#rooms.api.deleteAccount(account);
    this.#rooms.api.speakFor(null);
    this.#rooms.state.erase();
    await this.#rooms.state.save();
  }

  // Calls

  /** Looks up an exact name; true when it is online. Throws NotFoundError: unknown, offline, unreachable alike. */
  async discover(username: string): Promise<boolean> {
    await this.#rooms.enterAccount();
    return this.#rooms.api.discover(lookUpName(username));
  }

  /**
   * Rings all online devices of `username`; gives the conversation with the first that accepts. If that name rings
   * here already, it is accepted instead.
   *
   * Throws NotFoundError: unknown, offline or not reachable for you, all alike; DeclinedError, BusyError,
   * NoAnswerError: what came back, or nothing in `timeout` seconds; StoppedError: `signal` fired; KeyChangedError,
   * RefusedIdentityError: keys that do not hold, nothing was sent; TransportError: not online, or the line went.
   */
  async call(username: string, options: CallOptions = {}): Promise<Conversation> {
    const { local } = await this.#rooms.enterAccount();
    const { api, switchboard, connection } = this.#rooms;
    if (connection.state !== ConnectionState.ONLINE) throw new TransportError("You are offline.");
    const name = lookUpName(username);
    const { signal, timeout = RING_SECONDS } = options;
    let ring = switchboard.ringFrom(name);
    let call: OutgoingCall | null = null;
    if (ring === null) {
      const bundles = await unlessStopped(signal, async () => api.bundles(name, signal));
      call = await switchboard.placeCall(name, bundles);
      ring = switchboard.ringFrom(name);
    }
    if (ring !== null) {
      // they rang first: calling back is accepting
      call?.wipe();
      if (call !== null) switchboard.dropCall(call);
      return ring.accept();
    }
    if (call === null || call.offers.length === 0) throw new NotFoundError();
    return this.#ringUntil(call, local.device, timeout, signal);
  }

  /** Incoming rings as they come. One loop at a time; it ends when the client closes. */
  async *rings(): AsyncGenerator<Ring, void, undefined> {
    for await (const ring of this.#rooms.rings.read()) {
      if (ring.end === null) yield ring;
    }
  }

  /** What happens outside conversations. Of more than 256 unread events the oldest fall out. */
  events(): AsyncGenerator<ClientEvent, void, undefined> {
    return this.#rooms.events.read();
  }

  // Contacts

  /** Everyone pinned in the vault, by name. */
  get contacts(): readonly Contact[] {
    return this.#rooms.book.all;
  }

  /** The pinned contact of that name, null if there is none. */
  contact(username: string): Contact | null {
    return this.#rooms.book.find(lookUpName(username));
  }

  /** The number to compare with a contact. The first time takes about 50 ms. Throws NotFoundError. */
  async safetyNumber(username: string): Promise<SafetyNumber> {
    const { account } = this.#contact(username);
    return safetyNumberBetween(this.#rooms.primitives, this.accountId, account);
  }

  /** The same with the changed key of a contact, to compare before `acceptNewKey`. Throws NotFoundError. */
  async newSafetyNumber(username: string): Promise<SafetyNumber> {
    const { changedTo } = this.#contact(username);
    if (changedTo === null) throw new NotFoundError("That contact's key has not changed.");
    return safetyNumberBetween(this.#rooms.primitives, this.accountId, changedTo);
  }

  /** Checks a scanned QR code crosswise. Throws RefusedIdentityError if it is not this contact's. */
  verifySafetyQr(username: string, scanned: Uint8Array): void {
    const { account } = this.#contact(username);
    try {
      verifySafetyQr(scanned, this.accountId, account);
    } catch (error) {
      const isRefusal = error instanceof HandshakeError || error instanceof MalformedError;
      throw isRefusal ? new RefusedIdentityError(error.message) : error;
    }
  }

  /** Notes in the vault that the safety numbers were compared and match. Throws NotFoundError. */
  async markVerified(username: string, verified = true): Promise<void> {
    const { book, clock } = this.#rooms;
    book.mark(this.#contact(username).username, verified ? Math.floor(clock.now()) : null);
    await this.#rooms.state.save();
  }

  /** Goes on with the changed key of a contact, unverified. Throws NotFoundError if none changed. */
  async acceptNewKey(username: string): Promise<void> {
    const { book, clock, state } = this.#rooms;
    if (!book.acceptChange(this.#contact(username).username, clock.now())) {
      throw new NotFoundError("That contact's key has not changed.");
    }
    await state.save();
  }

  /** Removes a contact from the vault; the next contact is a first contact. Throws NotFoundError. */
  async forget(username: string): Promise<void> {
    this.#rooms.book.forget(this.#contact(username).username);
    await this.#rooms.state.save();
  }

  // Choices and ends

  /** Changes what a person may choose while it runs. */
  configure(options: Partial<Omit<ClientOptions, "kind">>): void {
    this.#rooms.configure(options);
  }

  /** The network changed, or the page came back: looks at once whether the line still is one. */
  nudge(): void {
    this.#rooms.connection.nudge();
  }

  /**
   * Wipes every key and buffer from memory and drops the socket, now, without waiting for anything. The vault
   * stays sealed where it is; open it anew to go on.
   */
  panic(): void {
    this.#rooms.panic();
  }

  /** Ends conversations with a word to the peer, then wipes as `panic` does. */
  async lock(): Promise<void> {
    await this.#rooms.lock();
  }

  /** Hangs up, goes offline, stops. The vault stays open for another client. */
  async close(): Promise<void> {
    await this.#rooms.close();
  }

  async #ringUntil(
    call: OutgoingCall,
    device: DeviceId,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<Conversation> {
    const { api, switchboard } = this.#rooms;
    let reason: CancelReason = CancelReason.STOPPED;
    const late = setTimeout(() => {
      reason = CancelReason.NO_ANSWER;
      call.fail(new NoAnswerError());
    }, timeout * 1000);
    const stop = (): void => {
      call.fail(new StoppedError());
    };
    signal?.addEventListener("abort", stop, { once: true });
    try {
      await unlessStopped(signal, async () => api.requestSession(device, call.username, call.offers, signal));
      call.posted();
      await call.outcome.promise;
    } catch (error) {
      call.fail(error instanceof ClientError ? error : new TransportError());
      throw error;
    } finally {
      clearTimeout(late);
      signal?.removeEventListener("abort", stop);
      call.cancel(reason);
      switchboard.dropCall(call);
    }
    const conversation = switchboard.conversationOf(call);
    if (conversation === null) throw new TransportError();
    return conversation;
  }

  #contact(username: string): Contact {
    return this.#rooms.state.contact(lookUpName(username));
  }
}

/** What the rooms of the client see of it, and applications do not. */
class ClientRooms {
  readonly clock = new Clock();
  readonly primitives: Primitives;
  readonly origin: Origin;
  readonly state: DeviceState;
  readonly api: ServerApi;
  readonly switchboard: Switchboard;
  readonly connection: Connection;
  readonly memory = new MemoryBudget();
  readonly events = new Feed<ClientEvent>(UNREAD_EVENTS);
  readonly rings = new Feed<Ring>(UNREAD_RINGS);
  readonly #platform: Platform;
  readonly #lists: ListKeeper;
  #options: ClientOptions;
  #touchedAt: number;
  #housekeeping: ReturnType<typeof setInterval> | null = null;

  constructor(platform: Platform, origin: Origin, vault: Vault, options: ClientOptions) {
    this.#platform = platform;
    this.primitives = platform.primitives;
    this.origin = origin;
    this.#options = options;
    this.#touchedAt = this.clock.now();
    this.state = new DeviceState(this.primitives, vault, origin.toString());
    this.api = new ServerApi(origin.toString(), new Http(origin, platform.fetch), this.primitives);
    this.#lists = new ListKeeper(this.api, this);
    this.switchboard = new Switchboard(this);
    this.connection = new Connection(this);
  }

  // For the application's calls

  get options(): ClientOptions {
    return this.#options;
  }

  configure(options: Partial<Omit<ClientOptions, "kind">>): void {
    this.touched();
    this.#options = { ...this.#options, ...options };
    if (this.#housekeeping === null) return;
    this.#stopHousekeeping(); // it may have to look more often now
    this.keepHouse();
  }

  async enter(): Promise<void> {
    if (this.state.isWiped) throw new LockedError();
    this.touched();
    await this.state.load();
    this.api.speakFor(this.state.knownAccount);
  }

  async enterAccount(): Promise<OwnAccount> {
    await this.enter();
    return this.state.account;
  }

  adopt(account: OwnAccount): void {
    this.state.adopt(account);
    this.api.speakFor(account);
  }

  /** Whether a registration that was cut off had reached the server. */
  async ownsName(account: OwnAccount): Promise<boolean> {
    this.api.speakFor(account);
    try {
      await this.api.token();
      return true;
    } catch (error) {
      if (error instanceof UnauthorizedError) return false;
      throw error;
    }
  }

  /** Waits until the server can find this device: it has taken the pre-keys. Never throws for being slow. */
  async settle(): Promise<void> {
    for (let tries = 0; tries < SETTLE_TRIES; tries++) {
      const isThere = await this.isReached().catch((error: unknown) => {
        ignoreClientError(error);
        return true;
      });
      if (isThere || this.connection.state !== ConnectionState.ONLINE) return;
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MILLISECONDS));
    }
  }

  keepHouse(): void {
    const { lockAfter } = this.options;
    const seconds = Math.min(HOUSEKEEPING_SECONDS, lockAfter ?? HOUSEKEEPING_SECONDS);
    this.#housekeeping ??= setInterval(() => {
      this.spawn(this.#lookAfter());
    }, seconds * 1000);
  }

  async goOffline(): Promise<void> {
    await Promise.all(this.switchboard.conversations.map(async (conversation) => conversation.hangUp()));
    await this.connection.stop();
  }

  async close(): Promise<void> {
    await this.goOffline();
    this.#stopHousekeeping();
    this.api.abort();
    this.state.wipePrekeys();
    this.events.close();
    this.rings.close();
  }

  async lock(): Promise<void> {
    for (const conversation of this.switchboard.conversations) conversation.wipe();
    await this.connection.stop();
    this.panic();
  }

  panic(): void {
    this.state.wipe();
    this.switchboard.wipe();
    this.connection.abort();
    this.api.abort();
    this.#stopHousekeeping();
    this.events.put({ type: "client-locked" });
    this.events.close();
    this.rings.close();
  }

  // For the rooms

  get account(): OwnAccount {
    return this.state.account;
  }

  get local(): LocalDevice {
    return this.state.account.local;
  }

  get username(): Username {
    return this.state.account.username;
  }

  get book(): ContactBook {
    return this.state.book;
  }

  get prekeys(): PreKeyStore {
    return this.state.prekeys;
  }

  get receipts(): boolean {
    return this.options.receipts;
  }

  get autoBusy(): boolean {
    return this.options.autoBusy;
  }

  get allowDirect(): boolean {
    return this.options.allowDirect;
  }

  get isBusy(): boolean {
    return this.switchboard.isBusy;
  }

  draw(): number {
    return new DataView(this.primitives.random(4).buffer).getUint32(0) / 2 ** 32;
  }

  tell(event: ClientEvent): void {
    this.events.put(event);
  }

  touched(): void {
    this.#touchedAt = this.clock.now();
  }

  ringCame(ring: Ring): void {
    this.rings.put(ring);
  }

  saveSoon(): void {
    this.spawn(this.state.save());
  }

  spawn(work: Promise<void>): void {
    work.catch(() => undefined);
  }

  async dial(): Promise<ServerSocket> {
    const token = await this.api.token();
    try {
      return await ServerSocket.open(this.#platform, this.origin, token);
    } catch (error) {
      if (!(error instanceof SocketClosedError) || error.code !== CloseCode.UNAUTHORIZED) throw error;
      this.api.forgetToken();
      return ServerSocket.open(this.#platform, this.origin, await this.api.token());
    }
  }

  online(socket: ServerSocket): void {
    this.switchboard.online(socket);
  }

  offline(): void {
    this.switchboard.offline();
  }

  connectionChanged(change: ConnectionChanged): void {
    this.events.put(change);
    if (change.state === ConnectionState.ONLINE) this.ownListIsBehind();
  }

  async isReached(): Promise<boolean> {
    try {
      return await this.api.discover(this.username);
    } catch (error) {
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  }

  conversationOver(conversation: Conversation): void {
    this.switchboard.conversationOver(conversation);
  }

  async peerListShown(peer: Member, shown: DeviceList): Promise<HeldList> {
    const pinned = this.book.pinned(peer.username);
    if (pinned === null || !isSame(pinned.account, peer.account)) {
      throw new StaleDeviceListError("the peer is no longer a contact");
    }
    const accepted = await pinned.accept(this.primitives, shown, this.clock.now());
    if (this.book.pinned(peer.username) === null) throw new StaleDeviceListError("no longer a contact");
    if (this.book.remember(peer.username, accepted, this.clock.now())) this.saveSoon();
    return { version: accepted.version, digest: accepted.digest };
  }

  async ownListReported(conversation: Conversation, version: number, digest: Uint8Array): Promise<void> {
    const own = this.local.deviceList;
    if (version < own.version) conversation.showList(own);
    else if (version > own.version) this.ownListIsBehind();
    else if (!isSame(digest, await digestDeviceList(this.primitives, own))) {
      this.#warnOfOwnList(ServerWarning.FORKED_DEVICE_LIST);
      await conversation.leaveFor(EndReason.FORKED);
    }
  }

  ownListIsBehind(): void {
    this.spawn(this.#compareOwnList());
  }

  async adoptList(account: OwnAccount): Promise<void> {
    this.adopt(account);
    await this.state.save();
    for (const conversation of this.switchboard.conversations)
      conversation.showList(account.local.deviceList);
  }

  /** Looks at the list the server shows for this account; a list we did not sign is its lie. */
  async #compareOwnList(): Promise<void> {
    try {
      await this.#lists.compare();
    } catch (error) {
      if (error instanceof RevokedError) {
        const { message: reason, name: fault } = error;
        await this.connection.stop();
        const state = ConnectionState.OFFLINE;
        this.events.put({ type: "connection-changed", state, reason, fault, retryAt: null });
      } else if (error instanceof RefusedIdentityError) {
        this.#warnOfOwnList(ServerWarning.UNSIGNED_DEVICE_LIST);
      } else ignoreClientError(error); // not reachable: the next connection compares again
    }
  }

  /** Renews what ages, and locks when nobody is there. */
  async #lookAfter(): Promise<void> {
    const now = this.clock.now();
    const { lockAfter } = this.options;
    if (lockAfter !== null && now - this.#touchedAt >= lockAfter) {
      await this.lock();
      return;
    }
    this.prekeys.expire(now);
    if (this.prekeys.isRenewalDue(now)) await this.switchboard.publish();
    if (this.#lists.isRenewalDue) await this.#lists.renew();
  }

  #stopHousekeeping(): void {
    if (this.#housekeeping !== null) clearInterval(this.#housekeeping);
    this.#housekeeping = null;
  }

  #warnOfOwnList(warning: ServerWarning): void {
    const sentence = "The server shows other people a device list that this account did not sign.";
    this.events.put({ type: "server-warned", warning, about: this.username, sentence });
  }
}

/** Runs a request that `signal` stops. Throws StoppedError then. */
async function unlessStopped<T>(signal: AbortSignal | undefined, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (signal?.aborted === true && error instanceof LocalProtocolError) throw new StoppedError();
    throw error;
  }
}

function ignoreClientError(error: unknown): void {
  if (!(error instanceof ClientError)) throw error;
}

function canonicalName(username: string): Username {
  try {
    return canonical(username);
  } catch (error) {
    throw error instanceof MalformedError ? new InvalidUsernameError() : error;
  }
}

/** The name to look up: an illegal one is nobody's, and the answer is the same. */
function lookUpName(username: string): Username {
  try {
    return canonical(username);
  } catch (error) {
    throw error instanceof MalformedError ? new NotFoundError() : error;
  }
}

/** The front door: an account on this device, its contacts, and the calls it makes and takes. */
import { HandshakeError, LocalProtocolError, MalformedError } from "../core/errors.ts";
import { CancelReason } from "../core/handshake/index.ts";
import type { AccountId, DeviceId, Username } from "../core/ids.ts";
import { RING_SECONDS } from "../core/limits.ts";
import { verifySafetyQr } from "../core/safety-number.ts";
import { canonical, isReserved } from "../core/username.ts";
import type { Conversation } from "./conversation.ts";
import {
  AlreadyRegisteredError,
  ClientError,
  InvalidUsernameError,
  NoAnswerError,
  NotFoundError,
  NotRegisteredError,
  RefusedIdentityError,
  StoppedError,
  TransportError,
  UsernameTakenError,
} from "./errors.ts";
import { type ClientEvent, ConnectionState } from "./events.ts";
import { Origin } from "./origin.ts";
import type { OutgoingCall } from "./outgoing-call.ts";
import { OwnAccount } from "./own-account.ts";
import { type Contact, type SafetyNumber, safetyNumberBetween } from "./people.ts";
import type { Platform } from "./platform.ts";
import type { Ring } from "./ring.ts";
import { type AccountRecord } from "./server-api.ts";
import type { Vault } from "./vault/vault.ts";
import { type ClientOptions, ClientRooms, DEFAULT_OPTIONS, ignoreClientError } from "./client-rooms.ts";

export { type ClientOptions, DEFAULT_OPTIONS } from "./client-rooms.ts";

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
   * Goes online: logs in, connects, publishes pre-keys; then stays online through network changes. When it is done,
   * the server delivers rings.
   * Throws NotRegisteredError, UnauthorizedError, RevokedError, TransportError.
   */
  async login(): Promise<void> {
    await this.#rooms.enter();
    if (!this.isRegistered) throw new NotRegisteredError();
    if (this.state === ConnectionState.ONLINE) return;
    await this.#rooms.connection.start();
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
    if (connection.socket === null) throw new TransportError("You are offline.");
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
    this.#rooms.nudge();
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

/** Runs a request that `signal` stops. Throws StoppedError then. */
async function unlessStopped<T>(signal: AbortSignal | undefined, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (signal?.aborted === true && error instanceof LocalProtocolError) throw new StoppedError();
    throw error;
  }
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

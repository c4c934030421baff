/** The rooms of one client, as they see each other: what applications do not get to see. */
import { DeviceKind } from "../core/certificate.ts";
import type { DeviceList } from "../core/device-list.ts";
import { digestDeviceList } from "../core/device-list.ts";
import { StaleDeviceListError } from "../core/errors.ts";
import type { LocalDevice } from "../core/identity.ts";
import type { CallId, Username } from "../core/ids.ts";
import type { PreKeyStore } from "../core/prekeys.ts";
import type { Primitives } from "../core/primitives.ts";
import type { HeldList } from "../core/session.ts";
import { CloseCode } from "../core/codes.ts";
import { Clock } from "./clock.ts";
import { Connection } from "./connection.ts";
import type { ContactBook } from "./contact-book.ts";
import type { Conversation } from "./conversation.ts";
import { DeviceState } from "./device-state.ts";
import {
  ClientError,
  EndReason,
  LockedError,
  NotFoundError,
  RefusedIdentityError,
  RevokedError,
  UnauthorizedError,
} from "./errors.ts";
import { type ClientEvent, type ConnectionChanged, ConnectionState, ServerWarning } from "./events.ts";
import { Feed } from "./feed.ts";
import { MemoryBudget } from "./file-target.ts";
import { Http } from "./http.ts";
import { ListKeeper } from "./list-keeper.ts";
import type { Origin } from "./origin.ts";
import type { OwnAccount } from "./own-account.ts";
import { isSame, type Member } from "./people.ts";
import type { Platform } from "./platform.ts";
import type { Ring } from "./ring.ts";
import type { IceServers, RtcPort } from "./rtc/port.ts";
import { ServerApi } from "./server-api.ts";
import { ServerSocket, SocketClosedError } from "./server-socket.ts";
import { Switchboard } from "./switchboard.ts";
import type { Vault } from "./vault/vault.ts";

const HOUSEKEEPING_SECONDS = 20;
const UNREAD_EVENTS = 256;
const UNREAD_RINGS = 8;

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

/** Account, server, calls and socket of one client, and what they need of each other. */
export class ClientRooms {
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

  get mayUseLoopback(): boolean {
    return this.origin.isLoopback;
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

  nudge(): void {
    this.connection.nudge();
    for (const conversation of this.switchboard.conversations) conversation.nudge();
  }

  preKeysTaken(): void {
    this.connection.confirm();
  }

  async prepareRtc(): Promise<RtcPort | null> {
    return (await this.#platform.rtc?.prepare()) ?? null;
  }

  async turnCredentials(callId: CallId): Promise<IceServers | null> {
    try {
      return await this.api.turnCredentials(callId);
    } catch (error) {
      if (error instanceof NotFoundError) return null;
      throw error;
    }
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

/** Lets the errors pass that a person can do nothing about. */
export function ignoreClientError(error: unknown): void {
  if (!(error instanceof ClientError)) throw error;
}

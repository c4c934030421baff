/** The HTTP half of the server, call by call, with the signatures and the token it asks for. */

import { encodeCertificate } from "../core/certificate.ts";
import { encodeDeviceList, MAX_DEVICE_LIST_BYTES } from "../core/device-list.ts";
import { ascii, concat, lp16 } from "../core/encoding.ts";
import { MalformedError } from "../core/errors.ts";
import { SessionToken } from "../core/frames.ts";
import type { CallId, DeviceId, Username } from "../core/ids.ts";
import {
  MAX_ACTIVE_DEVICES,
  MAX_BUNDLE_BYTES,
  MAX_CLOCK_ERROR_SECONDS,
  MAX_TOKEN_BYTES,
} from "../core/limits.ts";
import type { Primitives } from "../core/primitives.ts";
import { CURRENT, formatVersion, isCompatible } from "../core/version.ts";
import { toBase64 } from "./base64.ts";
import { ClockError, NotFoundError, UnauthorizedError, VersionMismatchError } from "./errors.ts";
import type { Http, RequestParts } from "./http.ts";
import type { Members } from "./json.ts";
import type { OwnAccount } from "./own-account.ts";
import { isSame } from "./people.ts";
import type { IceServers } from "./rtc/port.ts";

/** A token this close to its end is renewed before it is used. */
export const TOKEN_MARGIN_SECONDS = 60;

const MAX_TOKEN_LIFE_SECONDS = 3600;
const MAX_CHALLENGE_BYTES = 128;

const MAX_ICE_URLS = 8;
const MAX_CREDENTIAL_LENGTH = 256;
const HOST_AND_PORT = "(?:[A-Za-z0-9.-]{1,253}|\\[[0-9A-Fa-f:.]{2,45}\\])(?::[0-9]{1,5})?";
const TURN_URL = new RegExp(`^turns?:${HOST_AND_PORT}(?:\\?transport=(?:udp|tcp))?$`, "u");
const STUN_URL = new RegExp(`^stuns?:${HOST_AND_PORT}$`, "u");

/** All that the server stores of the asking account. */
export interface AccountRecord {
  readonly username: string;
  readonly deviceList: Uint8Array;
  readonly certificates: readonly Uint8Array[];
}

interface IssuedToken {
  readonly token: SessionToken;
  readonly expiresAt: number;
}

/**
 * One server, for one account at a time. Errors are those of `Http.request`.
 *
 * The token is kept in memory only; it is fetched when first needed, renewed before it ends, and fetched anew when
 * the server no longer knows it.
 */
export class ServerApi {
  readonly #origin: string;
  readonly #http: Http;
  readonly #primitives: Primitives;
  #token: SessionToken | null = null;
  #tokenUntil = 0;
  #fetching: Promise<SessionToken> | null = null;
  #account: OwnAccount | null = null;
  #isChecked = false;

  constructor(origin: string, http: Http, primitives: Primitives) {
    this.#origin = origin;
    this.#http = http;
    this.#primitives = primitives;
  }

  /** Logs in as `account` from now on. Its own keys do not change, so a token in hand stays. */
  speakFor(account: OwnAccount | null): void {
    const before = this.#account?.local.device;
    if (account === null || before === undefined || !isSame(before, account.local.device)) this.#token = null;
    this.#account = account;
  }

  /** Asks once what the server speaks. Throws VersionMismatchError. */
  async checkVersion(): Promise<void> {
    if (this.#isChecked) return;
    const spoken = await this.#http.request("GET", "/v1/server", (members) => ({
      major: members.count("major"),
      minor: members.count("minor"),
    }));
    if (!isCompatible(CURRENT, spoken)) {
      throw new VersionMismatchError(
        `The server speaks version ${formatVersion(spoken)} of the protocol, this page ${formatVersion(CURRENT)}.`,
      );
    }
    this.#isChecked = true;
  }

  /** Says whether a name can be claimed. */
  async isAvailable(username: Username): Promise<boolean> {
    const read = (members: Members): boolean => members.flag("available");
    return this.#http.request("POST", "/v1/usernames/check", read, { body: { username } });
  }

  /** Claims the account's name. Throws UsernameTakenError, ClockError. */
  async register(account: OwnAccount): Promise<void> {
    await this.checkVersion();
    const { local, username } = account;
    const certificate = encodeCertificate(local.certificate);
    const deviceList = encodeDeviceList(local.deviceList);
    const challenge = await this.#challenge(local.device);
    this.#requireClock();
    const message = concat(
      lp16(ascii(this.#origin)),
      local.device,
      lp16(challenge),
      lp16(ascii(username)),
      await this.#primitives.sha256(certificate),
      await this.#primitives.sha256(deviceList),
    );
    const body = {
      username,
      certificate: toBase64(certificate),
      deviceList: toBase64(deviceList),
      challenge: toBase64(challenge),
      signature: toBase64(await local.keys.sign("register", message)),
    };
    this.#account = account;
    this.#keep(await this.#http.request("POST", "/v1/accounts", readToken, { body }));
  }

  /** A token that is good for a while. Throws UnauthorizedError, ClockError. */
  async token(): Promise<SessionToken> {
    const token = this.#token;
    if (token !== null && performance.now() / 1000 <= this.#tokenUntil - TOKEN_MARGIN_SECONDS) return token;
    this.#fetching ??= this.#freshToken().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  /** The server no longer takes the token. */
  forgetToken(): void {
    this.#token = null;
  }

  /** Lets the server forget the token. */
  async logout(): Promise<void> {
    const token = this.#token;
    this.#token = null;
    if (token !== null) await this.#http.request("POST", "/v1/logout", readDone, { token });
  }

  /** Says whether a name is online. Throws NotFoundError for every refusal. */
  async discover(username: string): Promise<boolean> {
    return this.#ask("POST", "/v1/discover", requireFound("ok", readOnline), { body: { username } });
  }

  /** The bundles of a name's online devices. Throws NotFoundError. */
  async bundles(username: string, signal?: AbortSignal): Promise<Uint8Array[]> {
    const read = requireFound("ok", readBundles);
    const found = await this.#ask("POST", "/v1/bundles", read, { body: { username }, signal });
    if (found.length === 0) throw new NotFoundError();
    return found;
  }

  /** Rings. Throws NotFoundError. */
  async requestSession(
    device: DeviceId,
    username: string,
    offers: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<void> {
    const body = { fromDeviceId: toBase64(device), toUsername: username, offer: offers.map(toBase64) };
    const read = requireFound("delivered", () => undefined);
    await this.#ask("POST", "/v1/requestSession", read, { body, signal });
  }

  /** TURN credentials for an accepted call. Throws NotFoundError: none for this call, or the host runs no TURN. */
  async turnCredentials(callId: CallId): Promise<IceServers> {
    const read = requireFound("ok", readIceServers);
    return this.#ask("POST", "/v1/turnCredentials", read, { body: { callId: toBase64(callId) } });
  }

  /** All the server stores of this account. */
  async account(): Promise<AccountRecord> {
    return this.#ask("GET", "/v1/account", readAccount);
  }

  /** Publishes the next version of the device list. */
  async putDeviceList(deviceList: Uint8Array, certificates: readonly Uint8Array[]): Promise<void> {
    const body = { deviceList: toBase64(deviceList), certificates: certificates.map(toBase64) };
    await this.#ask("PUT", "/v1/deviceList", readDone, { body });
  }

  /** Erases the account. */
  async deleteAccount(account: OwnAccount): Promise<void> {
    const challenge = await this.#challenge(account.local.device);
    const message = concat(lp16(ascii(this.#origin)), lp16(challenge), lp16(ascii(account.username)));
    const signature = await account.key.sign("account-delete", message);
    const body = { challenge: toBase64(challenge), signature: toBase64(signature) };
    await this.#ask("DELETE", "/v1/account", readDone, { body });
    this.#token = null;
  }

  /** Drops requests and token now. */
  abort(): void {
    this.#token = null;
    this.#account = null;
    this.#http.abort();
  }

  async #freshToken(): Promise<SessionToken> {
    if (this.#token !== null) {
      try {
        const token = this.#token;
        return this.#keep(await this.#http.request("POST", "/v1/token/renew", readToken, { token }));
      } catch (error) {
        if (!(error instanceof UnauthorizedError)) throw error;
      }
    }
    return this.#login();
  }

  async #login(): Promise<SessionToken> {
    const account = this.#account;
    if (account === null) throw new UnauthorizedError();
    await this.checkVersion();
    const { device, keys } = account.local;
    const challenge = await this.#challenge(device);
    this.#requireClock();
    const signature = await keys.sign("login", concat(lp16(ascii(this.#origin)), device, lp16(challenge)));
    const body = {
      deviceId: toBase64(device),
      challenge: toBase64(challenge),
      signature: toBase64(signature),
    };
    return this.#keep(await this.#http.request("POST", "/v1/login", readToken, { body }));
  }

  async #challenge(device: DeviceId): Promise<Uint8Array> {
    return this.#http.request("POST", "/v1/challenge", readChallenge, {
      body: { deviceId: toBase64(device) },
    });
  }

  /** Asks with the token; once more with a fresh one if the server no longer knows it. */
  async #ask<Answer>(
    method: string,
    path: string,
    read: (members: Members) => Answer,
    parts: RequestParts = {},
  ): Promise<Answer> {
    try {
      return await this.#http.request(method, path, read, { ...parts, token: await this.token() });
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      this.forgetToken();
      return this.#http.request(method, path, read, { ...parts, token: await this.token() });
    }
  }

  #requireClock(): void {
    const error = this.#http.clockError;
    if (error !== null && Math.abs(error) > MAX_CLOCK_ERROR_SECONDS) throw new ClockError(error);
  }

  #keep({ token, expiresAt }: IssuedToken): SessionToken {
    if (this.#account === null) throw new UnauthorizedError(); // aborted meanwhile
    const life = Math.min(Math.max(expiresAt - Date.now() / 1000, 0), MAX_TOKEN_LIFE_SECONDS);
    this.#token = token;
    this.#tokenUntil = performance.now() / 1000 + (life > 0 ? life : 2 * TOKEN_MARGIN_SECONDS);
    return token;
  }
}

function readToken(members: Members): IssuedToken {
  const token = members.text("token");
  if (token.length === 0 || token.length > MAX_TOKEN_BYTES) throw new MalformedError("an impossible token");
  return { token: new SessionToken(token), expiresAt: members.count("expiresAt") };
}

function readChallenge(members: Members): Uint8Array {
  const challenge = members.bytes("challenge");
  if (challenge.length === 0 || challenge.length > MAX_CHALLENGE_BYTES) {
    throw new MalformedError("an impossible challenge");
  }
  return challenge;
}

function readDone(members: Members): void {
  if (members.text("result") !== "ok") throw new MalformedError("not done");
}

function readOnline(members: Members): boolean {
  return members.flag("online");
}

function readBundles(members: Members): Uint8Array[] {
  const bundles = members.byteStrings("bundles", MAX_ACTIVE_DEVICES);
  if (bundles.some(({ length }) => length > MAX_BUNDLE_BYTES)) throw new MalformedError("a huge bundle");
  return bundles;
}

/** What is named as a server is tried by the browser: nothing but TURN and STUN, and not many. */
function readIceServers(members: Members): IceServers {
  const turn = members.texts("urls", MAX_ICE_URLS);
  const stun = members.texts("stunUrls", MAX_ICE_URLS);
  const isSound =
    turn.length > 0 && turn.every((url) => TURN_URL.test(url)) && stun.every((url) => STUN_URL.test(url));
  const [username, credential] = [members.text("username"), members.text("credential")];
  if (!isSound || username.length > MAX_CREDENTIAL_LENGTH || credential.length > MAX_CREDENTIAL_LENGTH) {
    throw new MalformedError("impossible TURN credentials");
  }
  return { turn, stun, username, credential };
}

function readAccount(members: Members): AccountRecord {
  const deviceList = members.bytes("deviceList");
  if (deviceList.length > MAX_DEVICE_LIST_BYTES) throw new MalformedError("a huge device list");
  const certificates = members.byteStrings("certificates", MAX_ACTIVE_DEVICES);
  return { username: members.text("username"), deviceList, certificates };
}

/** Reads an answer whose `result` is `found`; any other one is NotFoundError. */
function requireFound<Answer>(
  found: string,
  read: (members: Members) => Answer,
): (members: Members) => Answer {
  return (members) => {
    if (members.text("result") !== found) throw new NotFoundError();
    return read(members);
  };
}

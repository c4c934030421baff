/** The own account on this device: its keys, its certificate and its signed device list. */

import {
  type Certificate,
  decodeCertificate,
  type DeviceKind,
  digestCertificate,
  encodeCertificate,
} from "../core/certificate.ts";
import {
  decodeDeviceList,
  type DeviceList,
  digestDeviceList,
  encodeDeviceList,
  listedCertificateDigest,
} from "../core/device-list.ts";
import { HandshakeError, WhispError } from "../core/errors.ts";
import {
  AccountKey,
  DeviceKeys,
  issueCertificate,
  issueDeviceList,
  LocalDevice,
  PinnedAccount,
} from "../core/identity.ts";
import type { Username } from "../core/ids.ts";
import type { Primitives } from "../core/primitives.ts";
import { SecretState } from "../core/secret.ts";
import { canonical } from "../core/username.ts";
import { DamagedVaultError, RefusedIdentityError, RevokedError } from "./errors.ts";
import { isSame } from "./people.ts";
import { StoredAccount } from "./vault/contents.ts";

/** Who this device is. Its secrets stay inside the key objects, which show nothing. */
export class OwnAccount extends SecretState {
  readonly kind = "OwnAccount";
  readonly origin: string;
  readonly username: Username;
  readonly key: AccountKey;
  readonly local: LocalDevice;
  /** Whether the server is known to have taken the registration. */
  readonly isConfirmed: boolean;
  readonly #primitives: Primitives;

  private constructor(
    primitives: Primitives,
    origin: string,
    username: Username,
    key: AccountKey,
    local: LocalDevice,
    isConfirmed: boolean,
  ) {
    super();
    this.#primitives = primitives;
    this.origin = origin;
    this.username = username;
    this.key = key;
    this.local = local;
    this.isConfirmed = isConfirmed;
  }

  /** Makes fresh keys, a certificate and version 1 of the device list. */
  static async create(
    primitives: Primitives,
    origin: string,
    username: Username,
    kind: DeviceKind,
    now: number,
  ): Promise<OwnAccount> {
    const key = await AccountKey.generate(primitives);
    const keys = await DeviceKeys.generate(primitives);
    const certificate = await issueCertificate(key, keys.public, kind, now);
    const list = await issueDeviceList(primitives, key, [certificate], now, null);
    const local = await LocalDevice.create(primitives, certificate, list, keys);
    return new OwnAccount(primitives, origin, username, key, local, false);
  }

  /** What `store` wrote; `stored` is wiped. Throws DamagedVaultError. */
  static async restore(primitives: Primitives, stored: StoredAccount): Promise<OwnAccount> {
    try {
      const { seed, deviceKeys } = stored.expose();
      const local = await LocalDevice.create(
        primitives,
        decodeCertificate(stored.certificate),
        decodeDeviceList(stored.deviceList),
        await DeviceKeys.restore(primitives, deviceKeys),
      );
      const key = await AccountKey.fromSeed(primitives, seed);
      if (!isSame(key.public, local.account)) throw new DamagedVaultError();
      const { origin, username, isConfirmed } = stored;
      return new OwnAccount(primitives, origin, canonical(username), key, local, isConfirmed);
    } catch (error) {
      if (error instanceof WhispError) throw new DamagedVaultError();
      throw error;
    } finally {
      stored.wipe();
    }
  }

  /** The account as the vault keeps it. */
  store(): StoredAccount {
    return new StoredAccount({
      origin: this.origin,
      username: this.username,
      seed: this.key.seed(),
      deviceKeys: this.local.keys.export(),
      certificate: encodeCertificate(this.local.certificate),
      deviceList: encodeDeviceList(this.local.deviceList),
      isConfirmed: this.isConfirmed,
    });
  }

  /** The account, known to the server. */
  confirmed(): OwnAccount {
    return this.#with(this.local, true);
  }

  /** The account with another list of its own. Throws RevokedError if it lacks this device. */
  async withList(deviceList: DeviceList): Promise<OwnAccount> {
    const listed = listedCertificateDigest(deviceList, this.local.device);
    const own = await digestCertificate(this.#primitives, this.local.certificate);
    if (listed === null || !isSame(listed, own)) throw new RevokedError();
    return this.#with(await this.local.withDeviceList(this.#primitives, deviceList), this.isConfirmed);
  }

  /** The account with the next list version, of the same devices, valid for seven days. */
  async renewed(certificates: readonly Certificate[], now: number): Promise<OwnAccount> {
    const current = this.local.deviceList;
    return this.withList(await issueDeviceList(this.#primitives, this.key, certificates, now, current));
  }

  /**
   * Compares the list the server shows for this account with ours; gives the account to go on with: this one if
   * both are the same or the server's is older, one with the server's if another device of ours signed it.
   *
   * Throws RefusedIdentityError: this account did not sign it, or it contradicts ours; RevokedError: it is ours,
   * and this device is not in it.
   */
  async judge(shown: DeviceList, now: number): Promise<OwnAccount> {
    const own = this.local.deviceList;
    if (isSame(shown.account, this.key.public) && shown.version < own.version) return this;
    const digest = await digestDeviceList(this.#primitives, own);
    const memory = new PinnedAccount(this.key.public, own.version, digest);
    let accepted: PinnedAccount;
    try {
      accepted = await memory.accept(this.#primitives, shown, now);
    } catch (error) {
      if (error instanceof HandshakeError) throw new RefusedIdentityError(error.message);
      throw error;
    }
    return accepted === memory ? this : this.withList(shown);
  }

  /** Drops every private key; best effort, as the language allows. */
  wipe(): void {
    this.key.wipe();
    this.local.keys.wipe();
  }

  #with(local: LocalDevice, isConfirmed: boolean): OwnAccount {
    return new OwnAccount(this.#primitives, this.origin, this.username, this.key, local, isConfirmed);
  }
}

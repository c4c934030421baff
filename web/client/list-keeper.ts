/** Keeps the own device list true: renewed in time, the same here, on the server and with the peers. */

import {
  type Certificate,
  decodeCertificate,
  digestCertificate,
  encodeCertificate,
} from "../core/certificate.ts";
import { decodeDeviceList, type DeviceList, encodeDeviceList } from "../core/device-list.ts";
import { toHex } from "../core/encoding.ts";
import { MalformedError } from "../core/errors.ts";
import { renewalDue } from "../core/identity.ts";
import type { Primitives } from "../core/primitives.ts";
import type { Clock } from "./clock.ts";
import { RefusedIdentityError, ServerFaultError } from "./errors.ts";
import type { OwnAccount } from "./own-account.ts";
import type { AccountRecord, ServerApi } from "./server-api.ts";

/** What the keeper needs of its client. */
export interface ListKeeperHost {
  readonly primitives: Primitives;
  readonly clock: Clock;
  /** The own account, as it is now. Throws LockedError, NotRegisteredError. */
  readonly account: OwnAccount;
  /** Goes on with an account that carries a newer list: saves it, and shows its list to the peers. */
  adoptList(account: OwnAccount): Promise<void>;
}

/** Compares the list the server shows with the one in the vault, and renews it. */
export class ListKeeper {
  readonly #api: ServerApi;
  readonly #host: ListKeeperHost;

  constructor(api: ServerApi, host: ListKeeperHost) {
    this.#api = api;
    this.#host = host;
  }

  /**
   * Looks at the list the server shows for this account, and brings both sides up to date.
   *
   * Throws RefusedIdentityError: this account did not sign it, the server lies; RevokedError: it is ours, and this
   * device is not in it.
   */
  async compare(): Promise<void> {
    const record = await this.#api.account();
    const { account } = this.#host;
    let shown: DeviceList;
    try {
      shown = decodeDeviceList(record.deviceList);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      throw new RefusedIdentityError("the server shows no device list");
    }
    const judged = await account.judge(shown, this.#host.clock.now());
    if (judged !== account) await this.#host.adoptList(judged);
    if (this.isRenewalDue) await this.renew();
    else if (shown.version < judged.local.deviceList.version) await this.#put(judged, record);
  }

  /** Whether the list should be signed anew. */
  get isRenewalDue(): boolean {
    return renewalDue(this.#host.account.local.deviceList, this.#host.clock.now());
  }

  /** Signs the next version: first into the vault, then to the server. */
  async renew(): Promise<void> {
    const record = await this.#api.account();
    const { account } = this.#host;
    const certificates = await this.#certificates(account, record);
    const renewed = await account.renewed(certificates, this.#host.clock.now());
    await this.#host.adoptList(renewed);
    await this.#put(renewed, record);
  }

  async #put(account: OwnAccount, record: AccountRecord): Promise<void> {
    const certificates = await this.#certificates(account, record);
    await this.#api.putDeviceList(
      encodeDeviceList(account.local.deviceList),
      certificates.map(encodeCertificate),
    );
  }

  /** The certificate of every active device, from the server but named by our own signed list. */
  async #certificates(account: OwnAccount, record: AccountRecord): Promise<Certificate[]> {
    const known = new Map<string, Certificate>();
    for (const certificate of [account.local.certificate, ...decodable(record.certificates)]) {
      known.set(toHex(await digestCertificate(this.#host.primitives, certificate)), certificate);
    }
    return account.local.deviceList.active.map((device) => {
      const certificate = known.get(toHex(device.certificateDigest));
      if (certificate === undefined) throw new ServerFaultError();
      return certificate;
    });
  }
}

function decodable(encoded: readonly Uint8Array[]): Certificate[] {
  return encoded.flatMap((bytes) => {
    try {
      return [decodeCertificate(bytes)];
    } catch (error) {
      if (error instanceof MalformedError) return [];
      throw error;
    }
  });
}

/** Accounts with devices, to make calls between. */

import { expect } from "vitest";

import { type Certificate, DeviceKind } from "../../core/certificate.ts";
import type { DeviceList } from "../../core/device-list.ts";
import { HandshakeError, type HandshakeReason } from "../../core/errors.ts";
import {
  CallFlags,
  type IncomingCall,
  NO_FINGERPRINT,
  type OfferedCall,
  placeOffer,
  type Proposal,
  receiveOffer,
} from "../../core/handshake/index.ts";
import {
  AccountKey,
  DeviceKeys,
  issueCertificate,
  issueDeviceList,
  LocalDevice,
  type PinnedAccount,
  type Spoken,
  SPOKEN,
} from "../../core/identity.ts";
import { asCallId } from "../../core/ids.ts";
import { type PreKeyBundle, PreKeyKind, type PreKeyRecord } from "../../core/prekey.ts";
import { PreKeyStore } from "../../core/prekeys.ts";
import { primitives } from "../platform.ts";

export const NOW = 1_800_000_000;
export const FIRST_MESSAGE = Uint8Array.of(0x10, 1, 2, 3);

/** An account with one device that is online. */
export class Person {
  readonly account: AccountKey;
  readonly keys: DeviceKeys;
  readonly certificate: Certificate;
  readonly deviceList: DeviceList;
  readonly local: LocalDevice;
  readonly prekeys: PreKeyStore;

  private constructor(account: AccountKey, local: LocalDevice) {
    this.account = account;
    this.keys = local.keys;
    this.certificate = local.certificate;
    this.deviceList = local.deviceList;
    this.local = local;
    this.prekeys = new PreKeyStore(primitives, local.keys, local.spoken);
  }

  static async create(spoken: Spoken = SPOKEN): Promise<Person> {
    const keys = await DeviceKeys.generate(primitives);
    return Person.holding(await AccountKey.generate(primitives), keys, spoken);
  }

  /** A person of an account whose only device holds these keys. */
  static async holding(account: AccountKey, keys: DeviceKeys, spoken: Spoken = SPOKEN): Promise<Person> {
    const certificate = await issueCertificate(account, keys.public, DeviceKind.WEB, NOW);
    const list = await issueDeviceList(primitives, account, [certificate], NOW, null);
    return new Person(account, await LocalDevice.create(primitives, certificate, list, keys, spoken));
  }

  /** What a server would give out about this device. */
  async bundle(now: number = NOW, hasOneTime = true): Promise<PreKeyBundle> {
    const records = await this.prekeys.publish(now);
    const [signed, oneTime] = [PreKeyKind.SIGNED, PreKeyKind.ONE_TIME].map((kind) =>
      records.find((record) => record.kind === kind),
    ) as [PreKeyRecord, PreKeyRecord];
    const { certificate, deviceList } = this;
    return { certificate, deviceList, signed, oneTime: hasOneTime ? oneTime : null };
  }

  /** Rings with this bundle. */
  async ring(
    bundle: PreKeyBundle,
    change: Partial<Proposal> = {},
    pinned: PinnedAccount | null = null,
  ): Promise<OfferedCall> {
    return placeOffer(primitives, this.local, bundle, pinned, { ...proposal(), ...change }, NOW);
  }

  /** Takes an OFFER, as one who knows nobody. */
  async hear(
    offer: Uint8Array,
    now: number = NOW,
    pinned: PinnedAccount | null = null,
  ): Promise<IncomingCall> {
    return receiveOffer(primitives, this.local, this.prekeys, offer, () => pinned, now);
  }
}

/** A proposal with a call id of its own. */
export function proposal(): Proposal {
  return {
    callId: asCallId(primitives.random(16)),
    transport: Uint8Array.of(1, 2, 3),
    fingerprint: NO_FINGERPRINT,
    callFlags: CallFlags.DIRECT,
  };
}

/** Asserts that `attempt` is refused for `reason`. */
export async function refused(reason: HandshakeReason, attempt: Promise<unknown>): Promise<HandshakeError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HandshakeError);
  expect((error as HandshakeError).reason).toBe(reason);
  return error as HandshakeError;
}

/**
 * Who is who: account keys, device keys, and what one account remembers of another (spec/identity.md).
 *
 * Three private keys, each for one purpose: AK signs certificates and device lists, DK_sign signs pre-keys and
 * log-ins, DK_dh authenticates calls by Diffie-Hellman and never signs.
 */

import {
  type Certificate,
  CERTIFICATE_LABEL,
  certificateToBeSigned,
  type DeviceKind,
  digestCertificate,
  MAX_CERTIFICATE_SECONDS,
  verifyCertificate,
} from "./certificate.ts";
import {
  DEVICE_LIST_LABEL,
  type DeviceList,
  deviceListToBeSigned,
  digestDeviceList,
  FIRST_PREVIOUS,
  listedCertificateDigest,
  MAX_DEVICE_LIST_SECONDS,
  verifyDeviceList,
} from "./device-list.ts";
import { concat, Reader, toHex, u8 } from "./encoding.ts";
import {
  ExpiredError,
  ForkedDeviceListError,
  HandshakeError,
  HandshakeReason,
  LocalProtocolError,
  MalformedError,
  NotYetValidError,
  SessionEndedError,
  StaleDeviceListError,
  VerificationError,
} from "./errors.ts";
import { type AccountId, asAccountId, asDeviceId, DEVICE_ID_BYTES, type DeviceId } from "./ids.ts";
import { MAX_ACTIVE_DEVICES, MAX_CLOCK_ERROR_SECONDS, MAX_REVOKED_DEVICES } from "./limits.ts";
import type { Ed25519PrivateKey, Primitives, X25519PrivateKey } from "./primitives.ts";
import { isEqual, SecretState } from "./secret.ts";
import { sign } from "./signing.ts";
import { SUITE_BITMAP, VERSION_BITMAP } from "./version.ts";

/** A list with less time than this left is renewed: four days of grace for an account whose devices sleep. */
export const LIST_RENEWAL_SECONDS = 3 * 86_400;

const EXPORT_FORMAT = 1;

/** AK: the account *is* this key. It signs certificates, lists and account erasure, never a call. */
export class AccountKey extends SecretState {
  readonly kind = "AccountKey";
  /** The account's name: its public key. */
  readonly public: AccountId;
  readonly #primitives: Primitives;
  readonly #key: Ed25519PrivateKey;

  private constructor(primitives: Primitives, key: Ed25519PrivateKey) {
    super();
    this.#primitives = primitives;
    this.#key = key;
    this.public = asAccountId(key.publicKey);
  }

  /** A fresh key. */
  static async generate(primitives: Primitives): Promise<AccountKey> {
    return new AccountKey(primitives, await primitives.ed25519Generate());
  }

  /** The key of a 32-byte seed. Throws MalformedError for any other length. */
  static async fromSeed(primitives: Primitives, seed: Uint8Array): Promise<AccountKey> {
    return new AccountKey(primitives, await primitives.ed25519Import(seed));
  }

  /** The 32-byte secret seed, for the vault and for enrolment only. Throws SessionEndedError after `wipe`. */
  seed(): Uint8Array {
    return this.#key.expose();
  }

  /** The 64-byte signature over T(label) ‖ message. Throws SessionEndedError after `wipe`. */
  async sign(label: string, message: Uint8Array): Promise<Uint8Array> {
    return sign(this.#primitives, this.#key, label, message);
  }

  /** Zeroes and drops the key. */
  wipe(): void {
    this.#key.wipe();
  }
}

/** What a certificate says of a device: its id (16 bytes), DK_sign and DK_dh (32 public bytes each). */
export interface DevicePublicKeys {
  readonly device: DeviceId;
  readonly signingKey: Uint8Array;
  readonly agreementKey: Uint8Array;
}

/** A device's id and its two private keys, DK_sign (Ed25519) and DK_dh (X25519). */
export class DeviceKeys extends SecretState {
  readonly kind = "DeviceKeys";
  readonly public: DevicePublicKeys;
  readonly #primitives: Primitives;
  readonly #signing: Ed25519PrivateKey;
  readonly #agreement: X25519PrivateKey;

  constructor(
    primitives: Primitives,
    device: DeviceId,
    signing: Ed25519PrivateKey,
    agreement: X25519PrivateKey,
  ) {
    super();
    this.#primitives = primitives;
    this.#signing = signing;
    this.#agreement = agreement;
    this.public = { device, signingKey: signing.publicKey, agreementKey: agreement.publicKey };
  }

  /** Fresh keys and a fresh random device id. */
  static async generate(primitives: Primitives): Promise<DeviceKeys> {
    return new DeviceKeys(
      primitives,
      asDeviceId(primitives.random(DEVICE_ID_BYTES)),
      await primitives.ed25519Generate(),
      await primitives.x25519Generate(),
    );
  }

  /** The keys that `export` wrote. Throws MalformedError. */
  static async restore(primitives: Primitives, exported: Uint8Array): Promise<DeviceKeys> {
    const reader = new Reader(exported);
    if (reader.u8() !== EXPORT_FORMAT) throw new MalformedError("an unknown format of device keys");
    const device = asDeviceId(reader.take(DEVICE_ID_BYTES));
    const signing = reader.take(32);
    const agreement = reader.take(32);
    reader.finish();
    const keys = await Promise.all([primitives.ed25519Import(signing), primitives.x25519Import(agreement)]);
    signing.fill(0);
    agreement.fill(0);
    return new DeviceKeys(primitives, device, ...keys);
  }

  /** Format u8 ‖ device id 16 ‖ DK_sign seed 32 ‖ DK_dh 32: secret, for the vault only. */
  export(): Uint8Array {
    return concat(u8(EXPORT_FORMAT), this.device, this.#signing.expose(), this.#agreement.expose());
  }

  /** The device id, 16 bytes. */
  get device(): DeviceId {
    return this.public.device;
  }

  /** DK_dh, for the handshake. Throws SessionEndedError after `wipe`. */
  get agreement(): X25519PrivateKey {
    if (this.#agreement.isWiped) throw new SessionEndedError("these DeviceKeys were wiped");
    return this.#agreement;
  }

  /** DK_sign's 64-byte signature over T(label) ‖ message. Throws SessionEndedError after `wipe`. */
  async sign(label: string, message: Uint8Array): Promise<Uint8Array> {
    return sign(this.#primitives, this.#signing, label, message);
  }

  /** Zeroes and drops both keys. */
  wipe(): void {
    this.#signing.wipe();
    this.#agreement.wipe();
  }
}

/**
 * AK's certificate for a device, valid from `now` for `lifetime` seconds (a year at most).
 * Throws LocalProtocolError if the lifetime is not allowed.
 */
export async function issueCertificate(
  accountKey: AccountKey,
  device: DevicePublicKeys,
  kind: DeviceKind,
  now: number,
  lifetime: number = MAX_CERTIFICATE_SECONDS,
): Promise<Certificate> {
  if (lifetime <= 0 || lifetime > MAX_CERTIFICATE_SECONDS) {
    throw new LocalProtocolError("a certificate lives for a year at most");
  }
  const created = Math.floor(now);
  const unsigned = { account: accountKey.public, ...device, created, expires: created + lifetime, kind };
  return {
    ...unsigned,
    signature: await accountKey.sign(CERTIFICATE_LABEL, certificateToBeSigned(unsigned)),
  };
}

/**
 * The next device list, signed: `certificates` are active, `revoke` (id, reason) joins the dead.
 *
 * A tombstone falls away when no certificate of its device can still be valid; of more than 64, the oldest go
 * first, since a device that is not active is refused with or without one.
 *
 * Throws LocalProtocolError: an active device left without being revoked, a revoked one came back, one is named
 * twice, there are more than 16, or a certificate or the previous list is another account's.
 */
export async function issueDeviceList(
  primitives: Primitives,
  accountKey: AccountKey,
  certificates: readonly Certificate[],
  now: number,
  previous: DeviceList | null,
  revoke: readonly (readonly [device: DeviceId, reason: number])[] = [],
): Promise<DeviceList> {
  const issued = Math.floor(now);
  const before = previous?.revoked ?? [];
  const fresh = revoke.map(([device, reason]) => ({ device, revokedAt: issued, reason }));
  requireSuccession(accountKey.public, certificates, previous, fresh);
  const active = await Promise.all(
    certificates.map(async (certificate) => ({
      device: certificate.device,
      certificateDigest: await digestCertificate(primitives, certificate),
    })),
  );
  const kept = before.filter(
    (tombstone) => now <= tombstone.revokedAt + MAX_CERTIFICATE_SECONDS + MAX_CLOCK_ERROR_SECONDS,
  );
  const unsigned = {
    account: accountKey.public,
    version: previous === null ? 1 : previous.version + 1,
    previousDigest: previous === null ? FIRST_PREVIOUS : await digestDeviceList(primitives, previous),
    issued,
    expires: issued + MAX_DEVICE_LIST_SECONDS,
    active,
    revoked: [...kept, ...fresh].slice(-MAX_REVOKED_DEVICES),
  };
  return {
    ...unsigned,
    signature: await accountKey.sign(DEVICE_LIST_LABEL, deviceListToBeSigned(unsigned)),
  };
}

function requireSuccession(
  account: AccountId,
  certificates: readonly Certificate[],
  previous: DeviceList | null,
  fresh: readonly { readonly device: DeviceId }[],
): void {
  const named = [...certificates, ...(previous?.revoked ?? []), ...fresh].map(({ device }) => toHex(device));
  const distinct = new Set(named);
  if (distinct.size !== named.length) {
    throw new LocalProtocolError("a device is named twice, or came back after its revocation");
  }
  if (previous?.active.some(({ device }) => !distinct.has(toHex(device)))) {
    throw new LocalProtocolError("a device leaves the list only by revocation");
  }
  if (certificates.length > MAX_ACTIVE_DEVICES) {
    throw new LocalProtocolError(`an account has at most ${MAX_ACTIVE_DEVICES} devices`);
  }
  const owners = [...certificates, ...(previous === null ? [] : [previous])];
  if (!owners.every((owned) => isEqual(owned.account, account))) {
    throw new LocalProtocolError("a certificate or list of another account");
  }
}

/** Whether a device that holds AK should issue the next version of its own list now. */
export function renewalDue(deviceList: DeviceList, now: number): boolean {
  return deviceList.expires - now < LIST_RENEWAL_SECONDS;
}

/**
 * What is remembered of an account: its key, and the highest device list seen of it.
 *
 * It must outlive restarts, or a server could bring a revoked device back (spec/identity.md, Pinning).
 */
export class PinnedAccount {
  readonly account: AccountId;
  readonly version: number;
  /** SHA-256 of the whole list of that version. */
  readonly digest: Uint8Array;

  constructor(account: AccountId, version: number, digest: Uint8Array) {
    this.account = account;
    this.version = version;
    this.digest = digest;
  }

  /** Pins the account of a list that is valid at `now`. Throws what `accept` throws. */
  static async firstContact(
    primitives: Primitives,
    deviceList: DeviceList,
    now: number,
  ): Promise<PinnedAccount> {
    return new PinnedAccount(deviceList.account, 0, FIRST_PREVIOUS).accept(primitives, deviceList, now);
  }

  /**
   * The memory after seeing `deviceList`; `this` when it says nothing new.
   *
   * Throws HandshakeError for another account's list (`wrong-account`), a forged one, or one of the future;
   * ForkedDeviceListError if it contradicts what was seen before, with both sides of it; StaleDeviceListError if
   * it is older than what was seen before, or has expired.
   */
  async accept(primitives: Primitives, deviceList: DeviceList, now: number): Promise<PinnedAccount> {
    if (!isEqual(deviceList.account, this.account)) {
      throw new HandshakeError(HandshakeReason.WRONG_ACCOUNT, "a device list of another account");
    }
    const isExpired = await refusing(HandshakeReason.LIST_FORGED, null, async () => {
      try {
        await verifyDeviceList(primitives, deviceList, Math.floor(now));
        return false;
      } catch (error) {
        if (error instanceof ExpiredError) return true; // a fork is evidence even then: looked for first
        throw error;
      }
    });
    const digest = await digestDeviceList(primitives, deviceList);
    const isFork =
      (deviceList.version === this.version && !isEqual(digest, this.digest)) ||
      (deviceList.version === this.version + 1 && !isEqual(deviceList.previousDigest, this.digest));
    if (isFork) throw new ForkedDeviceListError(this.version, this.digest, deviceList);
    if (deviceList.version < this.version) {
      throw new StaleDeviceListError(
        `device list ${deviceList.version} came after list ${this.version} was seen`,
      );
    }
    if (isExpired) throw new StaleDeviceListError("the device list has expired");
    return deviceList.version === this.version
      ? this
      : new PinnedAccount(this.account, deviceList.version, digest);
  }
}

/** The device at the other end, as far as it has been verified, and what to remember of its account. */
export class PeerIdentity {
  readonly certificate: Certificate;
  readonly deviceList: DeviceList;
  /** Store it: it includes the list of this handshake. */
  readonly pinned: PinnedAccount;

  constructor(certificate: Certificate, deviceList: DeviceList, pinned: PinnedAccount) {
    this.certificate = certificate;
    this.deviceList = deviceList;
    this.pinned = pinned;
  }

  /** The peer's account key. */
  get account(): AccountId {
    return this.certificate.account;
  }

  /** The peer's device id. */
  get device(): DeviceId {
    return this.certificate.device;
  }
}

/** Bitmaps of the pairwise versions and suites that a side speaks; only tests have reason to change them. */
export interface Spoken {
  readonly versions: number;
  readonly suites: number;
}

/** What this implementation speaks. */
export const SPOKEN: Spoken = { versions: VERSION_BITMAP, suites: SUITE_BITMAP };

/** Everything a handshake needs of our own side. */
export class LocalDevice {
  readonly certificate: Certificate;
  readonly deviceList: DeviceList;
  readonly keys: DeviceKeys;
  readonly spoken: Spoken;

  private constructor(certificate: Certificate, deviceList: DeviceList, keys: DeviceKeys, spoken: Spoken) {
    this.certificate = certificate;
    this.deviceList = deviceList;
    this.keys = keys;
    this.spoken = spoken;
  }

  /** Joins the three. Throws LocalProtocolError if certificate, device list and keys are not of one device. */
  static async create(
    primitives: Primitives,
    certificate: Certificate,
    deviceList: DeviceList,
    keys: DeviceKeys,
    spoken: Spoken = SPOKEN,
  ): Promise<LocalDevice> {
    if (
      !isEqual(certificate.device, keys.public.device) ||
      !isEqual(certificate.signingKey, keys.public.signingKey) ||
      !isEqual(certificate.agreementKey, keys.public.agreementKey)
    ) {
      throw new LocalProtocolError("the certificate is not of these device keys");
    }
    const listed = listedCertificateDigest(deviceList, certificate.device);
    if (
      !isEqual(deviceList.account, certificate.account) ||
      listed === null ||
      !isEqual(listed, await digestCertificate(primitives, certificate))
    ) {
      throw new LocalProtocolError("the device list does not name this certificate");
    }
    return new LocalDevice(certificate, deviceList, keys, spoken);
  }

  /** The same device under another list of its account. Throws LocalProtocolError as `create` does. */
  async withDeviceList(primitives: Primitives, deviceList: DeviceList): Promise<LocalDevice> {
    return LocalDevice.create(primitives, this.certificate, deviceList, this.keys, this.spoken);
  }

  /** Our own account key. */
  get account(): AccountId {
    return this.certificate.account;
  }

  /** Our own device id. */
  get device(): DeviceId {
    return this.certificate.device;
  }
}

/**
 * Checks that a device may act for its account at `now`, and gives what to remember of the account.
 *
 * In this order: the account is the pinned one, the list by the rules of `PinnedAccount.accept`, the device is
 * active, its certificate is the one listed, and the certificate is valid.
 * Throws HandshakeError with the reason of the first check that failed.
 */
export async function verifyDevice(
  primitives: Primitives,
  certificate: Certificate,
  deviceList: DeviceList,
  pinned: PinnedAccount | null,
  now: number,
): Promise<PinnedAccount> {
  const known = pinned ?? new PinnedAccount(deviceList.account, 0, FIRST_PREVIOUS);
  if (!isEqual(certificate.account, known.account)) {
    throw new HandshakeError(HandshakeReason.WRONG_ACCOUNT, "a certificate of another account");
  }
  const memory = await known.accept(primitives, deviceList, now);
  const listed = listedCertificateDigest(deviceList, certificate.device);
  if (listed === null) {
    throw new HandshakeError(HandshakeReason.DEVICE_NOT_LISTED, "the device list does not name this device");
  }
  if (!isEqual(listed, await digestCertificate(primitives, certificate))) {
    throw new HandshakeError(
      HandshakeReason.CERTIFICATE_MISMATCH,
      "the device list names another certificate for this device",
    );
  }
  await refusing(HandshakeReason.CERTIFICATE_FORGED, HandshakeReason.CERTIFICATE_EXPIRED, async () =>
    verifyCertificate(primitives, certificate, Math.floor(now)),
  );
  return memory;
}

/**
 * Runs `check`, and gives a failed verification its reason: `forged`, `expired` (null: the ExpiredError itself),
 * or `clock` for the future's. Throws HandshakeError.
 */
export async function refusing<T>(
  forged: HandshakeReason,
  expired: HandshakeReason | null,
  check: () => Promise<T>,
): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof NotYetValidError) throw new HandshakeError(HandshakeReason.CLOCK, error.message);
    if (error instanceof ExpiredError) {
      throw expired === null ? error : new HandshakeError(expired, error.message);
    }
    if (error instanceof VerificationError || error instanceof MalformedError) {
      throw new HandshakeError(forged, error.message);
    }
    throw error;
  }
}

import { inspect } from "node:util";
import { describe, expect, test } from "vitest";

import {
  type Certificate,
  decodeCertificate,
  DeviceKind,
  encodeCertificate,
  verifyCertificate,
} from "../../core/certificate.ts";
import {
  decodeDeviceList,
  type DeviceList,
  encodeDeviceList,
  verifyDeviceList,
} from "../../core/device-list.ts";
import { fromHex, toHex } from "../../core/encoding.ts";
import {
  ExpiredError,
  ForgedError,
  ForkedDeviceListError,
  HandshakeReason,
  LocalProtocolError,
  MalformedError,
  NotYetValidError,
  SessionEndedError,
  VerificationError,
} from "../../core/errors.ts";
import {
  AccountKey,
  DeviceKeys,
  issueCertificate,
  issueDeviceList,
  LocalDevice,
  PinnedAccount,
  renewalDue,
  verifyDevice,
} from "../../core/identity.ts";
import { asDeviceId, type DeviceId } from "../../core/ids.ts";
import { decodeBundle, decodePreKey, encodeBundle, encodePreKey, verifyPreKey } from "../../core/prekey.ts";
import { primitives, vectors } from "../platform.ts";
import { onlyMalformed } from "./decoders.ts";
import { NOW, Person, refused } from "./people.ts";

const DAY = 86_400;
const file = vectors("identity") as {
  values: {
    kind: "certificate" | "device-list" | "pre-key";
    bytes: string;
    now: number;
    signing_key: string;
    result: string;
  }[];
  memories: { seen: string[]; presented: string; now: number; result: string }[];
};

async function verifyValue(entry: (typeof file.values)[number]): Promise<void> {
  const encoded = fromHex(entry.bytes);
  if (entry.kind === "certificate") {
    await verifyCertificate(primitives, decodeCertificate(encoded), entry.now);
  } else if (entry.kind === "device-list") {
    await verifyDeviceList(primitives, decodeDeviceList(encoded), entry.now);
  } else {
    await verifyPreKey(primitives, decodePreKey(encoded), fromHex(entry.signing_key), entry.now);
  }
}

function resultOf(error: unknown): string {
  if (error instanceof MalformedError) return "malformed";
  if (error instanceof ForgedError) return "forged";
  if (error instanceof NotYetValidError) return "not-yet-valid";
  if (error instanceof ExpiredError) return "expired";
  if (error instanceof VerificationError) return "refused-period";
  throw error;
}

describe("vectors", () => {
  test.each(file.values)("$kind is $result %#", async (entry) => {
    expect(await verifyValue(entry).then(() => "valid", resultOf)).toBe(entry.result);
  });

  test.each(file.memories)("memory %#: $result", async ({ seen, presented, now, result }) => {
    const list = decodeDeviceList(fromHex(presented));
    let pinned: PinnedAccount | null = null;
    for (const earlier of seen.map((encoded) => decodeDeviceList(fromHex(encoded)))) {
      pinned ??= await PinnedAccount.firstContact(primitives, earlier, now);
      pinned = await pinned.accept(primitives, earlier, now);
    }
    const attempt =
      pinned === null
        ? PinnedAccount.firstContact(primitives, list, now)
        : pinned.accept(primitives, list, now);
    if (result === "accepted") expect((await attempt).version).toBe(list.version);
    else await refused(result as HandshakeReason, attempt);
  });
});

describe("s11 decoders give what encodes to the same bytes, or say that it is malformed", async () => {
  const of = (kind: string): Uint8Array[] =>
    file.values.filter((entry) => entry.kind === kind).map((entry) => fromHex(entry.bytes));
  const person = await Person.create();
  const bundles = [await person.bundle(NOW, true), await person.bundle(NOW, false)].map(encodeBundle);

  test("certificates", () => {
    onlyMalformed(of("certificate"), (encoded) => encodeCertificate(decodeCertificate(encoded)));
  });
  test("device lists", () => {
    onlyMalformed(of("device-list"), (encoded) => encodeDeviceList(decodeDeviceList(encoded)));
  });
  test("pre-key records", () => {
    onlyMalformed(of("pre-key"), (encoded) => encodePreKey(decodePreKey(encoded)));
  });
  test("bundles", () => {
    onlyMalformed(bundles, (encoded) => encodeBundle(decodeBundle(encoded)));
  });
});

describe("keys", () => {
  test("come back from what is stored of them", async () => {
    const account = await AccountKey.generate(primitives);
    const again = await AccountKey.fromSeed(primitives, account.seed());
    expect(toHex(again.public)).toBe(toHex(account.public));
    const keys = await DeviceKeys.generate(primitives);
    const restored = await DeviceKeys.restore(primitives, keys.export());
    expect(toHex(restored.export())).toBe(toHex(keys.export()));
    expect(restored.public).toEqual(keys.public);
    for (const wrong of [new Uint8Array(81), keys.export().slice(1), new Uint8Array([...keys.export(), 0])]) {
      await expect(DeviceKeys.restore(primitives, wrong)).rejects.toThrow(MalformedError);
    }
  });

  test("never show, and refuse every use once wiped", async () => {
    const account = await AccountKey.generate(primitives);
    const keys = await DeviceKeys.generate(primitives);
    const secrets = [account.seed(), keys.export().slice(17, 49), keys.export().slice(49)];
    const shown = [account, keys].map((key) => inspect(key, { showHidden: true, depth: 9 })).join();
    for (const secret of secrets) expect(shown).not.toContain(toHex(secret));
    expect(shown).toBe("AccountKey(<redacted>),DeviceKeys(<redacted>)");
    expect(() => JSON.stringify([account])).toThrow(LocalProtocolError);
    account.wipe();
    keys.wipe();
    expect(() => account.seed()).toThrow(SessionEndedError);
    expect(() => keys.export()).toThrow(SessionEndedError);
    expect(() => keys.agreement).toThrow(SessionEndedError);
    await expect(account.sign("login", new Uint8Array())).rejects.toThrow(SessionEndedError);
    await expect(keys.sign("login", new Uint8Array())).rejects.toThrow(SessionEndedError);
  });
});

describe("issuing", async () => {
  const person = await Person.create();
  const { account, certificate, deviceList } = person;
  const next = async (
    certificates: readonly Certificate[],
    previous: DeviceList | null,
    revoke: readonly (readonly [DeviceId, number])[] = [],
    now = NOW,
  ): Promise<DeviceList> => issueDeviceList(primitives, account, certificates, now, previous, revoke);

  test("a certificate lives for a year at most", async () => {
    for (const lifetime of [0, -1, 365 * DAY + 1]) {
      await expect(
        issueCertificate(account, person.keys.public, DeviceKind.WEB, NOW, lifetime),
      ).rejects.toThrow(LocalProtocolError);
    }
    const made = await issueCertificate(account, person.keys.public, DeviceKind.WEB, NOW + 0.9, 60);
    expect([made.created, made.expires]).toEqual([NOW, NOW + 60]);
    await verifyCertificate(primitives, made, NOW);
  });

  test("a list follows the one before, and only revocation takes a device away", async () => {
    const second = await next([certificate], deviceList);
    expect(second.version).toBe(2);
    const pinned = await PinnedAccount.firstContact(primitives, deviceList, NOW);
    expect((await pinned.accept(primitives, second, NOW)).version).toBe(2);
    await expect(next([], second)).rejects.toThrow(LocalProtocolError);
    const revoked = await next([], second, [[certificate.device, 1]]);
    expect(revoked.revoked).toEqual([{ device: certificate.device, revokedAt: NOW, reason: 1 }]);
    await expect(next([certificate], revoked)).rejects.toThrow(LocalProtocolError);
    await expect(next([certificate, certificate], null)).rejects.toThrow(LocalProtocolError);
    const stranger = await Person.create();
    await expect(next([stranger.certificate], null)).rejects.toThrow(LocalProtocolError);
    await expect(next([certificate], stranger.deviceList)).rejects.toThrow(LocalProtocolError);
  });

  test("tombstones fall away after 365 days and 300 s, and the oldest of more than 64", async () => {
    const dead = await next([], deviceList, [[certificate.device, 1]]);
    const last = NOW + 365 * DAY + 300;
    expect((await next([], dead, [], last)).revoked).toHaveLength(1);
    expect((await next([], dead, [], last + 1)).revoked).toHaveLength(0);
    const many = Array.from({ length: 64 }, () => [asDeviceId(primitives.random(16)), 2] as const);
    const full = await next([], dead, many);
    expect(full.revoked).toHaveLength(64);
    expect(full.revoked.some(({ device }) => toHex(device) === toHex(certificate.device))).toBe(false);
    decodeDeviceList(encodeDeviceList(full));
  });

  test("at most 16 devices", async () => {
    const many: Certificate[] = [];
    for (let i = 0; i < 17; i++) {
      const device = { ...person.keys.public, device: asDeviceId(primitives.random(16)) };
      many.push(await issueCertificate(account, device, DeviceKind.BOT, NOW));
    }
    await expect(next(many, null)).rejects.toThrow(LocalProtocolError);
    expect((await next(many.slice(1), null)).active).toHaveLength(16);
  });

  test("a list is renewed when less than 3 days of it remain", () => {
    expect(renewalDue(deviceList, NOW + 4 * DAY)).toBe(false);
    expect(renewalDue(deviceList, NOW + 4 * DAY + 1)).toBe(true);
  });
});

describe("a device", async () => {
  const person = await Person.create();
  const { account, certificate, deviceList, keys } = person;
  const pinned = await PinnedAccount.firstContact(primitives, deviceList, NOW);
  const stranger = await Person.create();

  test("is valid under its account's list, and what was seen is remembered", async () => {
    const memory = await verifyDevice(primitives, certificate, deviceList, null, NOW);
    expect(memory).toEqual(pinned);
    expect(await verifyDevice(primitives, certificate, deviceList, pinned, NOW)).toBe(pinned);
  });

  test("of another account, unlisted, listed with another certificate, or expired is refused", async () => {
    const check = async (
      shown: Certificate,
      list: DeviceList,
      memory: PinnedAccount | null = pinned,
      now = NOW,
    ): Promise<PinnedAccount> => verifyDevice(primitives, shown, list, memory, now);
    await refused(HandshakeReason.WRONG_ACCOUNT, check(stranger.certificate, stranger.deviceList));
    await refused(HandshakeReason.WRONG_ACCOUNT, check(stranger.certificate, deviceList, null));
    const other = await issueCertificate(account, stranger.keys.public, DeviceKind.WEB, NOW);
    await refused(HandshakeReason.DEVICE_NOT_LISTED, check(other, deviceList));
    const changed = await issueCertificate(account, keys.public, DeviceKind.BOT, NOW);
    await refused(HandshakeReason.CERTIFICATE_MISMATCH, check(changed, deviceList));
    const short = await issueCertificate(account, keys.public, DeviceKind.WEB, NOW, 60);
    const listed = await issueDeviceList(primitives, account, [short], NOW, null);
    await refused(HandshakeReason.CERTIFICATE_EXPIRED, check(short, listed, null, NOW + 361));
    await refused(HandshakeReason.LIST_STALE, check(certificate, deviceList, null, NOW + 8 * DAY));
    await refused(HandshakeReason.CLOCK, check(certificate, deviceList, null, NOW - 301));
  });

  test("s11 a fork is evidence even when it has expired", async () => {
    const forked = await issueDeviceList(primitives, account, [certificate], NOW + 1, null);
    const error = await refused(
      HandshakeReason.LIST_FORKED,
      pinned.accept(primitives, forked, NOW + 30 * DAY),
    );
    if (!(error instanceof ForkedDeviceListError)) throw error;
    expect(error.presented).toBe(forked);
    expect(error.knownDigest).toBe(pinned.digest);
  });

  test("is local only with its own keys, certificate and list", async () => {
    const create = async (shown: Certificate, list: DeviceList, held: DeviceKeys): Promise<LocalDevice> =>
      LocalDevice.create(primitives, shown, list, held);
    expect((await create(certificate, deviceList, keys)).device).toBe(certificate.device);
    await expect(create(certificate, deviceList, stranger.keys)).rejects.toThrow(LocalProtocolError);
    await expect(create(certificate, stranger.deviceList, keys)).rejects.toThrow(LocalProtocolError);
    const changed = await issueCertificate(account, keys.public, DeviceKind.BOT, NOW);
    await expect(create(changed, deviceList, keys)).rejects.toThrow(LocalProtocolError);
  });
});

import { inspect } from "node:util";
import { describe, expect, test } from "vitest";

import { toHex } from "../../core/encoding.ts";
import { HandshakeError, HandshakeReason, SessionEndedError } from "../../core/errors.ts";
import { DeviceKeys } from "../../core/identity.ts";
import { asCallId, type CallId, type PreKeyId } from "../../core/ids.ts";
import { PreKeyKind, type PreKeyRecord, verifyPreKey } from "../../core/prekey.ts";
import { MAX_REMEMBERED_OFFERS, PreKeyPair, PreKeyStore } from "../../core/prekeys.ts";
import { primitives } from "../platform.ts";
import { NOW } from "./people.ts";

const keys = await DeviceKeys.generate(primitives);

function store(): PreKeyStore {
  return new PreKeyStore(primitives, keys);
}

function callId(): CallId {
  return asCallId(primitives.random(16));
}

function reasonOf(attempt: () => unknown): HandshakeReason {
  try {
    attempt();
  } catch (error) {
    if (error instanceof HandshakeError) return error.reason;
    throw error;
  }
  throw new Error("nothing was refused");
}

function ids(records: readonly PreKeyRecord[]): [signed: PreKeyId, oneTime: PreKeyId] {
  return records.slice(0, 2).map((record) => record.id) as [PreKeyId, PreKeyId];
}

test("a publication is one signed record and 20 fresh one-time records, each signed by the device", async () => {
  const prekeys = store();
  const first = await prekeys.publish(NOW);
  const second = await prekeys.publish(NOW + 1799);
  expect(first.map((record) => record.kind)).toEqual([
    PreKeyKind.SIGNED,
    ...Array.from({ length: 20 }, () => PreKeyKind.ONE_TIME),
  ]);
  for (const record of first) await verifyPreKey(primitives, record, keys.public.signingKey, NOW);
  expect(second[0]).toBe(first[0]);
  expect(new Set([...first, ...second].map((record) => toHex(record.id))).size).toBe(41);
  const third = await prekeys.publish(NOW + 1800);
  expect(third[0]).not.toBe(first[0]);
  expect(prekeys.signed(ids(first)[0], NOW + 1800).record).toBe(first[0]);
  expect(prekeys.isRenewalDue(NOW - 1)).toBe(true);
});

test("two publications at once make one signed record", async () => {
  const prekeys = store();
  const [one, other] = await Promise.all([prekeys.publish(NOW), prekeys.publish(NOW)]);
  expect(one[0]).toBe(other[0]);
  expect(prekeys.size).toEqual({ signed: 1, oneTime: 40 });
});

test("private halves die in time", async () => {
  const prekeys = store();
  const [signed, oneTime] = ids(await prekeys.publish(NOW));
  const pair = prekeys.oneTime(oneTime, NOW + 3600);
  expect(reasonOf(() => prekeys.oneTime(oneTime, NOW + 3601))).toBe(HandshakeReason.PRE_KEY_UNKNOWN);
  expect(() => pair.live()).toThrow(SessionEndedError);
  prekeys.signed(signed, NOW + 3720);
  expect(reasonOf(() => prekeys.signed(signed, NOW + 3721))).toBe(HandshakeReason.PRE_KEY_UNKNOWN);
  expect(reasonOf(() => prekeys.signed(signed, NOW))).toBe(HandshakeReason.PRE_KEY_UNKNOWN);
  expect(prekeys.size).toEqual({ signed: 0, oneTime: 0 });
});

test("of more than 200 one-time records the oldest are wiped", async () => {
  const prekeys = store();
  const first = await prekeys.publish(NOW);
  for (let i = 0; i < 10; i++) await prekeys.publish(NOW);
  expect(prekeys.size.oneTime).toBe(200);
  expect(reasonOf(() => prekeys.oneTime(ids(first)[1], NOW))).toBe(HandshakeReason.PRE_KEY_UNKNOWN);
});

describe("an accepted OFFER", () => {
  test("consumes its one-time record, and neither it nor its call comes again", async () => {
    const prekeys = store();
    const [signed, oneTime] = ids(await prekeys.publish(NOW));
    const pair = prekeys.oneTime(oneTime, NOW);
    const [digest, call] = [primitives.random(32), callId()];
    prekeys.requireNewOffer(digest, call);
    prekeys.commitOffer(signed, oneTime, digest, call);
    expect(() => pair.live()).toThrow(SessionEndedError);
    expect(reasonOf(() => prekeys.oneTime(oneTime, NOW))).toBe(HandshakeReason.PRE_KEY_USED);
    expect(
      reasonOf(() => {
        prekeys.requireNewOffer(digest, callId());
      }),
    ).toBe(HandshakeReason.REPLAYED);
    expect(
      reasonOf(() => {
        prekeys.requireNewOffer(primitives.random(32), call);
      }),
    ).toBe(HandshakeReason.REPLAYED);
  });

  test("is looked at again when it is committed", async () => {
    const prekeys = store();
    const [signed, oneTime] = ids(await prekeys.publish(NOW));
    const [digest, call] = [primitives.random(32), callId()];
    prekeys.commitOffer(signed, oneTime, digest, call);
    const commit = (once: PreKeyId | null, offer: Uint8Array, id: CallId) => (): void => {
      prekeys.commitOffer(signed, once, offer, id);
    };
    expect(reasonOf(commit(oneTime, primitives.random(32), callId()))).toBe(HandshakeReason.PRE_KEY_USED);
    expect(reasonOf(commit(null, digest, callId()))).toBe(HandshakeReason.REPLAYED);
    expect(reasonOf(commit(null, primitives.random(32), call))).toBe(HandshakeReason.REPLAYED);
    prekeys.wipe();
    expect(reasonOf(commit(null, primitives.random(32), callId()))).toBe(HandshakeReason.PRE_KEY_UNKNOWN);
  });

  test("is the last under its signed record when 4096 were", async () => {
    const prekeys = store();
    const [signed] = ids(await prekeys.publish(NOW));
    const pair = prekeys.signed(signed, NOW);
    for (let i = 1; i <= MAX_REMEMBERED_OFFERS; i++) {
      expect(prekeys.isRenewalDue(NOW)).toBe(false);
      prekeys.commitOffer(signed, null, primitives.random(32), callId());
    }
    expect(prekeys.isRenewalDue(NOW)).toBe(true);
    expect(() => pair.live()).toThrow(SessionEndedError);
  });
});

test("what is wiped while it is made is not kept", async () => {
  const prekeys = store();
  const publication = prekeys.publish(NOW);
  await Promise.resolve();
  prekeys.wipe();
  await expect(publication).rejects.toThrow(SessionEndedError);
  expect(prekeys.size).toEqual({ signed: 0, oneTime: 0 });
  expect(await prekeys.publish(NOW)).toHaveLength(21);
});

test("no private half shows", async () => {
  const prekeys = store();
  await prekeys.publish(NOW);
  const pair = await PreKeyPair.generate(primitives, keys, PreKeyKind.SIGNED, NOW);
  expect(inspect([prekeys, pair], { showHidden: true })).toMatch(
    /PreKeyStore\(<redacted>\)[^]*PreKeyPair\(<redacted>\)/u,
  );
});

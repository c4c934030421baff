/** Two sides that make a call, and everyone who would not let them. */

import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { toHex } from "../../core/encoding.ts";
import {
  AccountKeyChangedError,
  ConsumedStateError,
  HandshakeError,
  HandshakeReason,
  LocalProtocolError,
  SessionEndedError,
} from "../../core/errors.ts";
import {
  CancelReason,
  type ConfirmedCall,
  DeclineReason,
  type Established,
  type IncomingCall,
  ListView,
  localWinsGlare,
  MAX_TRANSPORT_BYTES,
  NO_FINGERPRINT,
  type OfferedCall,
  placeOffer,
  Role,
  type SessionSecrets,
} from "../../core/handshake/index.ts";
import { highestCommon } from "../../core/handshake/checks.ts";
import { DeviceKeys, issueDeviceList, PinnedAccount } from "../../core/identity.ts";
import { asAccountId, asDeviceId } from "../../core/ids.ts";
import type { PreKeyBundle } from "../../core/prekey.ts";
import { PreKeyStore } from "../../core/prekeys.ts";
import { safetyNumber, sessionCode } from "../../core/safety-number.ts";
import { primitives } from "../platform.ts";
import { FIRST_MESSAGE, NOW, Person, proposal, refused } from "./people.ts";

const odile = await Person.create();
const sefa = await Person.create();
const mallory = await Person.create();

interface Ringing {
  offered: OfferedCall;
  incoming: IncomingCall;
}

async function ringing(hasOneTime = true): Promise<Ringing> {
  const offered = await odile.ring(await sefa.bundle(NOW, hasOneTime));
  return { offered, incoming: await sefa.hear(offered.offer) };
}

async function call(hasOneTime = true): Promise<{ confirmed: ConfirmedCall; established: Established }> {
  const { offered, incoming } = await ringing(hasOneTime);
  const { answer, answered } = await incoming.accept(Uint8Array.of(9), NO_FINGERPRINT, NOW);
  const confirmed = await offered.receiveAnswer(answer, NOW);
  return { confirmed, established: await answered.receiveConfirm(confirmed.confirm(FIRST_MESSAGE)) };
}

function shared(secrets: SessionSecrets): string[] {
  const { rootKey, pqRoot, pqChainA, pqChainB, exporter } = secrets;
  const keys = [rootKey, pqRoot, pqChainA, pqChainB, exporter].map((secret) => secret.expose());
  return [secrets.sid, ...keys, secrets.ratchetPublicKey].map(toHex);
}

describe.each([true, false])("a call, one-time record: %s", (hasOneTime) => {
  test("gives both sides the same secrets, each of them different", async () => {
    const { confirmed, established } = await call(hasOneTime);
    expect(shared(confirmed.secrets)).toEqual(shared(established.secrets));
    expect(new Set(shared(confirmed.secrets)).size).toBe(7);
    expect([confirmed.secrets.role, established.secrets.role]).toEqual([Role.INITIATOR, Role.RESPONDER]);
    expect(confirmed.secrets.ratchetPrivateKey).toBeNull();
    expect(toHex(established.secrets.ratchetPrivateKey?.publicKey ?? FIRST_MESSAGE)).toBe(
      toHex(confirmed.secrets.ratchetPublicKey),
    );
    expect([...established.firstMessage]).toEqual([...FIRST_MESSAGE]);
    expect([...confirmed.transport]).toEqual([9]);
    expect(confirmed.listView).toBe(ListView.SAME);
    expect(confirmed.serverWasStale).toBe(false);
  });
});

test("two calls share nothing", async () => {
  const [one, other] = [await call(), await call()];
  const both = [...shared(one.confirmed.secrets), ...shared(other.confirmed.secrets)];
  expect(new Set(both).size).toBe(14);
});

test("codes and numbers are the same on both sides", async () => {
  const { confirmed, established } = await call();
  const code = async (secrets: SessionSecrets): Promise<string> =>
    sessionCode(primitives, secrets.exporter.expose());
  expect(await code(confirmed.secrets)).toBe(await code(established.secrets));
  expect(await safetyNumber(primitives, odile.account.public, sefa.account.public)).toBe(
    await safetyNumber(primitives, sefa.account.public, odile.account.public),
  );
});

describe("what the caller refuses in a bundle", () => {
  const ring = async (bundle: PreKeyBundle): Promise<OfferedCall> => odile.ring(bundle);

  test("another account than the pinned one", async () => {
    const pinned = await PinnedAccount.firstContact(primitives, sefa.deviceList, NOW);
    const error = await refused(
      HandshakeReason.ACCOUNT_CHANGED,
      odile.ring(await mallory.bundle(), {}, pinned),
    );
    expect(error).toBeInstanceOf(AccountKeyChangedError);
  });

  test("records of another device, re-paired, forged, expired or of the future", async () => {
    const bundle = await sefa.bundle();
    const other = await mallory.bundle();
    const oneTime = bundle.oneTime ?? bundle.signed;
    await refused(HandshakeReason.WRONG_DEVICE, ring({ ...bundle, signed: other.signed }));
    await refused(HandshakeReason.WRONG_DEVICE, ring({ ...bundle, oneTime: other.oneTime }));
    await refused(HandshakeReason.WRONG_DEVICE, ring({ ...bundle, signed: oneTime }));
    await refused(
      HandshakeReason.PRE_KEY_FORGED,
      ring({ ...bundle, oneTime: { ...oneTime, kemKey: bundle.signed.kemKey } }),
    );
    await refused(HandshakeReason.PRE_KEY_EXPIRED, ring(await sefa.bundle(NOW - 3901)));
    await refused(HandshakeReason.CLOCK, ring(await sefa.bundle(NOW + 301)));
  });

  test("its own device", async () => {
    await expect(ring(await odile.bundle())).rejects.toThrow(LocalProtocolError);
  });

  test("a transport over its limit, and a fingerprint of another length", async () => {
    const bundle = await sefa.bundle();
    const wrong = [
      { transport: new Uint8Array(MAX_TRANSPORT_BYTES + 1) },
      { fingerprint: new Uint8Array(31) },
    ];
    for (const change of wrong) await expect(odile.ring(bundle, change)).rejects.toThrow(LocalProtocolError);
    const largest = await odile.ring(bundle, { transport: new Uint8Array(MAX_TRANSPORT_BYTES) });
    expect((await sefa.hear(largest.offer)).transport).toHaveLength(MAX_TRANSPORT_BYTES);
  });
});

describe("versions", () => {
  test("the highest number in common", () => {
    expect([
      highestCommon(1, 1),
      highestCommon(3, 7),
      highestCommon(2, 1),
      highestCommon(0x8000, 0xffff),
    ]).toEqual([1, 2, 0, 16]);
  });

  test("of two sides that speak more, the highest is used", async () => {
    const caller = await Person.create({ versions: 3, suites: 1 });
    const callee = await Person.create({ versions: 7, suites: 1 });
    const offered = await caller.ring(await callee.bundle());
    expect(offered.offer[1]).toBe(2);
    const incoming = await callee.hear(offered.offer);
    const { answer } = await incoming.accept(new Uint8Array(), NO_FINGERPRINT, NOW);
    await offered.receiveAnswer(answer, NOW);
  });

  test("s11 no version in common, or two records that differ, is a downgrade", async () => {
    const newer = await Person.create({ versions: 2, suites: 1 });
    await refused(HandshakeReason.DOWNGRADE, odile.ring(await newer.bundle()));
    const other = await Person.create({ versions: 1, suites: 2 });
    await refused(HandshakeReason.DOWNGRADE, odile.ring(await other.bundle()));
    const both = await Person.create({ versions: 3, suites: 1 });
    const more = await new PreKeyStore(primitives, sefa.keys, both.local.spoken).publish(NOW);
    const oneTime = more[1] ?? null;
    await refused(HandshakeReason.DOWNGRADE, both.ring({ ...(await sefa.bundle()), oneTime }));
  });
});

describe("states give way once", () => {
  test("after an ANSWER, a DECLINE or a CANCEL nothing more is taken", async () => {
    const { offered, incoming } = await ringing();
    const { answer, answered } = await incoming.accept(new Uint8Array(), NO_FINGERPRINT, NOW);
    expect(incoming.isLive).toBe(false);
    await expect(incoming.decline(DeclineReason.BUSY)).rejects.toThrow(ConsumedStateError);
    const confirmed = await offered.receiveAnswer(answer, NOW);
    await expect(offered.receiveAnswer(answer, NOW)).rejects.toThrow(ConsumedStateError);
    await expect(offered.cancel(CancelReason.STOPPED)).rejects.toThrow(ConsumedStateError);
    expect(() => confirmed.confirm(new Uint8Array())).toThrow(LocalProtocolError);
    const confirm = confirmed.confirm(FIRST_MESSAGE);
    expect(() => confirmed.confirm(FIRST_MESSAGE)).toThrow(ConsumedStateError);
    await answered.receiveConfirm(confirm);
    await expect(answered.receiveConfirm(confirm)).rejects.toThrow(ConsumedStateError);
  });

  test.each(Object.values(DeclineReason))("DECLINE %d arrives", async (reason) => {
    const { offered, incoming } = await ringing();
    expect(await offered.receiveDecline(await incoming.decline(reason))).toBe(reason);
    expect([offered.isLive, incoming.isLive]).toEqual([false, false]);
  });

  test.each(Object.values(CancelReason))("CANCEL %d arrives, before and after the ANSWER", async (reason) => {
    const before = await ringing();
    expect(await before.incoming.receiveCancel(await before.offered.cancel(reason))).toBe(reason);
    const after = await ringing();
    const { answered } = await after.incoming.accept(new Uint8Array(), NO_FINGERPRINT, NOW);
    expect(await answered.receiveCancel(await after.offered.cancel(reason))).toBe(reason);
    expect(answered.isLive).toBe(false);
  });
});

describe("across awaits", () => {
  test("of an ANSWER and a CANCEL at once only one has its way", async () => {
    const { offered, incoming } = await ringing();
    const { answer } = await incoming.accept(new Uint8Array(), NO_FINGERPRINT, NOW);
    const outcomes = await Promise.allSettled([
      offered.receiveAnswer(answer, NOW),
      offered.cancel(CancelReason.STOPPED),
      offered.receiveAnswer(answer, NOW),
    ]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(["fulfilled", "rejected", "rejected"]);
    for (const outcome of outcomes.slice(1)) {
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(ConsumedStateError);
    }
  });

  test("what is wiped while it waits gives nothing", async () => {
    for (const ticks of [0, 1, 3, 10, 30]) {
      const { offered, incoming } = await ringing();
      const taken = incoming.accept(new Uint8Array(), NO_FINGERPRINT, NOW);
      for (let i = 0; i < ticks; i++) await Promise.resolve();
      incoming.wipe();
      await expect(taken).rejects.toThrow(ConsumedStateError);
      const cancelled = offered.cancel(CancelReason.STOPPED);
      for (let i = 0; i < ticks / 10; i++) await Promise.resolve();
      offered.wipe();
      await expect(cancelled).rejects.toThrow(ConsumedStateError);
    }
  });

  test("s11 the same OFFER twice at once rings once", async () => {
    for (const hasOneTime of [true, false]) {
      const { offer } = await odile.ring(await sefa.bundle(NOW, hasOneTime));
      const outcomes = await Promise.allSettled([sefa.hear(offer), sefa.hear(offer), sefa.hear(offer)]);
      const refusals = outcomes.filter((outcome) => outcome.status === "rejected");
      expect(refusals).toHaveLength(2);
      for (const { reason } of refusals) {
        expect(reason).toBeInstanceOf(HandshakeError);
        expect((reason as HandshakeError).reason).toBe(
          hasOneTime ? HandshakeReason.PRE_KEY_USED : HandshakeReason.REPLAYED,
        );
      }
    }
  });

  test("pre-keys wiped while an OFFER is checked let nothing ring", async () => {
    const callee = await Person.create();
    const { offer } = await odile.ring(await callee.bundle());
    const heard = callee.hear(offer);
    await Promise.resolve();
    callee.prekeys.wipe();
    await expect(heard).rejects.toThrow(HandshakeError);
  });
});

test("s11 no altered bit of any message is taken, and the true one still is", async () => {
  const { offer } = await odile.ring(await sefa.bundle());
  const flip = (message: Uint8Array, at: number): Uint8Array => {
    const altered = Uint8Array.from(message);
    const place = at % (message.length * 8);
    altered[place >> 3] = (altered[place >> 3] ?? 0) ^ (1 << (place & 7));
    return altered;
  };
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (at) => {
      await expect(sefa.hear(flip(offer, at))).rejects.toThrow(HandshakeError);
    }),
    { numRuns: 40 },
  );
  const offered = await odile.ring(await sefa.bundle());
  const incoming = await sefa.hear(offered.offer);
  const { answer, answered } = await incoming.accept(new Uint8Array(), NO_FINGERPRINT, NOW);
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (at) => {
      await expect(offered.receiveAnswer(flip(answer, at), NOW)).rejects.toThrow(HandshakeError);
    }),
    { numRuns: 40 },
  );
  const confirm = (await offered.receiveAnswer(answer, NOW)).confirm(FIRST_MESSAGE);
  for (let at = 0; at < 52 * 8; at += 3) {
    await expect(answered.receiveConfirm(flip(confirm, at))).rejects.toThrow(HandshakeError);
  }
  await answered.receiveConfirm(confirm);
});

describe("device lists", () => {
  test("each side learns of the other's newer list, and what it saw", async () => {
    const callee = await Person.create();
    const bundle = await callee.bundle();
    const next = await issueDeviceList(
      primitives,
      callee.account,
      [callee.certificate],
      NOW,
      callee.deviceList,
    );
    const local = await callee.local.withDeviceList(primitives, next);
    const offered = await odile.ring(bundle);
    const incoming = await callee.hear(offered.offer);
    expect(incoming.listView).toBe(ListView.SAME);
    const { answer } = await incoming.accept(new Uint8Array(), NO_FINGERPRINT, NOW, local.deviceList);
    const confirmed = await offered.receiveAnswer(answer, NOW);
    expect(confirmed.serverWasStale).toBe(true);
    expect(confirmed.peer.pinned.version).toBe(2);
  });

  test("s11 an ANSWER with an older list than was pinned is refused", async () => {
    const callee = await Person.create();
    const next = await issueDeviceList(
      primitives,
      callee.account,
      [callee.certificate],
      NOW,
      callee.deviceList,
    );
    const offered = await odile.ring({ ...(await callee.bundle()), deviceList: next });
    const incoming = await callee.hear(offered.offer);
    expect(incoming.listView).toBe(ListView.PEER_AHEAD);
    const { answer } = await incoming.accept(new Uint8Array(), NO_FINGERPRINT, NOW);
    await refused(HandshakeReason.LIST_STALE, offered.receiveAnswer(answer, NOW));
    expect(offered.refusals).toBe(1);
  });

  test("s11 a caller whose list forks from what is pinned is refused", async () => {
    const pinned = await PinnedAccount.firstContact(primitives, odile.deviceList, NOW);
    const forked = await issueDeviceList(primitives, odile.account, [odile.certificate], NOW + 1, null);
    const local = await odile.local.withDeviceList(primitives, forked);
    const offered = await placeOffer(primitives, local, await sefa.bundle(), null, proposal(), NOW);
    await refused(HandshakeReason.LIST_FORKED, sefa.hear(offered.offer, NOW, pinned));
    await sefa.hear(offered.offer);
  });

  test("s11 an OFFER for another device, or from one that bears this device's id, is refused", async () => {
    const { offer } = await odile.ring(await sefa.bundle());
    await refused(HandshakeReason.WRONG_DEVICE, mallory.hear(offer));
    const [signing, agreement] = [await primitives.ed25519Generate(), await primitives.x25519Generate()];
    const keys = new DeviceKeys(primitives, sefa.keys.device, signing, agreement);
    const twin = await Person.holding(mallory.account, keys);
    // placeOffer would refuse to ring its own device: a liar's would not
    const liar = Object.create(twin.local, { device: { value: mallory.keys.device } }) as typeof twin.local;
    const offered = await placeOffer(primitives, liar, await sefa.bundle(), null, proposal(), NOW);
    await refused(HandshakeReason.WRONG_DEVICE, sefa.hear(offered.offer));
  });
});

test("the transport's fingerprint is what the transcript binds", async () => {
  const fingerprint = primitives.random(32);
  const offered = await odile.ring(await sefa.bundle(), { fingerprint });
  const incoming = await sefa.hear(offered.offer);
  incoming.verifyFingerprint(fingerprint);
  for (const wrong of [NO_FINGERPRINT, fingerprint.slice(1)]) {
    expect(() => {
      incoming.verifyFingerprint(wrong);
    }).toThrow(HandshakeError);
  }
});

test("glare: the lower account wins, within one account the lower device", () => {
  const account = (byte: number): ReturnType<typeof asAccountId> =>
    asAccountId(new Uint8Array(32).fill(byte));
  const device = (byte: number): ReturnType<typeof asDeviceId> => asDeviceId(new Uint8Array(16).fill(byte));
  expect(localWinsGlare(account(1), device(9), account(2), device(1))).toBe(true);
  expect(localWinsGlare(account(2), device(1), account(1), device(9))).toBe(false);
  expect(localWinsGlare(account(1), device(1), account(1), device(2))).toBe(true);
  expect(localWinsGlare(account(1), device(2), account(1), device(1))).toBe(false);
});

test("no state shows a secret, and wiped secrets refuse", async () => {
  const { offered, incoming } = await ringing();
  const { answer, answered } = await incoming.accept(new Uint8Array(), NO_FINGERPRINT, NOW);
  const confirmed = await offered.receiveAnswer(answer, NOW);
  const states = [offered, incoming, answered, confirmed, confirmed.secrets];
  expect(states.map((state) => inspect(state, { showHidden: true, depth: 9 }))).toEqual(
    ["OfferedCall", "IncomingCall", "AnsweredCall", "ConfirmedCall", "SessionSecrets"].map(
      (kind) => `${kind}(<redacted>)`,
    ),
  );
  for (const state of states) expect(() => JSON.stringify(state)).toThrow(LocalProtocolError);
  confirmed.wipe();
  expect(() => confirmed.secrets.rootKey.expose()).toThrow(SessionEndedError);
  expect([...confirmed.secrets.sid].every((byte) => byte === 0)).toBe(true);
  expect(() => confirmed.confirm(FIRST_MESSAGE)).toThrow(ConsumedStateError);
});

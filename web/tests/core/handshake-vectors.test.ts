/** spec/vectors/handshake.json: both sides rebuilt from recorded private keys, and every refusal. */

import { describe, expect, test } from "vitest";

import { type Certificate, decodeCertificate } from "../../core/certificate.ts";
import { decodeDeviceList } from "../../core/device-list.ts";
import { concat, fromHex, toHex } from "../../core/encoding.ts";
import type { HandshakeReason } from "../../core/errors.ts";
import { AnsweredCall, AnsweredSecrets } from "../../core/handshake/callee.ts";
import { OfferedCall, OfferedSecrets } from "../../core/handshake/caller.ts";
import { type IncomingCall, receiveOffer, Role, SessionSecrets } from "../../core/handshake/index.ts";
import {
  decodeAnswerPayload,
  decodeIdentityPayload,
  decodeOfferPayload,
  encodeAnswerPayload,
  encodeIdentityPayload,
  encodeOfferPayload,
} from "../../core/handshake/payloads.ts";
import * as schedule from "../../core/handshake/schedule.ts";
import { HandshakeKey } from "../../core/handshake/session-secrets.ts";
import { DeviceKeys, LocalDevice, PeerIdentity, PinnedAccount, SPOKEN } from "../../core/identity.ts";
import { asCallId, type DeviceId } from "../../core/ids.ts";
import { seal } from "../../core/key-schedule.ts";
import { unpad } from "../../core/padding.ts";
import { decodeBundle } from "../../core/prekey.ts";
import { PreKeyPair, PreKeyStore } from "../../core/prekeys.ts";
import { sessionCode } from "../../core/safety-number.ts";
import { decodeSignal, encodeSignal, type Offer, SignalType } from "../../core/signals.ts";
import { primitives, vectors } from "../platform.ts";
import { onlyMalformed } from "./decoders.ts";
import { refused } from "./people.ts";

type MessageName = "offer" | "answer" | "confirm" | "decline" | "cancel";
interface ValidCase {
  name: string;
  now: number;
  inputs: Record<string, string>;
  messages: Record<MessageName, string>;
  plaintexts: Record<"id_a" | "offer_a" | "ans_b", string>;
  reasons: { decline: number; cancel: number };
  secrets: Record<string, string>;
  session: Record<string, string>;
  session_code: string;
}
interface InvalidCase {
  case: string;
  message: MessageName;
  reason: HandshakeReason;
  patch?: [number, string];
  resize?: number;
  bytes?: string;
  now?: number;
  again?: boolean;
}
const file = vectors("handshake") as { valid: ValidCase[]; invalid: InvalidCase[] };

/** Both sides of a recorded handshake, rebuilt from its private keys. */
class Recorded {
  readonly entry: ValidCase;
  readonly now: number;
  readonly bundle;
  readonly certificate: Certificate;
  readonly messages: Record<MessageName, Uint8Array>;

  constructor(entry: ValidCase) {
    this.entry = entry;
    this.now = entry.now;
    this.bundle = decodeBundle(this.input("bundle"));
    this.certificate = decodeCertificate(this.input("certificate_a"));
    const { offer, answer, confirm, decline, cancel } = entry.messages;
    this.messages = {
      offer: fromHex(offer),
      answer: fromHex(answer),
      confirm: fromHex(confirm),
      decline: fromHex(decline),
      cancel: fromHex(cancel),
    };
  }

  static named(name: string): Recorded {
    const entry = file.valid.find((one) => one.name === name);
    if (entry === undefined) throw new Error(`no case ${name}`);
    return new Recorded(entry);
  }

  input(name: string): Uint8Array {
    return fromHex(this.entry.inputs[name] ?? "missing");
  }

  secret(name: string): Uint8Array {
    return fromHex(this.entry.secrets[name] ?? "missing");
  }

  /** The caller's DK_sign signs nothing in a handshake, so the vectors leave it out. */
  async keys(device: DeviceId, agreement: string): Promise<DeviceKeys> {
    const signing = await primitives.ed25519Import(this.input("dk_sign_b"));
    return new DeviceKeys(primitives, device, signing, await primitives.x25519Import(this.input(agreement)));
  }

  async callee(): Promise<{ local: LocalDevice; store: PreKeyStore }> {
    const { certificate, deviceList, signed, oneTime } = this.bundle;
    const keys = await this.keys(certificate.device, "dk_dh_b");
    const store = new PreKeyStore(primitives, keys);
    for (const [record, name] of [
      [signed, "signed"],
      [oneTime, "one_time"],
    ] as const) {
      if (record === null) continue;
      const agreement = await primitives.x25519Import(this.input(`${name}_x25519`));
      store.adopt(new PreKeyPair(record, agreement, await primitives.mlKemImport(this.input(`${name}_kem`))));
    }
    return { local: await LocalDevice.create(primitives, certificate, deviceList, keys), store };
  }

  async incoming(): Promise<IncomingCall> {
    const { local, store } = await this.callee();
    return receiveOffer(primitives, local, store, this.messages.offer, () => null, this.now);
  }

  async offered(): Promise<OfferedCall> {
    const { certificate, deviceList } = this.bundle;
    const pinned = await PinnedAccount.firstContact(primitives, deviceList, this.now);
    // made around the check that DK_sign fits, see `keys`
    const local = Object.assign(Object.create(LocalDevice.prototype) as object, {
      certificate: this.certificate,
      deviceList: decodeDeviceList(this.input("list_a")),
      keys: await this.keys(this.certificate.device, "dk_dh_a"),
      spoken: SPOKEN,
    }) as unknown as LocalDevice;
    const secrets = new OfferedSecrets(
      1,
      1,
      await primitives.x25519Import(this.input("ek_a")),
      await primitives.mlKemImport(this.input("kem_a")),
      new HandshakeKey(this.secret("p2")),
      this.secret("th3"),
    );
    const callId = asCallId(this.messages.offer.slice(4, 20));
    const peer = new PeerIdentity(certificate, deviceList, pinned);
    return new OfferedCall(primitives, local, peer, callId, this.messages.offer, secrets);
  }

  async answered(): Promise<AnsweredCall> {
    const keys = await schedule.deriveSession(primitives, this.secret("p3"), this.secret("th5"));
    const ephemeral = await primitives.x25519Import(this.input("ek_b"));
    const mac = await schedule.confirmMac(primitives, keys.confirmKey, this.secret("th5"));
    const secrets = new AnsweredSecrets(
      new HandshakeKey(this.secret("p2")),
      this.secret("th3"),
      new HandshakeKey(mac),
      new SessionSecrets(Role.RESPONDER, keys, ephemeral.publicKey, ephemeral),
    );
    const offer = decodeSignal(this.messages.offer) as Offer;
    const { peer, fingerprint } = await this.incoming();
    return new AnsweredCall(primitives, peer, offer, fingerprint, secrets);
  }

  async expectSession(secrets: SessionSecrets): Promise<void> {
    expect({
      sid: toHex(secrets.sid),
      rk0: toHex(secrets.rootKey.expose()),
      pr0: toHex(secrets.pqRoot.expose()),
      pa0: toHex(secrets.pqChainA.expose()),
      pb0: toHex(secrets.pqChainB.expose()),
      exporter: toHex(secrets.exporter.expose()),
    }).toEqual(this.entry.session);
    expect(await sessionCode(primitives, secrets.exporter.expose())).toBe(this.entry.session_code);
  }
}

const EACH = file.valid.map((entry) => [entry.name, new Recorded(entry)] as const);

describe.each(EACH)("%s", (_, recorded) => {
  test("every Diffie-Hellman, secret and transcript hash of the schedule", async () => {
    const { bundle, messages } = recorded;
    const priv = async (name: string): ReturnType<typeof primitives.x25519Import> =>
      primitives.x25519Import(recorded.input(name));
    const agree = async (name: string, point: Uint8Array): Promise<string> =>
      toHex(await primitives.x25519Agree(await priv(name), point));
    const ephemeralB = messages.answer.slice(36, 68);
    const s = recorded.entry.secrets;
    expect(await agree("dk_dh_a", bundle.signed.agreementKey)).toBe(s["dh1"]);
    expect(await agree("ek_a", bundle.certificate.agreementKey)).toBe(s["dh2"]);
    expect(await agree("ek_a", bundle.signed.agreementKey)).toBe(s["dh3"]);
    if (bundle.oneTime !== null) expect(await agree("ek_a", bundle.oneTime.agreementKey)).toBe(s["dh4"]);
    expect(await agree("ek_a", ephemeralB)).toBe(s["dh5"]);
    expect(await agree("dk_dh_a", ephemeralB)).toBe(s["dh6"]);
    const kemB = await primitives.mlKemImport(
      recorded.input(bundle.oneTime === null ? "signed_kem" : "one_time_kem"),
    );
    expect(toHex(await primitives.mlKemDecapsulate(kemB, messages.offer.slice(1268, 2356)))).toBe(s["ss1"]);
    const kemA = await primitives.mlKemImport(recorded.input("kem_a"));
    expect(toHex(kemA.publicKey)).toBe(toHex(messages.offer.slice(84, 1268)));
    expect(toHex(await primitives.mlKemDecapsulate(kemA, messages.answer.slice(68, 1156)))).toBe(s["ss2"]);

    const [idA, offerA, ansB] = [
      recorded.entry.plaintexts.id_a,
      recorded.entry.plaintexts.offer_a,
      recorded.entry.plaintexts.ans_b,
    ].map(fromHex) as [Uint8Array, Uint8Array, Uint8Array];
    const raw = (name: string): Uint8Array => recorded.secret(name);
    const th0 = await schedule.beginTranscript(
      primitives,
      1,
      1,
      recorded.input("bundle").slice(0, 194),
      recorded
        .input("bundle")
        .slice(-1327 - (bundle.oneTime === null ? 0 : 1326))
        .slice(0, 1326),
      bundle.oneTime === null ? new Uint8Array() : recorded.input("bundle").slice(-1326),
    );
    const th1 = await schedule.bindOfferHeader(primitives, th0, messages.offer.slice(0, 2356));
    const p1 = await schedule.identityKey(primitives, th1, raw("dh2"), raw("dh3"), raw("dh4"), raw("ss1"));
    const cId = await seal(primitives, p1, schedule.SEAL_IDENTITY, th1, idA);
    const th2 = await schedule.bindIdentity(primitives, th1, idA, cId);
    const p2 = await schedule.offerKey(primitives, p1, th1, raw("dh1"));
    const cOffer = await seal(primitives, p2, schedule.SEAL_OFFER, th2, offerA);
    const th3 = await schedule.bindOffer(primitives, th2, offerA, cOffer);
    const th4 = await schedule.bindAnswerHeader(primitives, th3, messages.answer.slice(0, 1156));
    const p3 = await schedule.answerKey(primitives, p2, th3, raw("dh5"), raw("dh6"), raw("ss2"));
    const cAns = await seal(primitives, p3, schedule.SEAL_ANSWER, th4, ansB);
    const th5 = await schedule.bindAnswer(primitives, th4, ansB, cAns);
    const made = { th0, th1, th2, th3, th4, th5, p1, p2, p3 };
    for (const [name, value] of Object.entries(made)) expect([name, toHex(value)]).toEqual([name, s[name]]);
    const offer = decodeSignal(messages.offer) as Offer;
    expect(toHex(encodeSignal({ ...offer, sealedIdentity: cId, sealedOffer: cOffer }))).toBe(
      recorded.entry.messages.offer,
    );
    expect(toHex(messages.answer)).toContain(toHex(cAns));
  });

  test("the recorded OFFER rings, and the recorded CANCEL ends it", async () => {
    const incoming = await recorded.incoming();
    expect(toHex(incoming.peer.device)).toBe(toHex(recorded.certificate.device));
    expect(await incoming.receiveCancel(recorded.messages.cancel)).toBe(recorded.entry.reasons.cancel);
    const answered = await recorded.answered();
    expect(await answered.receiveCancel(recorded.messages.cancel)).toBe(recorded.entry.reasons.cancel);
  });

  test("the recorded ANSWER establishes the recorded session, the recorded DECLINE ends the call", async () => {
    const confirmed = await (await recorded.offered()).receiveAnswer(recorded.messages.answer, recorded.now);
    await recorded.expectSession(confirmed.secrets);
    expect(toHex(confirmed.confirm(recorded.input("first_message")))).toBe(recorded.entry.messages.confirm);
    expect(await (await recorded.offered()).receiveDecline(recorded.messages.decline)).toBe(
      recorded.entry.reasons.decline,
    );
  });

  test("the recorded CONFIRM establishes the recorded session", async () => {
    const { secrets, firstMessage } = await (
      await recorded.answered()
    ).receiveConfirm(recorded.messages.confirm);
    await recorded.expectSession(secrets);
    expect(toHex(firstMessage)).toBe(recorded.entry.inputs["first_message"]);
  });

  test("the recorded refusals are made again to the byte", async () => {
    const { decline, cancel } = recorded.entry.reasons;
    const offered = await recorded.offered();
    expect(toHex(await offered.cancel(cancel as 1))).toBe(recorded.entry.messages.cancel);
    const incoming = await recorded.incoming();
    expect(toHex(await incoming.decline(decline as 1))).toBe(recorded.entry.messages.decline);
  });
});

function altered(original: Uint8Array, change: InvalidCase): Uint8Array {
  if (change.bytes !== undefined) return fromHex(change.bytes);
  if (change.patch !== undefined) {
    const patched = Uint8Array.from(original);
    patched.set(fromHex(change.patch[1]), change.patch[0]);
    return patched;
  }
  const by = change.resize ?? 0;
  return by < 0 ? original.slice(0, by) : concat(original, new Uint8Array(by));
}

test.each(file.invalid)("s11 an invalid $message is refused: $reason %#", async (change) => {
  const recorded = Recorded.named(change.case);
  const original = recorded.messages[change.message];
  const data = altered(original, change);
  const now = change.now ?? recorded.now;
  const { reason } = change;
  switch (change.message) {
    case "offer": {
      const { local, store } = await recorded.callee();
      const receive = async (encoded: Uint8Array, at: number): Promise<unknown> =>
        receiveOffer(primitives, local, store, encoded, () => null, at);
      if (change.again === true) await receive(original, now);
      await refused(reason, receive(data, now));
      if (change.again !== true) await receive(original, recorded.now);
      return;
    }
    case "answer": {
      const offered = await recorded.offered();
      await refused(reason, offered.receiveAnswer(data, now));
      expect(offered.refusals).toBe(1);
      await offered.receiveAnswer(original, now);
      return;
    }
    case "decline": {
      const offered = await recorded.offered();
      await refused(reason, offered.receiveDecline(data));
      expect(offered.refusals).toBe(1);
      await offered.receiveDecline(original);
      return;
    }
    case "cancel": {
      for (const state of [await recorded.incoming(), await recorded.answered()]) {
        await refused(reason, state.receiveCancel(data));
        await state.receiveCancel(original);
      }
      return;
    }
    case "confirm": {
      const answered = await recorded.answered();
      await refused(reason, answered.receiveConfirm(data));
      await answered.receiveConfirm(original);
    }
  }
});

describe("s11 decoders give what encodes to the same bytes, or say that it is malformed", () => {
  test.each(["offer", "answer", "decline", "cancel", "confirm"] as const)("%s", (name) => {
    const samples = EACH.map(([, recorded]) => recorded.messages[name]);
    onlyMalformed(samples, (encoded) => encodeSignal(decodeSignal(encoded)), 300);
    expect(decodeSignal(samples[0] ?? new Uint8Array()).type).toBe(SignalType[name.toUpperCase() as "OFFER"]);
  });

  test("plaintexts", () => {
    const plain = (name: keyof ValidCase["plaintexts"]): Uint8Array[] =>
      file.valid.map((entry) => unpad(fromHex(entry.plaintexts[name])));
    onlyMalformed(plain("id_a"), (encoded) => encodeIdentityPayload(decodeIdentityPayload(encoded)));
    onlyMalformed(plain("offer_a"), (encoded) => encodeOfferPayload(decodeOfferPayload(encoded)));
    onlyMalformed(plain("ans_b"), (encoded) => encodeAnswerPayload(decodeAnswerPayload(encoded)));
  });
});

/** The caller's side: OfferedCall gives way to ConfirmedCall (spec/handshake.md, States of the caller). */

import { encodeCertificate } from "../certificate.ts";
import { parseCode } from "../encoding.ts";
import {
  AccountKeyChangedError,
  ConsumedStateError,
  HandshakeError,
  HandshakeReason,
  LocalProtocolError,
} from "../errors.ts";
import { type LocalDevice, PeerIdentity, type PinnedAccount, refusing, verifyDevice } from "../identity.ts";
import type { CallId } from "../ids.ts";
import { seal } from "../key-schedule.ts";
import { HANDSHAKE_FLOOR, pad } from "../padding.ts";
import { encodePreKey, type PreKeyBundle, PreKeyKind, type PreKeyRecord, verifyPreKey } from "../prekey.ts";
import type { MlKemPrivateKey, Primitives, X25519PrivateKey } from "../primitives.ts";
import { isEqual, SecretState } from "../secret.ts";
import {
  type Confirm,
  encodeAnswerHeader,
  encodeOfferHeader,
  encodeSignal,
  type OfferHeader,
  SignalType,
} from "../signals.ts";
import { CallState, type Held } from "./call-state.ts";
import {
  agreeOrRefuse,
  decodeAs,
  highestCommon,
  openPadded,
  openReason,
  parsing,
  refusingKeys,
  requireCall,
  requireDevice,
  requireTransport,
  sealReason,
  verifyFingerprint,
} from "./checks.ts";
import {
  type AnswerPayload,
  type CallFlags,
  type CancelReason,
  compareListView,
  decodeAnswerPayload,
  DeclineReason,
  encodeIdentityPayload,
  encodeOfferPayload,
  type ListView,
  sightingOf,
} from "./payloads.ts";
import {
  answerKey,
  beginTranscript,
  bindAnswer,
  bindAnswerHeader,
  bindIdentity,
  bindOffer,
  bindOfferHeader,
  confirmMac,
  deriveSession,
  identityKey,
  offerKey,
  SEAL_ANSWER,
  SEAL_IDENTITY,
  SEAL_OFFER,
} from "./schedule.ts";
import { HandshakeKey, Role, SessionSecrets } from "./session-secrets.ts";

/** What a verified bundle tells: the peer, and the version and suite to use with it. */
export interface VerifiedBundle {
  readonly peer: PeerIdentity;
  readonly version: number;
  readonly suite: number;
}

/**
 * Checks everything a bundle claims. `pinned` is what is remembered of the account that was asked for, null at
 * first contact.
 *
 * Throws AccountKeyChangedError if the bundle is of another account than the pinned one, HandshakeError with the
 * reason of the first check that failed.
 */
export async function verifyBundle(
  primitives: Primitives,
  local: LocalDevice,
  bundle: PreKeyBundle,
  pinned: PinnedAccount | null,
  now: number,
): Promise<VerifiedBundle> {
  const { certificate, deviceList, signed, oneTime } = bundle;
  if (pinned !== null && !isEqual(certificate.account, pinned.account)) {
    throw new AccountKeyChangedError(pinned.account, certificate.account);
  }
  const memory = await verifyDevice(primitives, certificate, deviceList, pinned, now);
  const chosen = await verifyRecord(primitives, local, bundle, signed, PreKeyKind.SIGNED, now);
  if (oneTime !== null) {
    const other = await verifyRecord(primitives, local, bundle, oneTime, PreKeyKind.ONE_TIME, now);
    if (other.version !== chosen.version || other.suite !== chosen.suite) {
      throw new HandshakeError(
        HandshakeReason.DOWNGRADE,
        "two pre-keys of one device differ in what they speak",
      );
    }
  }
  return { peer: new PeerIdentity(certificate, deviceList, memory), ...chosen };
}

/** What a caller proposes. */
export interface Proposal {
  /** 16 random bytes, one for all devices of a ring. */
  readonly callId: CallId;
  /** How to reach the caller, at most 16 KiB; only the callee's device reads it. */
  readonly transport: Uint8Array;
  /** Of the transport's DTLS certificate, 32 bytes, or NO_FINGERPRINT. */
  readonly fingerprint: Uint8Array;
  readonly callFlags: CallFlags;
}

/**
 * Rings one device: checks its bundle, and gives the call with the OFFER to send.
 *
 * At first contact pass the pin of the first bundle (`.peer.pinned`) with the next, so that all devices rung are
 * of one account. Throws HandshakeError if a check of the bundle failed, and nothing was made of it;
 * LocalProtocolError if a device rings itself, or for an oversized transport.
 */
export async function placeOffer(
  primitives: Primitives,
  local: LocalDevice,
  bundle: PreKeyBundle,
  pinned: PinnedAccount | null,
  proposal: Proposal,
  now: number,
): Promise<OfferedCall> {
  requireTransport(proposal.transport, proposal.fingerprint);
  if (isEqual(bundle.certificate.device, local.device)) {
    throw new LocalProtocolError("a device cannot ring itself");
  }
  const { peer, version, suite } = await verifyBundle(primitives, local, bundle, pinned, now);
  const { signed, oneTime } = bundle;
  const ephemeral = await primitives.x25519Generate();
  const kem = await primitives.mlKemGenerate();
  const { sharedSecret, ciphertext } = await refusingKeys(async () =>
    primitives.mlKemEncapsulate((oneTime ?? signed).kemKey),
  );
  const header: OfferHeader = {
    type: SignalType.OFFER,
    version,
    suite,
    callId: proposal.callId,
    calleeDevice: peer.device,
    signedPreKey: signed.id,
    oneTimePreKey: oneTime?.id ?? null,
    ephemeralKey: ephemeral.publicKey,
    kemKey: kem.publicKey,
    kemCiphertext: ciphertext,
  };
  const th0 = await beginTranscript(
    primitives,
    version,
    suite,
    encodeCertificate(bundle.certificate),
    encodePreKey(signed),
    oneTime === null ? new Uint8Array() : encodePreKey(oneTime),
  );
  const th1 = await bindOfferHeader(primitives, th0, encodeOfferHeader(header));
  const p1 = await identityKey(
    primitives,
    th1,
    await agreeOrRefuse(primitives, ephemeral, bundle.certificate.agreementKey),
    await agreeOrRefuse(primitives, ephemeral, signed.agreementKey),
    oneTime === null ? new Uint8Array() : await agreeOrRefuse(primitives, ephemeral, oneTime.agreementKey),
    sharedSecret,
  );
  const identity = pad(encodeIdentityPayload(local), HANDSHAKE_FLOOR);
  const sealedIdentity = await seal(primitives, p1, SEAL_IDENTITY, th1, identity);
  const th2 = await bindIdentity(primitives, th1, identity, sealedIdentity);
  const dh1 = await agreeOrRefuse(primitives, local.keys.agreement, signed.agreementKey);
  const p2 = await offerKey(primitives, p1, th1, dh1);
  const payload = encodeOfferPayload({
    ...local.spoken,
    time: Math.floor(now),
    calleeList: await sightingOf(primitives, bundle.deviceList),
    fingerprint: proposal.fingerprint,
    flags: proposal.callFlags,
    transport: proposal.transport,
  });
  const padded = pad(payload, HANDSHAKE_FLOOR);
  const sealedOffer = await seal(primitives, p2, SEAL_OFFER, th2, padded);
  const th3 = await bindOffer(primitives, th2, padded, sealedOffer);
  const ringing = new OfferedSecrets(version, suite, ephemeral, kem, new HandshakeKey(p2), th3);
  const encoded = encodeSignal({ ...header, sealedIdentity, sealedOffer });
  return new OfferedCall(primitives, local, peer, proposal.callId, encoded, ringing);
}

/** What the caller keeps secret while one device rings. For OfferedCall, and for the vectors. */
export class OfferedSecrets extends SecretState implements Held {
  readonly kind = "OfferedSecrets";
  readonly version: number;
  readonly suite: number;
  readonly ephemeral: X25519PrivateKey;
  readonly kem: MlKemPrivateKey;
  readonly p2: HandshakeKey;
  readonly th3: Uint8Array;

  constructor(
    version: number,
    suite: number,
    ephemeral: X25519PrivateKey,
    kem: MlKemPrivateKey,
    p2: HandshakeKey,
    th3: Uint8Array,
  ) {
    super();
    this.version = version;
    this.suite = suite;
    this.ephemeral = ephemeral;
    this.kem = kem;
    this.p2 = p2;
    this.th3 = th3;
  }

  wipe(): void {
    this.ephemeral.wipe();
    this.kem.wipe();
    this.p2.wipe();
  }
}

/**
 * One device was rung. A valid ANSWER, a valid DECLINE or `cancel` ends this state; nothing else does.
 *
 * `refusals` counts messages that did not hold: after MAX_INVALID_ANSWERS the caller drops the device.
 */
export class OfferedCall extends CallState<OfferedSecrets> {
  readonly kind = "OfferedCall";
  readonly peer: PeerIdentity;
  readonly callId: CallId;
  /** The OFFER to send. */
  readonly offer: Uint8Array;
  readonly #primitives: Primitives;
  readonly #local: LocalDevice;
  #refusals = 0;

  constructor(
    primitives: Primitives,
    local: LocalDevice,
    peer: PeerIdentity,
    callId: CallId,
    offer: Uint8Array,
    secrets: OfferedSecrets,
  ) {
    super(secrets);
    this.#primitives = primitives;
    this.#local = local;
    this.peer = peer;
    this.callId = callId;
    this.offer = offer;
  }

  /** How many messages did not hold. */
  get refusals(): number {
    return this.#refusals;
  }

  /**
   * Checks an ANSWER; gives the established call, whose `confirm` makes the CONFIRM to send.
   *
   * Throws HandshakeError if it does not hold: the device still rings and a valid ANSWER is still taken.
   * Throws ConsumedStateError if this state has ended.
   */
  async receiveAnswer(encoded: Uint8Array, now: number): Promise<ConfirmedCall> {
    return this.giveWay(
      async (secrets) => this.#counting(async () => this.#checkAnswer(secrets, encoded, now)),
      (confirmed) => {
        confirmed.wipe();
      },
    );
  }

  /** Checks a DECLINE; gives why the device does not take the call, and ends this state. Throws as above. */
  async receiveDecline(encoded: Uint8Array): Promise<DeclineReason> {
    return this.giveWay(async (secrets) =>
      this.#counting(async () => {
        const signal = decodeAs(SignalType.DECLINE, encoded);
        requireCall(signal, secrets.version, secrets.suite, this.callId);
        requireDevice(signal.device, this.peer.device);
        const reason = await openReason(this.#primitives, secrets.p2.expose(), secrets.th3, signal);
        return parsing(() => parseCode(DeclineReason, reason));
      }),
    );
  }

  /** The CANCEL to send; this state ends. Throws ConsumedStateError. */
  async cancel(reason: CancelReason): Promise<Uint8Array> {
    return this.giveWay(async (secrets) => {
      const header = {
        type: SignalType.CANCEL,
        version: secrets.version,
        suite: secrets.suite,
        callId: this.callId,
        device: this.#local.device,
      };
      const p2 = secrets.p2.expose();
      const sealedReason = await sealReason(this.#primitives, p2, secrets.th3, header, reason);
      return encodeSignal({ ...header, sealedReason });
    });
  }

  async #counting<T>(check: () => Promise<T>): Promise<T> {
    try {
      return await check();
    } catch (error) {
      if (error instanceof HandshakeError) this.#refusals += 1;
      throw error;
    }
  }

  async #checkAnswer(secrets: OfferedSecrets, encoded: Uint8Array, now: number): Promise<ConfirmedCall> {
    const primitives = this.#primitives;
    const answer = decodeAs(SignalType.ANSWER, encoded);
    requireCall(answer, secrets.version, secrets.suite, this.callId);
    requireDevice(answer.device, this.peer.device);
    const th4 = await bindAnswerHeader(primitives, secrets.th3, encodeAnswerHeader(answer));
    const p3 = await answerKey(
      primitives,
      secrets.p2.expose(),
      secrets.th3,
      await agreeOrRefuse(primitives, secrets.ephemeral, answer.ephemeralKey),
      await agreeOrRefuse(primitives, this.#local.keys.agreement, answer.ephemeralKey),
      await primitives.mlKemDecapsulate(secrets.kem, answer.kemCiphertext),
    );
    const { sealedAnswer } = answer;
    const opened = await openPadded(primitives, p3, SEAL_ANSWER, th4, sealedAnswer, decodeAnswerPayload);
    const { padded, payload } = opened;
    const { certificate, pinned, deviceList } = this.peer;
    const memory = await verifyDevice(primitives, certificate, payload.deviceList, pinned, now);
    const th5 = await bindAnswer(primitives, th4, padded, sealedAnswer);
    const keys = await deriveSession(primitives, p3, th5);
    const head = {
      type: SignalType.CONFIRM,
      version: secrets.version,
      suite: secrets.suite,
      callId: this.callId,
      mac: await confirmMac(primitives, keys.confirmKey, th5),
    };
    return new ConfirmedCall(
      head,
      new SessionSecrets(Role.INITIATOR, keys, answer.ephemeralKey),
      new PeerIdentity(certificate, payload.deviceList, memory),
      payload,
      await compareListView(primitives, this.#local.deviceList, payload.callerList),
      payload.deviceList.version > deviceList.version,
    );
  }
}

type ConfirmHead = Omit<Confirm, "firstMessage">;

/** The callee is live and agrees on everything. Its secrets may protect data from CONFIRM on. */
export class ConfirmedCall extends SecretState {
  readonly kind = "ConfirmedCall";
  readonly callId: CallId;
  readonly secrets: SessionSecrets;
  /** With the device list that the callee itself sent: store `peer.pinned`. */
  readonly peer: PeerIdentity;
  readonly transport: Uint8Array;
  readonly fingerprint: Uint8Array;
  /** What the callee knows of our own device list. */
  readonly listView: ListView;
  /** The callee's list is newer than the one the server served: tell the user once. */
  readonly serverWasStale: boolean;
  #head: ConfirmHead | null;

  constructor(
    head: ConfirmHead,
    secrets: SessionSecrets,
    peer: PeerIdentity,
    payload: AnswerPayload,
    listView: ListView,
    serverWasStale: boolean,
  ) {
    super();
    this.#head = head;
    this.callId = head.callId;
    this.secrets = secrets;
    this.peer = peer;
    this.transport = payload.transport;
    this.fingerprint = payload.fingerprint;
    this.listView = listView;
    this.serverWasStale = serverWasStale;
  }

  /**
   * The CONFIRM to send, with the first ratchet message in it. Once only.
   * Throws ConsumedStateError if it was made already, LocalProtocolError if the message is empty.
   */
  confirm(firstMessage: Uint8Array): Uint8Array {
    const head = this.#head;
    if (head === null) throw new ConsumedStateError("this call was confirmed already");
    if (firstMessage.length === 0) throw new LocalProtocolError("CONFIRM carries the first ratchet message");
    this.#head = null;
    return encodeSignal({ ...head, firstMessage });
  }

  /** Checks the fingerprint that the transport verified. Throws HandshakeError (`fingerprint`). */
  verifyFingerprint(presented: Uint8Array): void {
    verifyFingerprint(this.fingerprint, presented);
  }

  /** Drops every secret, unless `secrets` was handed on and wipes itself elsewhere. */
  wipe(): void {
    this.#head = null;
    this.secrets.wipe();
  }
}

async function verifyRecord(
  primitives: Primitives,
  local: LocalDevice,
  bundle: PreKeyBundle,
  record: PreKeyRecord,
  kind: PreKeyKind,
  now: number,
): Promise<{ version: number; suite: number }> {
  if (record.kind !== kind || !isEqual(record.device, bundle.certificate.device)) {
    throw new HandshakeError(HandshakeReason.WRONG_DEVICE, "a pre-key of another device or kind");
  }
  await refusing(HandshakeReason.PRE_KEY_FORGED, HandshakeReason.PRE_KEY_EXPIRED, async () =>
    verifyPreKey(primitives, record, bundle.certificate.signingKey, Math.floor(now)),
  );
  const version = highestCommon(local.spoken.versions, record.versions);
  const suite = highestCommon(local.spoken.suites, record.suites);
  if (version === 0 || suite === 0) {
    throw new HandshakeError(HandshakeReason.DOWNGRADE, "no version or suite in common");
  }
  return { version, suite };
}

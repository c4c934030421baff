/** The callee's side: IncomingCall gives way to AnsweredCall (spec/handshake.md, States of the callee). */

import { encodeCertificate } from "../certificate.ts";
import type { DeviceList } from "../device-list.ts";
import { parseCode } from "../encoding.ts";
import { HandshakeError, HandshakeReason, SessionEndedError } from "../errors.ts";
import { type LocalDevice, PeerIdentity, type PinnedAccount, verifyDevice } from "../identity.ts";
import type { AccountId, CallId } from "../ids.ts";
import { seal } from "../key-schedule.ts";
import { MAX_CLOCK_ERROR_SECONDS } from "../limits.ts";
import { HANDSHAKE_FLOOR, pad } from "../padding.ts";
import { encodePreKey } from "../prekey.ts";
import type { PreKeyPair, PreKeyStore } from "../prekeys.ts";
import type { Primitives } from "../primitives.ts";
import { isEqual, SecretState } from "../secret.ts";
import {
  type AnswerHeader,
  encodeAnswerHeader,
  encodeOfferHeader,
  encodeSignal,
  type Offer,
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
  type CallFlags,
  CancelReason,
  compareListView,
  decodeIdentityPayload,
  decodeOfferPayload,
  type DeclineReason,
  encodeAnswerPayload,
  type ListView,
  type OfferPayload,
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

/** How long a callee that answered waits for CONFIRM before it wipes and is idle again. */
export const CONFIRM_WAIT_SECONDS = 10;

/** What is remembered of an account, null for a stranger. */
export type PinnedLookup = (account: AccountId) => PinnedAccount | null | Promise<PinnedAccount | null>;

/**
 * Checks an OFFER and gives the call that rings. Only when every check has passed is the one-time pre-key consumed
 * and the OFFER remembered, in one go: of two OFFERs at once that may not both ring, one does.
 *
 * Throws HandshakeError with the reason of the first check that failed: drop the OFFER without a word. Throws
 * SessionEndedError if the pre-keys or device keys were wiped meanwhile.
 */
export async function receiveOffer(
  primitives: Primitives,
  local: LocalDevice,
  prekeys: PreKeyStore,
  encoded: Uint8Array,
  pinnedLookup: PinnedLookup,
  now: number,
): Promise<IncomingCall> {
  const offer = decodeAs(SignalType.OFFER, encoded);
  requireDevice(offer.calleeDevice, local.device);
  const signed = prekeys.signed(offer.signedPreKey, now);
  const oneTime = offer.oneTimePreKey === null ? null : prekeys.oneTime(offer.oneTimePreKey, now);
  const digest = await primitives.sha256(encoded);
  prekeys.requireNewOffer(digest, offer.callId);
  let checked: CheckedOffer;
  try {
    checked = await checkOffer(primitives, local, signed, oneTime, offer, pinnedLookup, now);
  } catch (error) {
    if (error instanceof SessionEndedError) {
      // another OFFER may have consumed the record while this one waited: then that is the reason
      prekeys.signed(offer.signedPreKey, now);
      if (offer.oneTimePreKey !== null) prekeys.oneTime(offer.oneTimePreKey, now);
    }
    throw error;
  }
  const listView = await compareListView(primitives, local.deviceList, checked.payload.calleeList);
  try {
    prekeys.commitOffer(offer.signedPreKey, offer.oneTimePreKey, digest, offer.callId);
  } catch (error) {
    checked.secrets.wipe();
    throw error;
  }
  return new IncomingCall(primitives, local, checked.peer, offer, checked.payload, listView, checked.secrets);
}

interface CheckedOffer {
  readonly peer: PeerIdentity;
  readonly payload: OfferPayload;
  readonly secrets: IncomingSecrets;
}

async function checkOffer(
  primitives: Primitives,
  local: LocalDevice,
  signed: PreKeyPair,
  oneTime: PreKeyPair | null,
  offer: Offer,
  pinnedLookup: PinnedLookup,
  now: number,
): Promise<CheckedOffer> {
  const th0 = await beginTranscript(
    primitives,
    offer.version,
    offer.suite,
    encodeCertificate(local.certificate),
    encodePreKey(signed.record),
    oneTime === null ? new Uint8Array() : encodePreKey(oneTime.record),
  );
  const th1 = await bindOfferHeader(primitives, th0, encodeOfferHeader(offer));
  const signedKeys = signed.live();
  const onceKeys = oneTime?.live();
  const p1 = await identityKey(
    primitives,
    th1,
    await agreeOrRefuse(primitives, local.keys.agreement, offer.ephemeralKey),
    await agreeOrRefuse(primitives, signedKeys.agreement, offer.ephemeralKey),
    onceKeys === undefined
      ? new Uint8Array()
      : await agreeOrRefuse(primitives, onceKeys.agreement, offer.ephemeralKey),
    await primitives.mlKemDecapsulate((onceKeys ?? signedKeys).kem, offer.kemCiphertext),
  );
  const { sealedIdentity, sealedOffer } = offer;
  const who = await openPadded(primitives, p1, SEAL_IDENTITY, th1, sealedIdentity, decodeIdentityPayload);
  const { certificate, deviceList } = who.payload;
  const pinned = await pinnedLookup(certificate.account);
  const memory = await verifyDevice(primitives, certificate, deviceList, pinned, now);
  if (isEqual(certificate.device, local.device)) {
    throw new HandshakeError(HandshakeReason.WRONG_DEVICE, "an OFFER from this very device");
  }

  const th2 = await bindIdentity(primitives, th1, who.padded, sealedIdentity);
  const dh1 = await agreeOrRefuse(primitives, signedKeys.agreement, certificate.agreementKey);
  const p2 = await offerKey(primitives, p1, th1, dh1);
  const what = await openPadded(primitives, p2, SEAL_OFFER, th2, sealedOffer, decodeOfferPayload);
  if (Math.abs(Math.floor(now) - what.payload.time) > MAX_CLOCK_ERROR_SECONDS) {
    throw new HandshakeError(
      HandshakeReason.CLOCK,
      "the caller's clock and this one differ; check the clock",
    );
  }
  const { versions, suites } = signed.record;
  if (
    offer.version !== highestCommon(versions, what.payload.versions) ||
    offer.suite !== highestCommon(suites, what.payload.suites)
  ) {
    throw new HandshakeError(HandshakeReason.DOWNGRADE, "not the highest version and suite that both know");
  }
  await refusingKeys(async () => primitives.mlKemCheck(offer.kemKey));
  const th3 = await bindOffer(primitives, th2, what.padded, sealedOffer);
  return {
    peer: new PeerIdentity(certificate, deviceList, memory),
    payload: what.payload,
    secrets: new IncomingSecrets(new HandshakeKey(p2), th3),
  };
}

/** What the callee keeps secret while it rings. */
class IncomingSecrets extends SecretState implements Held {
  readonly kind = "IncomingSecrets";
  readonly p2: HandshakeKey;
  readonly th3: Uint8Array;

  constructor(p2: HandshakeKey, th3: Uint8Array) {
    super();
    this.p2 = p2;
    this.th3 = th3;
  }

  wipe(): void {
    this.p2.wipe();
  }
}

/** What the callee keeps between ANSWER and CONFIRM. For AnsweredCall, and for the vectors. */
export class AnsweredSecrets extends SecretState implements Held {
  readonly kind = "AnsweredSecrets";
  readonly p2: HandshakeKey;
  readonly th3: Uint8Array;
  readonly mac: HandshakeKey;
  #session: SessionSecrets | null;

  constructor(p2: HandshakeKey, th3: Uint8Array, mac: HandshakeKey, session: SessionSecrets) {
    super();
    this.p2 = p2;
    this.th3 = th3;
    this.mac = mac;
    this.#session = session;
  }

  /** Hands the session's secrets over: `wipe` no longer reaches them. Throws SessionEndedError after it did. */
  release(): SessionSecrets {
    const session = this.#session;
    if (session === null) throw new SessionEndedError("the session's secrets are gone");
    this.#session = null;
    return session;
  }

  wipe(): void {
    this.p2.wipe();
    this.mac.wipe();
    this.#session?.wipe();
    this.#session = null;
  }
}

/**
 * An authentic OFFER rings here. `accept`, `decline` or a valid CANCEL ends this state.
 *
 * The caller is who `peer` says unless this device's own signed pre-key leaked, and need not be there any more:
 * the OFFER may have been held back. Only CONFIRM proves a live caller.
 */
export class IncomingCall extends CallState<IncomingSecrets> {
  readonly kind = "IncomingCall";
  readonly callId: CallId;
  /** Store `peer.pinned`: it includes the caller's device list. */
  readonly peer: PeerIdentity;
  readonly transport: Uint8Array;
  readonly fingerprint: Uint8Array;
  readonly callFlags: CallFlags;
  /** The caller's clock when it rang, Unix seconds. */
  readonly offeredAt: number;
  /** What the caller knows of our own device list. */
  readonly listView: ListView;
  readonly #primitives: Primitives;
  readonly #local: LocalDevice;
  readonly #offer: Offer;

  /** `receiveOffer` makes one. */
  constructor(
    primitives: Primitives,
    local: LocalDevice,
    peer: PeerIdentity,
    offer: Offer,
    payload: OfferPayload,
    listView: ListView,
    secrets: IncomingSecrets,
  ) {
    super(secrets);
    this.#primitives = primitives;
    this.#local = local;
    this.#offer = offer;
    this.callId = offer.callId;
    this.peer = peer;
    this.transport = payload.transport;
    this.fingerprint = payload.fingerprint;
    this.callFlags = payload.flags;
    this.offeredAt = payload.time;
    this.listView = listView;
  }

  /**
   * Takes the call: gives the ANSWER to send and the state that waits for CONFIRM. `deviceList` replaces our own
   * list where a newer one was fetched since the OFFER came (`PEER_AHEAD`).
   *
   * Throws HandshakeError (`bad-key`), and the state is as before; LocalProtocolError for an oversized transport
   * or a list without this device; ConsumedStateError if this state has ended.
   */
  async accept(
    transport: Uint8Array,
    fingerprint: Uint8Array,
    now: number,
    deviceList: DeviceList | null = null,
  ): Promise<{ answer: Uint8Array; answered: AnsweredCall }> {
    return this.giveWay(
      async (secrets) => {
        requireTransport(transport, fingerprint);
        const local =
          deviceList === null ? this.#local : await this.#local.withDeviceList(this.#primitives, deviceList);
        return this.#answer(secrets, local, transport, fingerprint, now);
      },
      ({ answered }) => {
        answered.wipe();
      },
    );
  }

  /** The DECLINE to send; this state ends. Throws ConsumedStateError. */
  async decline(reason: DeclineReason): Promise<Uint8Array> {
    return this.giveWay(async (secrets) => {
      const { version, suite, callId } = this.#offer;
      const header = { type: SignalType.DECLINE, version, suite, callId, device: this.#local.device };
      const p2 = secrets.p2.expose();
      const sealedReason = await sealReason(this.#primitives, p2, secrets.th3, header, reason);
      return encodeSignal({ ...header, sealedReason });
    });
  }

  /**
   * Checks a CANCEL; gives why the caller went, and ends this state.
   * Throws HandshakeError if it does not hold, and the call still rings; ConsumedStateError.
   */
  async receiveCancel(encoded: Uint8Array): Promise<CancelReason> {
    return this.giveWay(async (secrets) =>
      openCancel(this.#primitives, encoded, this.#offer, this.peer, secrets),
    );
  }

  /** Checks the fingerprint that the transport verified. Throws HandshakeError (`fingerprint`). */
  verifyFingerprint(presented: Uint8Array): void {
    verifyFingerprint(this.fingerprint, presented);
  }

  async #answer(
    secrets: IncomingSecrets,
    local: LocalDevice,
    transport: Uint8Array,
    fingerprint: Uint8Array,
    now: number,
  ): Promise<{ answer: Uint8Array; answered: AnsweredCall }> {
    const primitives = this.#primitives;
    const { version, suite, callId, kemKey, ephemeralKey } = this.#offer;
    const p2 = secrets.p2.expose();
    const ephemeral = await primitives.x25519Generate();
    const { sharedSecret, ciphertext } = await refusingKeys(async () => primitives.mlKemEncapsulate(kemKey));
    const header: AnswerHeader = {
      type: SignalType.ANSWER,
      version,
      suite,
      callId,
      device: local.device,
      ephemeralKey: ephemeral.publicKey,
      kemCiphertext: ciphertext,
    };
    const th4 = await bindAnswerHeader(primitives, secrets.th3, encodeAnswerHeader(header));
    const p3 = await answerKey(
      primitives,
      p2,
      secrets.th3,
      await agreeOrRefuse(primitives, ephemeral, ephemeralKey),
      await agreeOrRefuse(primitives, ephemeral, this.peer.certificate.agreementKey),
      sharedSecret,
    );
    const payload = encodeAnswerPayload({
      time: Math.floor(now),
      callerList: await sightingOf(primitives, this.peer.deviceList),
      fingerprint,
      deviceList: local.deviceList,
      transport,
    });
    const padded = pad(payload, HANDSHAKE_FLOOR);
    const sealedAnswer = await seal(primitives, p3, SEAL_ANSWER, th4, padded);
    const th5 = await bindAnswer(primitives, th4, padded, sealedAnswer);
    const keys = await deriveSession(primitives, p3, th5);
    const waiting = new AnsweredSecrets(
      new HandshakeKey(p2),
      secrets.th3,
      new HandshakeKey(await confirmMac(primitives, keys.confirmKey, th5)),
      new SessionSecrets(Role.RESPONDER, keys, ephemeral.publicKey, ephemeral),
    );
    return {
      answer: encodeSignal({ ...header, sealedAnswer }),
      answered: new AnsweredCall(primitives, this.peer, this.#offer, this.fingerprint, waiting),
    };
  }
}

/** What a valid CONFIRM gives: the session's secrets, and the first ratchet message, not yet decrypted. */
export interface Established {
  readonly secrets: SessionSecrets;
  readonly firstMessage: Uint8Array;
}

/**
 * The ANSWER is on its way. A valid CONFIRM or CANCEL ends this state; the client wipes it after 10 s.
 *
 * Nothing may be sent to the peer before CONFIRM has been verified.
 */
export class AnsweredCall extends CallState<AnsweredSecrets> {
  readonly kind = "AnsweredCall";
  readonly callId: CallId;
  readonly peer: PeerIdentity;
  readonly fingerprint: Uint8Array;
  readonly #primitives: Primitives;
  readonly #offer: Offer;

  /** `IncomingCall.accept` makes one. */
  constructor(
    primitives: Primitives,
    peer: PeerIdentity,
    offer: Offer,
    fingerprint: Uint8Array,
    secrets: AnsweredSecrets,
  ) {
    super(secrets);
    this.#primitives = primitives;
    this.#offer = offer;
    this.callId = offer.callId;
    this.peer = peer;
    this.fingerprint = fingerprint;
  }

  /**
   * Checks a CONFIRM. Its MAC proves a live caller. It does not cover the ratchet message, which authenticates
   * itself: one that was altered on the way is a lost message, not a lost call.
   *
   * Throws HandshakeError if it does not hold, and the true one is still taken; ConsumedStateError.
   */
  async receiveConfirm(encoded: Uint8Array): Promise<Established> {
    return this.giveWay(
      async (secrets) => {
        const confirm = decodeAs(SignalType.CONFIRM, encoded);
        requireCall(confirm, this.#offer.version, this.#offer.suite, this.callId);
        if (!isEqual(confirm.mac, secrets.mac.expose())) {
          throw new HandshakeError(HandshakeReason.NOT_AUTHENTIC, "CONFIRM does not hold");
        }
        return Promise.resolve({ secrets: secrets.release(), firstMessage: confirm.firstMessage });
      },
      (established) => {
        established.secrets.wipe();
      },
    );
  }

  /**
   * Checks a CANCEL; gives why the caller went, and wipes the session that was about to be.
   * Throws HandshakeError if it does not hold, and CONFIRM is still taken; ConsumedStateError.
   */
  async receiveCancel(encoded: Uint8Array): Promise<CancelReason> {
    return this.giveWay(async (secrets) =>
      openCancel(this.#primitives, encoded, this.#offer, this.peer, secrets),
    );
  }

  /** Checks the fingerprint that the transport verified. Throws HandshakeError (`fingerprint`). */
  verifyFingerprint(presented: Uint8Array): void {
    verifyFingerprint(this.fingerprint, presented);
  }
}

async function openCancel(
  primitives: Primitives,
  encoded: Uint8Array,
  offer: Offer,
  peer: PeerIdentity,
  { p2, th3 }: { readonly p2: HandshakeKey; readonly th3: Uint8Array },
): Promise<CancelReason> {
  const signal = decodeAs(SignalType.CANCEL, encoded);
  requireCall(signal, offer.version, offer.suite, offer.callId);
  requireDevice(signal.device, peer.device);
  const reason = await openReason(primitives, p2.expose(), th3, signal);
  return parsing(() => parseCode(CancelReason, reason));
}

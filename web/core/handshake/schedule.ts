/**
 * The handshake's transcript hashes and keys as pure functions of their inputs (spec/handshake.md).
 *
 * Nothing here draws randomness or holds state, so every value can be recomputed from recorded inputs: the
 * vectors in spec/vectors/handshake.json do just that.
 */

import { concat, lp16, u8 } from "../encoding.ts";
import { authenticate, expand, extract, hashTranscript, KEY_BYTES } from "../key-schedule.ts";
import type { Primitives } from "../primitives.ts";

export const SEAL_IDENTITY = "hs id";
export const SEAL_OFFER = "hs offer";
export const SEAL_ANSWER = "hs answer";
export const SEAL_DECLINE = "hs decline";
export const SEAL_CANCEL = "hs cancel";
export const SESSION_ID_BYTES = 16;
const CHAIN = "hs ck";

/** th0: the callee's certificate and whole pre-key records (`oneTime` is empty without one). */
export async function beginTranscript(
  primitives: Primitives,
  version: number,
  suite: number,
  certificate: Uint8Array,
  signed: Uint8Array,
  oneTime: Uint8Array,
): Promise<Uint8Array> {
  return hashTranscript(
    primitives,
    "hs0",
    concat(u8(version), u8(suite), certificate, signed, lp16(oneTime)),
  );
}

/** th1, over OFFER[0..2356]. */
export async function bindOfferHeader(
  primitives: Primitives,
  th0: Uint8Array,
  header: Uint8Array,
): Promise<Uint8Array> {
  return hashTranscript(primitives, "hs1", concat(th0, header));
}

/** th2, over the padded plaintext id_A and its ciphertext: AES-GCM does not commit to its key. */
export async function bindIdentity(
  primitives: Primitives,
  th1: Uint8Array,
  padded: Uint8Array,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  return hashTranscript(primitives, "hs2", concat(th1, lp16(padded), lp16(sealed)));
}

/** th3, over the padded plaintext offer_A and its ciphertext. */
export async function bindOffer(
  primitives: Primitives,
  th2: Uint8Array,
  padded: Uint8Array,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  return hashTranscript(primitives, "hs3", concat(th2, lp16(padded), lp16(sealed)));
}

/** What seals a DECLINE or CANCEL, over its bytes 0 to 35. */
export async function bindRefusalHeader(
  primitives: Primitives,
  th3: Uint8Array,
  header: Uint8Array,
): Promise<Uint8Array> {
  return hashTranscript(primitives, "hs3d", concat(th3, header));
}

/** th4, over ANSWER[0..1156]. */
export async function bindAnswerHeader(
  primitives: Primitives,
  th3: Uint8Array,
  header: Uint8Array,
): Promise<Uint8Array> {
  return hashTranscript(primitives, "hs4", concat(th3, header));
}

/** th5, over the padded plaintext ans_B and its ciphertext: the whole transcript. */
export async function bindAnswer(
  primitives: Primitives,
  th4: Uint8Array,
  padded: Uint8Array,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  return hashTranscript(primitives, "hs5", concat(th4, lp16(padded), lp16(sealed)));
}

/** P1 of DH(EK_a, DK_dh_B), DH(EK_a, X1), DH(EK_a, X2) (empty without a one-time record), SS1. */
export async function identityKey(
  primitives: Primitives,
  th1: Uint8Array,
  dh2: Uint8Array,
  dh3: Uint8Array,
  dh4: Uint8Array,
  ss1: Uint8Array,
): Promise<Uint8Array> {
  return extract(primitives, th1, concat(dh2, dh3, dh4, ss1));
}

/** P2, which adds DH1 = DH(DK_dh_A, X1): from here on the caller is authentic. */
export async function offerKey(
  primitives: Primitives,
  p1: Uint8Array,
  th1: Uint8Array,
  dh1: Uint8Array,
): Promise<Uint8Array> {
  return extract(primitives, await expand(primitives, p1, CHAIN, th1, KEY_BYTES), dh1);
}

/** P3, which adds DH(EK_a, EK_b), DH(DK_dh_A, EK_b) and SS2: forward secret from here on. */
export async function answerKey(
  primitives: Primitives,
  p2: Uint8Array,
  th3: Uint8Array,
  dh5: Uint8Array,
  dh6: Uint8Array,
  ss2: Uint8Array,
): Promise<Uint8Array> {
  return extract(primitives, await expand(primitives, p2, CHAIN, th3, KEY_BYTES), concat(dh5, dh6, ss2));
}

/** All that P3 gives to the session: 32 bytes each, `sid` 16. Short-lived: wrap it in SessionSecrets. */
export interface SessionKeys {
  readonly confirmKey: Uint8Array;
  readonly sid: Uint8Array;
  readonly rootKey: Uint8Array;
  readonly pqRoot: Uint8Array;
  readonly pqChainA: Uint8Array;
  readonly pqChainB: Uint8Array;
  readonly exporter: Uint8Array;
}

/** The session's keys, each under a label of its own. */
export async function deriveSession(
  primitives: Primitives,
  p3: Uint8Array,
  th5: Uint8Array,
): Promise<SessionKeys> {
  const derive = async (label: string, length = KEY_BYTES): Promise<Uint8Array> =>
    expand(primitives, p3, label, th5, length);
  return {
    confirmKey: await derive("hs conf"),
    sid: await derive("hs sid", SESSION_ID_BYTES),
    rootKey: await derive("hs rk"),
    pqRoot: await derive("hs pr"),
    pqChainA: await derive("hs pa"),
    pqChainB: await derive("hs pb"),
    exporter: await derive("hs exporter"),
  };
}

/** CONFIRM's MAC, 32 bytes: only who saw the whole transcript and holds P3 can make it. */
export async function confirmMac(
  primitives: Primitives,
  confirmKey: Uint8Array,
  th5: Uint8Array,
): Promise<Uint8Array> {
  return authenticate(primitives, confirmKey, th5);
}

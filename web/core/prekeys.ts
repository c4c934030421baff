/**
 * A device's pre-keys: the private halves, when they die, and the memory of OFFERs seen (spec/identity.md).
 *
 * Nothing here is ever written to storage. A process that restarts forgets keys and replay cache together, so no
 * OFFER of before can be accepted after.
 */

import { toHex } from "./encoding.ts";
import { HandshakeError, HandshakeReason, SessionEndedError } from "./errors.ts";
import { type DeviceKeys, SPOKEN, type Spoken } from "./identity.ts";
import { asPreKeyId, type CallId, PRE_KEY_ID_BYTES, type PreKeyId } from "./ids.ts";
import { MAX_ONE_TIME_PRE_KEYS } from "./limits.ts";
import {
  MAX_PRE_KEY_SECONDS,
  PRE_KEY_LABELS,
  PreKeyKind,
  type PreKeyRecord,
  preKeyToBeSigned,
} from "./prekey.ts";
import type { MlKemPrivateKey, Primitives, X25519PrivateKey } from "./primitives.ts";
import { SecretState } from "./secret.ts";
import { Serial } from "./serial.ts";

/** A signed record is replaced at half its life, so that what callers hold is never about to expire. */
export const SIGNED_RENEWAL_SECONDS = 1800;

/** How long past its expiry a signed record still opens OFFERs that were under way. */
export const SIGNED_GRACE_SECONDS = 120;

/** One-time private keys kept at once, given out or not; of more, the oldest are wiped. */
export const MAX_RETAINED_ONE_TIME = 10 * MAX_ONE_TIME_PRE_KEYS;

/** OFFERs remembered under one signed record. When full, the record is retired: fail closed, then renew. */
export const MAX_REMEMBERED_OFFERS = 4096;

/** A pre-key record with its two private halves. */
export class PreKeyPair extends SecretState {
  readonly kind = "PreKeyPair";
  readonly record: PreKeyRecord;
  readonly #agreement: X25519PrivateKey;
  readonly #kem: MlKemPrivateKey;

  constructor(record: PreKeyRecord, agreement: X25519PrivateKey, kem: MlKemPrivateKey) {
    super();
    this.record = record;
    this.#agreement = agreement;
    this.#kem = kem;
  }

  /** A fresh pair, its record signed by DK_sign and valid from `now` for an hour. */
  static async generate(
    primitives: Primitives,
    keys: DeviceKeys,
    kind: PreKeyKind,
    now: number,
    spoken: Spoken = SPOKEN,
  ): Promise<PreKeyPair> {
    const agreement = await primitives.x25519Generate();
    const kem = await primitives.mlKemGenerate();
    const created = Math.floor(now);
    const unsigned = {
      kind,
      device: keys.device,
      id: asPreKeyId(primitives.random(PRE_KEY_ID_BYTES)),
      created,
      expires: created + MAX_PRE_KEY_SECONDS,
      versions: spoken.versions,
      suites: spoken.suites,
      agreementKey: agreement.publicKey,
      kemKey: kem.publicKey,
    };
    const signature = await keys.sign(PRE_KEY_LABELS[kind], preKeyToBeSigned(unsigned));
    return new PreKeyPair({ ...unsigned, signature }, agreement, kem);
  }

  /** Both private halves. Throws SessionEndedError after `wipe`. */
  live(): { readonly agreement: X25519PrivateKey; readonly kem: MlKemPrivateKey } {
    if (this.#agreement.isWiped) throw new SessionEndedError("this pre-key was wiped");
    return { agreement: this.#agreement, kem: this.#kem };
  }

  /** Zeroes and drops the private halves. */
  wipe(): void {
    this.#agreement.wipe();
    this.#kem.wipe();
  }
}

/** A signed pair with the OFFERs that were accepted under it; they die together. Sets and maps are by hex. */
interface SignedEntry {
  readonly pair: PreKeyPair;
  readonly offers: Set<string>;
  readonly calls: Set<string>;
}

/**
 * The private halves of a device's published pre-keys, in memory only, each with its time to die.
 *
 * A one-time record dies at its first use or at its expiry, a signed record 120 s after its expiry. All methods
 * that take `now` (Unix seconds) first forget what is due.
 */
export class PreKeyStore extends SecretState {
  readonly kind = "PreKeyStore";
  readonly #primitives: Primitives;
  readonly #keys: DeviceKeys;
  readonly #spoken: Spoken;
  readonly #publications = new Serial();
  readonly #signed = new Map<string, SignedEntry>();
  readonly #oneTime = new Map<string, PreKeyPair>();
  readonly #used = new Map<string, number>();
  #current: string | null = null;
  #wipes = 0;

  constructor(primitives: Primitives, keys: DeviceKeys, spoken: Spoken = SPOKEN) {
    super();
    this.#primitives = primitives;
    this.#keys = keys;
    this.#spoken = spoken;
  }

  /**
   * What to advertise now: the signed record, renewed if it is due, and 20 one-time records.
   *
   * The one-time records are always fresh. Records of an earlier publication may have been given out, so none of
   * them is advertised twice; they still work until they expire.
   * Throws SessionEndedError if `wipe` came while they were made.
   */
  async publish(now: number): Promise<readonly PreKeyRecord[]> {
    return this.#publications.run(async () => {
      this.expire(now);
      const wipes = this.#wipes;
      const made: PreKeyPair[] = [];
      try {
        while (made.length < MAX_ONE_TIME_PRE_KEYS) made.push(await this.#generate(PreKeyKind.ONE_TIME, now));
        if (this.isRenewalDue(now)) made.push(await this.#generate(PreKeyKind.SIGNED, now));
        if (wipes !== this.#wipes) throw new SessionEndedError("the pre-keys were wiped");
      } catch (error) {
        for (const pair of made) pair.wipe();
        throw error;
      }
      return this.#advertise(made);
    });
  }

  /** Whether `publish` would make a new signed record: none is live, or it is 30 minutes old. */
  isRenewalDue(now: number): boolean {
    const current = this.#currentEntry();
    if (current === undefined) return true;
    const age = now - current.pair.record.created;
    return age < 0 || age >= SIGNED_RENEWAL_SECONDS;
  }

  /** Keeps a pair that was made elsewhere, as `publish` keeps its own. */
  adopt(pair: PreKeyPair): void {
    const id = toHex(pair.record.id);
    if (pair.record.kind === PreKeyKind.SIGNED) {
      this.#signed.set(id, { pair, offers: new Set(), calls: new Set() });
      return;
    }
    this.#oneTime.set(id, pair);
    for (const [oldest, old] of this.#oneTime) {
      if (this.#oneTime.size <= MAX_RETAINED_ONE_TIME) break;
      this.#oneTime.delete(oldest);
      old.wipe();
    }
  }

  /** The live signed pair of that id. Throws HandshakeError (`pre-key-unknown`). */
  signed(id: PreKeyId, now: number): PreKeyPair {
    this.expire(now);
    return this.#signedEntry(id).pair;
  }

  /**
   * The live one-time pair of that id; `commitOffer` consumes it.
   * Throws HandshakeError: `pre-key-used` if an OFFER consumed it, else `pre-key-unknown`.
   */
  oneTime(id: PreKeyId, now: number): PreKeyPair {
    this.expire(now);
    return this.#oneTimePair(id);
  }

  /** Refuses an OFFER whose digest or call id was accepted before. Throws HandshakeError (`replayed`). */
  requireNewOffer(offerDigest: Uint8Array, callId: CallId): void {
    const digest = toHex(offerDigest);
    const call = toHex(callId);
    for (const entry of this.#signed.values()) {
      if (entry.offers.has(digest) || entry.calls.has(call)) {
        throw new HandshakeError(HandshakeReason.REPLAYED, "an OFFER that came before");
      }
    }
  }

  /**
   * Remembers an OFFER that passed every check, and wipes the one-time pair it used.
   *
   * Looks again at what the checks began with, in one go: while they waited for crypto, another OFFER may have
   * used the record, or the same one may have come twice. Throws HandshakeError: `pre-key-unknown`,
   * `pre-key-used` or `replayed`; nothing is remembered then.
   */
  commitOffer(signed: PreKeyId, oneTime: PreKeyId | null, offerDigest: Uint8Array, callId: CallId): void {
    const entry = this.#signedEntry(signed);
    const pair = oneTime === null ? null : this.#oneTimePair(oneTime);
    this.requireNewOffer(offerDigest, callId);
    entry.offers.add(toHex(offerDigest));
    entry.calls.add(toHex(callId));
    if (pair !== null) {
      const id = toHex(pair.record.id);
      this.#oneTime.delete(id);
      this.#used.set(id, pair.record.expires + SIGNED_GRACE_SECONDS);
      pair.wipe();
    }
    if (entry.offers.size >= MAX_REMEMBERED_OFFERS) {
      this.#signed.delete(toHex(signed));
      entry.pair.wipe();
    }
  }

  /** Wipes every private half whose time is over. */
  expire(now: number): void {
    for (const [id, { pair }] of this.#signed) {
      if (now > pair.record.expires + SIGNED_GRACE_SECONDS) {
        this.#signed.delete(id);
        pair.wipe();
      }
    }
    for (const [id, pair] of this.#oneTime) {
      if (now > pair.record.expires) {
        this.#oneTime.delete(id);
        pair.wipe();
      }
    }
    for (const [id, until] of this.#used) {
      if (now > until) this.#used.delete(id);
    }
  }

  /** Forgets every private half and every OFFER seen: lock, panic, log-out. */
  wipe(): void {
    this.#wipes += 1;
    for (const { pair } of this.#signed.values()) pair.wipe();
    for (const pair of this.#oneTime.values()) pair.wipe();
    this.#signed.clear();
    this.#oneTime.clear();
    this.#used.clear();
    this.#current = null;
  }

  /** How many private pairs are alive. */
  get size(): { readonly signed: number; readonly oneTime: number } {
    return { signed: this.#signed.size, oneTime: this.#oneTime.size };
  }

  /** Keeps what was made, and gives the records to send, the signed one first. Nothing waits in here. */
  #advertise(made: readonly PreKeyPair[]): readonly PreKeyRecord[] {
    for (const pair of made) {
      this.adopt(pair);
      if (pair.record.kind === PreKeyKind.SIGNED) this.#current = toHex(pair.record.id);
    }
    const current = this.#currentEntry();
    if (current === undefined) throw new SessionEndedError("the signed pre-key was retired meanwhile");
    const records = made.map((pair) => pair.record);
    return [current.pair.record, ...records.filter((record) => record.kind === PreKeyKind.ONE_TIME)];
  }

  #currentEntry(): SignedEntry | undefined {
    return this.#current === null ? undefined : this.#signed.get(this.#current);
  }

  #signedEntry(id: PreKeyId): SignedEntry {
    const entry = this.#signed.get(toHex(id));
    if (entry === undefined) {
      throw new HandshakeError(HandshakeReason.PRE_KEY_UNKNOWN, "a signed pre-key that is not alive here");
    }
    return entry;
  }

  #oneTimePair(id: PreKeyId): PreKeyPair {
    if (this.#used.has(toHex(id))) {
      throw new HandshakeError(HandshakeReason.PRE_KEY_USED, "a one-time pre-key that was used before");
    }
    const pair = this.#oneTime.get(toHex(id));
    if (pair === undefined) {
      throw new HandshakeError(HandshakeReason.PRE_KEY_UNKNOWN, "a one-time pre-key that is not alive here");
    }
    return pair;
  }

  async #generate(kind: PreKeyKind, now: number): Promise<PreKeyPair> {
    return PreKeyPair.generate(this.#primitives, this.#keys, kind, now, this.#spoken);
  }
}

/** What a finished handshake hands to the session, each secret in a type of its own. */

import type { X25519PrivateKey } from "../primitives.ts";
import { Secret, SecretState } from "../secret.ts";
import type { SessionKeys } from "./schedule.ts";

/** P2, or the MAC that CONFIRM must carry: dead when the handshake is over. */
export class HandshakeKey extends Secret {
  readonly kind = "HandshakeKey";
}

/** rk0, the Double Ratchet's first root key. */
export class RootKey extends Secret {
  readonly kind = "RootKey";
}

/** pr0, the first root of the KEM epochs. */
export class PqRootKey extends Secret {
  readonly kind = "PqRootKey";
}

/** pa0 or pb0, a first chain key of the KEM epochs. */
export class PqChainKey extends Secret {
  readonly kind = "PqChainKey";
}

/** What the session code and media keys are derived from. */
export class Exporter extends Secret {
  readonly kind = "Exporter";
}

/** Which side of the call this is. The initiator rang, and sends the first ratchet message. */
export const Role = { INITIATOR: "initiator", RESPONDER: "responder" } as const;
export type Role = (typeof Role)[keyof typeof Role];

/** The secrets of one established call. Whoever receives it owns it, and wipes it. */
export class SessionSecrets extends SecretState {
  readonly kind = "SessionSecrets";
  readonly role: Role;
  /** 16 bytes, the same on both sides; never sent, never shown. */
  readonly sid: Uint8Array;
  readonly rootKey: RootKey;
  readonly pqRoot: PqRootKey;
  /** Initiator to responder. */
  readonly pqChainA: PqChainKey;
  /** Responder to initiator. */
  readonly pqChainB: PqChainKey;
  readonly exporter: Exporter;
  /** EK_b, 32 bytes: the responder's first ratchet key. */
  readonly ratchetPublicKey: Uint8Array;
  /** EK_b's private half, on the responder's side only. */
  readonly ratchetPrivateKey: X25519PrivateKey | null;

  /** Wraps derived keys in their types. */
  constructor(
    role: Role,
    keys: SessionKeys,
    ratchetPublicKey: Uint8Array,
    ratchetPrivateKey: X25519PrivateKey | null = null,
  ) {
    super();
    this.role = role;
    this.sid = keys.sid;
    this.rootKey = new RootKey(keys.rootKey);
    this.pqRoot = new PqRootKey(keys.pqRoot);
    this.pqChainA = new PqChainKey(keys.pqChainA);
    this.pqChainB = new PqChainKey(keys.pqChainB);
    this.exporter = new Exporter(keys.exporter);
    this.ratchetPublicKey = ratchetPublicKey;
    this.ratchetPrivateKey = ratchetPrivateKey;
  }

  /** Zeroes and drops every secret, EK_b with them. */
  wipe(): void {
    for (const secret of [this.rootKey, this.pqRoot, this.pqChainA, this.pqChainB, this.exporter]) {
      secret.wipe();
    }
    this.ratchetPrivateKey?.wipe();
    this.sid.fill(0);
  }
}

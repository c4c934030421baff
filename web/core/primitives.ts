/**
 * What the protocol needs of the platform: random bytes and the primitives of suite 1 (spec/overview.md).
 *
 * core/webcrypto.ts is the implementation. No method changes or keeps what it is given.
 */

import { LocalProtocolError } from "./errors.ts";
import { Secret } from "./secret.ts";

export const X25519_KEY_BYTES = 32;
export const ED25519_KEY_BYTES = 32;
export const ED25519_SIGNATURE_BYTES = 64;
export const ML_KEM_SEED_BYTES = 64;
export const ML_KEM_PUBLIC_KEY_BYTES = 1184;
export const ML_KEM_CIPHERTEXT_BYTES = 1088;

/** A private key together with its public half. Only `Primitives` makes one. */
export abstract class PrivateKey extends Secret {
  /** The public half as it is sent and hashed. */
  readonly publicKey: Uint8Array;

  constructor(value: Uint8Array, publicKey: Uint8Array) {
    super(value);
    this.publicKey = publicKey;
  }

  /** Throws LocalProtocolError: a private key has one owner, who wipes it. */
  override copy(): never {
    throw new LocalProtocolError(`a ${this.kind} has one owner`);
  }
}

/** An X25519 private key (RFC 7748), 32 bytes; public 32. */
export class X25519PrivateKey extends PrivateKey {
  readonly kind = "X25519PrivateKey";
}

/** An Ed25519 private key as its seed (RFC 8032), 32 bytes; public 32. */
export class Ed25519PrivateKey extends PrivateKey {
  readonly kind = "Ed25519PrivateKey";
}

/** An ML-KEM-768 decapsulation key (FIPS 203), expanded; its encapsulation key has 1184 bytes. */
export class MlKemPrivateKey extends PrivateKey {
  readonly kind = "MlKemPrivateKey";
}

/** What encapsulation gives: 32 secret bytes, and 1088 to send. */
export interface Encapsulation {
  readonly sharedSecret: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** The primitives of suite 1. All byte strings are plain; lengths are in bytes. */
export interface Primitives {
  /** Random bytes of the system's generator. */
  random(length: number): Uint8Array;

  /** SHA-256, 32 bytes. */
  sha256(message: Uint8Array): Promise<Uint8Array>;
  /** HMAC-SHA-256 (RFC 2104), 32 bytes. */
  hmacSha256(key: Uint8Array, message: Uint8Array): Promise<Uint8Array>;
  /** HKDF-SHA-256 extract (RFC 5869 section 2.2), 32 bytes. */
  hkdfExtract(salt: Uint8Array, ikm: Uint8Array): Promise<Uint8Array>;
  /** HKDF-SHA-256 expand (RFC 5869 section 2.3). */
  hkdfExpand(prk: Uint8Array, info: Uint8Array, length: number): Promise<Uint8Array>;
  /** PBKDF2-HMAC-SHA-512 (RFC 8018). */
  pbkdf2Sha512(password: Uint8Array, salt: Uint8Array, rounds: number, length: number): Promise<Uint8Array>;

  /** AES-256-GCM of `plaintext`: ciphertext ‖ 16-byte tag. The nonce is 12 bytes and unique to the key. */
  aesGcmSeal(
    key: Uint8Array,
    nonce: Uint8Array,
    associated: Uint8Array,
    plaintext: Uint8Array,
  ): Promise<Uint8Array>;
  /** The plaintext of what `aesGcmSeal` made. Throws DecryptionError if it does not open. */
  aesGcmOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    associated: Uint8Array,
    sealed: Uint8Array,
  ): Promise<Uint8Array>;

  /** A fresh X25519 key. */
  x25519Generate(): Promise<X25519PrivateKey>;
  /** The X25519 key of 32 private bytes. Throws MalformedError for any other length. */
  x25519Import(privateKey: Uint8Array): Promise<X25519PrivateKey>;
  /** The 32-byte X25519 secret. Throws MalformedError if `publicKey` is not 32 bytes or the result is zero. */
  x25519Agree(privateKey: X25519PrivateKey, publicKey: Uint8Array): Promise<Uint8Array>;

  /** A fresh Ed25519 key. */
  ed25519Generate(): Promise<Ed25519PrivateKey>;
  /** The Ed25519 key of a 32-byte seed. Throws MalformedError for any other length. */
  ed25519Import(seed: Uint8Array): Promise<Ed25519PrivateKey>;
  /** The 64-byte signature over `message`. */
  ed25519Sign(privateKey: Ed25519PrivateKey, message: Uint8Array): Promise<Uint8Array>;
  /** Checks a signature. Throws ForgedError if it does not hold, MalformedError for a key of another length. */
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<void>;

  /** A fresh ML-KEM-768 key. */
  mlKemGenerate(): Promise<MlKemPrivateKey>;
  /** The ML-KEM-768 key of a 64-byte seed d ‖ z. Throws MalformedError for any other length. */
  mlKemImport(seed: Uint8Array): Promise<MlKemPrivateKey>;
  /** Checks an encapsulation key as FIPS 203 section 7.2 asks. Throws MalformedError. */
  mlKemCheck(publicKey: Uint8Array): Promise<void>;
  /** A fresh secret, and the ciphertext that carries it. Throws MalformedError if `publicKey` is not valid. */
  mlKemEncapsulate(publicKey: Uint8Array): Promise<Encapsulation>;
  /**
   * The secret in a ciphertext of 1088 bytes; for one that was made for another key it is some other secret.
   * Throws MalformedError for any other length.
   */
  mlKemDecapsulate(privateKey: MlKemPrivateKey, ciphertext: Uint8Array): Promise<Uint8Array>;
}

/**
 * `Primitives` of WebCrypto, and of @noble where a platform lacks one or is slower at it.
 *
 * WebCrypto does AES-GCM, PBKDF2, SHA-256 of long messages, and X25519 and Ed25519 where it has them. ML-KEM-768
 * and short hashes, HMACs and derivations are done here: handing 64 bytes to the platform takes longer than
 * hashing them.
 */

import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { expand, extract } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";

import { concat, fromHex } from "./encoding.ts";
import { DecryptionError, ForgedError, LocalProtocolError, MalformedError } from "./errors.ts";
import {
  ED25519_KEY_BYTES,
  ED25519_SIGNATURE_BYTES,
  type Encapsulation,
  Ed25519PrivateKey,
  ML_KEM_CIPHERTEXT_BYTES,
  ML_KEM_PUBLIC_KEY_BYTES,
  ML_KEM_SEED_BYTES,
  MlKemPrivateKey,
  type Primitives,
  type PrivateKey,
  X25519_KEY_BYTES,
  X25519PrivateKey,
} from "./primitives.ts";
import { isEqual } from "./secret.ts";

/** A key inside the platform; opaque here. */
export interface PlatformKey {
  readonly type: string;
}

interface AlgorithmParameters {
  readonly name: string;
  readonly [parameter: string]: unknown;
}

/** Bytes in memory that no other thread shares: WebCrypto takes no others, and the core makes no others. */
type Plain = Uint8Array<ArrayBuffer>;

/** The parts of SubtleCrypto that are used here; `crypto.subtle` of every platform fits. */
export interface SubtlePart {
  digest(algorithm: string, data: Plain): Promise<ArrayBuffer>;
  importKey(
    format: "raw" | "pkcs8",
    data: Plain,
    algorithm: string,
    extractable: boolean,
    usages: string[],
  ): Promise<PlatformKey>;
  deriveBits(algorithm: AlgorithmParameters, key: PlatformKey, length: number): Promise<ArrayBuffer>;
  encrypt(algorithm: AlgorithmParameters, key: PlatformKey, data: Plain): Promise<ArrayBuffer>;
  decrypt(algorithm: AlgorithmParameters, key: PlatformKey, data: Plain): Promise<ArrayBuffer>;
  sign(algorithm: string, key: PlatformKey, data: Plain): Promise<ArrayBuffer>;
  verify(algorithm: string, key: PlatformKey, signature: Plain, data: Plain): Promise<boolean>;
}

/** Fills an array with random bytes, as `crypto.getRandomValues` does. */
export type FillRandom = (array: Plain) => unknown;

/** Messages from here on are hashed by the platform, which is then faster than crossing over to it is slow. */
const LONG_MESSAGE_BYTES = 4096;
const MAX_RANDOM_BYTES = 65_536;
const AES_KEY_BYTES = 32;
const ML_KEM_MODULUS = 3329;
const ML_KEM_MESSAGE_BYTES = 32;
/** What precedes the 32-byte seed in an encapsulation key. */
const ML_KEM_COEFFICIENT_BYTES = ML_KEM_PUBLIC_KEY_BYTES - 32;
const ZEROS = new Uint8Array(X25519_KEY_BYTES);
const BASE_POINT = Uint8Array.of(9, ...ZEROS.subarray(1));

/** A key and message for comparing the platform with @noble. */
const PROBE = Uint8Array.from(ZEROS, (_, i) => i);

/** PKCS #8 of RFC 8410: what precedes the 32 private bytes; the only way to bring such a key in. */
const X25519_PKCS8 = fromHex("302e020100300506032b656e04220420");
const ED25519_PKCS8 = fromHex("302e020100300506032b657004220420");

/** `Primitives` over one platform. `create` looks once at what that platform can do. */
export class WebCryptoPrimitives implements Primitives {
  readonly #subtle: SubtlePart;
  readonly #fill: FillRandom;
  readonly #hasX25519: boolean;
  readonly #hasEd25519: boolean;
  /** Imported once per key; importing takes as long as agreeing. Entries go when their key does. */
  readonly #handles = new WeakMap<PrivateKey, Promise<PlatformKey>>();

  private constructor(subtle: SubtlePart, fill: FillRandom, hasX25519: boolean, hasEd25519: boolean) {
    this.#subtle = subtle;
    this.#fill = fill;
    this.#hasX25519 = hasX25519;
    this.#hasEd25519 = hasEd25519;
  }

  /**
   * The primitives of `crypto.subtle` and `crypto.getRandomValues` (bound). X25519 and Ed25519 of the platform
   * are used only if they give what @noble gives.
   */
  static async create(subtle: SubtlePart, fill: FillRandom): Promise<WebCryptoPrimitives> {
    const [hasX25519, hasEd25519] = await Promise.all([
      succeeds(async () => checkX25519(subtle)),
      succeeds(async () => checkEd25519(subtle)),
    ]);
    return new WebCryptoPrimitives(subtle, fill, hasX25519, hasEd25519);
  }

  /** Which curve operations the platform does itself; the others are done by @noble. */
  get platformCurves(): { readonly x25519: boolean; readonly ed25519: boolean } {
    return { x25519: this.#hasX25519, ed25519: this.#hasEd25519 };
  }

  random(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let start = 0; start < length; start += MAX_RANDOM_BYTES) {
      this.#fill(bytes.subarray(start, start + MAX_RANDOM_BYTES));
    }
    return bytes;
  }

  async sha256(message: Uint8Array): Promise<Uint8Array> {
    if (message.length < LONG_MESSAGE_BYTES) return sha256(message);
    return new Uint8Array(await this.#subtle.digest("SHA-256", plain(message)));
  }

  async hmacSha256(key: Uint8Array, message: Uint8Array): Promise<Uint8Array> {
    return Promise.resolve(hmac(sha256, key, message));
  }

  async hkdfExtract(salt: Uint8Array, ikm: Uint8Array): Promise<Uint8Array> {
    return Promise.resolve(extract(sha256, ikm, salt));
  }

  async hkdfExpand(prk: Uint8Array, info: Uint8Array, length: number): Promise<Uint8Array> {
    return Promise.resolve(expand(sha256, prk, info, length));
  }

  async pbkdf2Sha512(
    password: Uint8Array,
    salt: Uint8Array,
    rounds: number,
    length: number,
  ): Promise<Uint8Array> {
    const key = await this.#subtle.importKey("raw", plain(password), "PBKDF2", false, ["deriveBits"]);
    const algorithm = { name: "PBKDF2", hash: "SHA-512", salt, iterations: rounds };
    return new Uint8Array(await this.#subtle.deriveBits(algorithm, key, length * 8));
  }

  async aesGcmSeal(
    key: Uint8Array,
    nonce: Uint8Array,
    associated: Uint8Array,
    plaintext: Uint8Array,
  ): Promise<Uint8Array> {
    const handle = await this.#subtle.importKey("raw", aesKey(key), "AES-GCM", false, ["encrypt"]);
    return new Uint8Array(await this.#subtle.encrypt(gcm(nonce, associated), handle, plain(plaintext)));
  }

  async aesGcmOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    associated: Uint8Array,
    sealed: Uint8Array,
  ): Promise<Uint8Array> {
    const handle = await this.#subtle.importKey("raw", aesKey(key), "AES-GCM", false, ["decrypt"]);
    try {
      return new Uint8Array(await this.#subtle.decrypt(gcm(nonce, associated), handle, plain(sealed)));
    } catch {
      throw new DecryptionError("a sealed text does not open");
    }
  }

  async x25519Generate(): Promise<X25519PrivateKey> {
    return this.x25519Import(this.random(X25519_KEY_BYTES));
  }

  async x25519Import(privateKey: Uint8Array): Promise<X25519PrivateKey> {
    requireLength(privateKey, X25519_KEY_BYTES, "an X25519 private key");
    if (!this.#hasX25519) return new X25519PrivateKey(privateKey, x25519.getPublicKey(privateKey));
    const handle = importPrivate(this.#subtle, "X25519", privateKey);
    const publicKey = await agreeByPlatform(this.#subtle, await handle, BASE_POINT);
    const made = new X25519PrivateKey(privateKey, publicKey);
    this.#handles.set(made, handle);
    return made;
  }

  async x25519Agree(privateKey: X25519PrivateKey, publicKey: Uint8Array): Promise<Uint8Array> {
    requireLength(publicKey, X25519_KEY_BYTES, "an X25519 public key");
    const exposed = privateKey.expose();
    let secret: Uint8Array;
    try {
      secret = this.#hasX25519
        ? await agreeByPlatform(this.#subtle, await this.#handle(privateKey, "X25519", exposed), publicKey)
        : x25519.getSharedSecret(exposed, publicKey);
    } catch {
      secret = ZEROS; // both refuse a result of zeros by themselves, each with an error of its own
    }
    if (isEqual(secret, ZEROS)) throw new MalformedError("an X25519 public key that yields no secret");
    return secret;
  }

  async ed25519Generate(): Promise<Ed25519PrivateKey> {
    return this.ed25519Import(this.random(ED25519_KEY_BYTES));
  }

  async ed25519Import(seed: Uint8Array): Promise<Ed25519PrivateKey> {
    requireLength(seed, ED25519_KEY_BYTES, "an Ed25519 seed");
    return Promise.resolve(new Ed25519PrivateKey(seed, ed25519.getPublicKey(seed)));
  }

  async ed25519Sign(privateKey: Ed25519PrivateKey, message: Uint8Array): Promise<Uint8Array> {
    const seed = privateKey.expose();
    if (!this.#hasEd25519) return ed25519.sign(message, seed);
    const handle = await this.#handle(privateKey, "Ed25519", seed);
    return new Uint8Array(await this.#subtle.sign("Ed25519", handle, plain(message)));
  }

  async ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<void> {
    requireLength(publicKey, ED25519_KEY_BYTES, "an Ed25519 public key");
    const holds =
      signature.length === ED25519_SIGNATURE_BYTES &&
      (await succeeds(async () =>
        this.#hasEd25519
          ? verifyByPlatform(this.#subtle, publicKey, message, signature)
          : ed25519.verify(signature, message, publicKey, { zip215: false }),
      ));
    if (!holds) throw new ForgedError("a signature does not hold");
  }

  async mlKemGenerate(): Promise<MlKemPrivateKey> {
    return this.mlKemImport(this.random(ML_KEM_SEED_BYTES));
  }

  async mlKemImport(seed: Uint8Array): Promise<MlKemPrivateKey> {
    requireLength(seed, ML_KEM_SEED_BYTES, "an ML-KEM seed");
    const { secretKey, publicKey } = ml_kem768.keygen(seed);
    const made = new MlKemPrivateKey(secretKey, publicKey);
    secretKey.fill(0);
    return Promise.resolve(made);
  }

  async mlKemCheck(publicKey: Uint8Array): Promise<void> {
    requireLength(publicKey, ML_KEM_PUBLIC_KEY_BYTES, "an ML-KEM encapsulation key");
    // FIPS 203 section 7.2: 768 coefficients of 12 bits, little-endian, each below the modulus
    for (let i = 0; i < ML_KEM_COEFFICIENT_BYTES; i += 3) {
      const [a = 0, b = 0, c = 0] = publicKey.subarray(i, i + 3);
      if ((a | ((b & 0x0f) << 8)) >= ML_KEM_MODULUS || ((b >> 4) | (c << 4)) >= ML_KEM_MODULUS) {
        throw new MalformedError("an ML-KEM encapsulation key out of range");
      }
    }
    return Promise.resolve();
  }

  async mlKemEncapsulate(publicKey: Uint8Array): Promise<Encapsulation> {
    await this.mlKemCheck(publicKey);
    const { sharedSecret, cipherText } = ml_kem768.encapsulate(publicKey, this.random(ML_KEM_MESSAGE_BYTES));
    return { sharedSecret, ciphertext: cipherText };
  }

  async mlKemDecapsulate(privateKey: MlKemPrivateKey, ciphertext: Uint8Array): Promise<Uint8Array> {
    requireLength(ciphertext, ML_KEM_CIPHERTEXT_BYTES, "an ML-KEM ciphertext");
    const exposed = privateKey.expose();
    try {
      return await Promise.resolve(ml_kem768.decapsulate(ciphertext, exposed));
    } finally {
      exposed.fill(0);
    }
  }

  async #handle(key: PrivateKey, algorithm: Curve, exposed: Uint8Array): Promise<PlatformKey> {
    let handle = this.#handles.get(key);
    if (handle === undefined) {
      handle = importPrivate(this.#subtle, algorithm, exposed);
      this.#handles.set(key, handle);
    }
    return handle;
  }
}

type Curve = "X25519" | "Ed25519";

async function importPrivate(subtle: SubtlePart, curve: Curve, exposed: Uint8Array): Promise<PlatformKey> {
  const [prefix, usage] =
    curve === "X25519" ? [X25519_PKCS8, "deriveBits"] : ([ED25519_PKCS8, "sign"] as const);
  return subtle.importKey("pkcs8", plain(concat(prefix, exposed)), curve, false, [usage]);
}

async function agreeByPlatform(
  subtle: SubtlePart,
  privateKey: PlatformKey,
  publicKey: Uint8Array,
): Promise<Uint8Array> {
  const remote = await subtle.importKey("raw", plain(publicKey), "X25519", false, []);
  return new Uint8Array(await subtle.deriveBits({ name: "X25519", public: remote }, privateKey, 256));
}

async function verifyByPlatform(
  subtle: SubtlePart,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const handle = await subtle.importKey("raw", plain(publicKey), "Ed25519", false, ["verify"]);
  return subtle.verify("Ed25519", handle, plain(signature), plain(message));
}

/** Whether the platform's X25519 agrees with @noble's. */
async function checkX25519(subtle: SubtlePart): Promise<boolean> {
  const handle = await importPrivate(subtle, "X25519", PROBE);
  return isEqual(await agreeByPlatform(subtle, handle, BASE_POINT), x25519.getPublicKey(PROBE));
}

/** Whether the platform's Ed25519 and @noble's take each other's signatures, and no others. */
async function checkEd25519(subtle: SubtlePart): Promise<boolean> {
  const publicKey = ed25519.getPublicKey(PROBE);
  const handle = await importPrivate(subtle, "Ed25519", PROBE);
  const signature = new Uint8Array(await subtle.sign("Ed25519", handle, plain(PROBE)));
  return (
    ed25519.verify(signature, PROBE, publicKey) &&
    (await verifyByPlatform(subtle, publicKey, PROBE, ed25519.sign(PROBE, PROBE))) &&
    !(await verifyByPlatform(subtle, publicKey, ZEROS, signature))
  );
}

async function succeeds(check: () => boolean | Promise<boolean>): Promise<boolean> {
  try {
    return await check();
  } catch {
    return false;
  }
}

function gcm(nonce: Uint8Array, associated: Uint8Array): AlgorithmParameters {
  return { name: "AES-GCM", iv: nonce, additionalData: associated };
}

function aesKey(key: Uint8Array): Plain {
  if (key.length !== AES_KEY_BYTES) throw new LocalProtocolError("an AES-256 key is 32 bytes");
  return plain(key);
}

function plain(bytes: Uint8Array): Plain {
  return bytes as Plain; // shared memory would be refused, by an error and not by silence
}

function requireLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) throw new MalformedError(`${what} is ${length} bytes`);
}

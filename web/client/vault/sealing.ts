/**
 * A vault's record: one or two AES-256-GCM boxes around its contents.
 *
 * The outer key is a CryptoKey that cannot leave the browser; it is no secret from somebody at the unlocked
 * device, but a copy of the browser's files from elsewhere needs its key store too. With a passphrase or a passkey
 * there is an inner box under a key of Argon2id, or of HKDF. So both failures have names: an outer box that does
 * not open is damage, and an inner one inside a whole outer one is a wrong secret.
 *
 *     inner = [AES-GCM(key of the protection, nonce 12) of] u32 length ‖ contents ‖ zeros to a multiple of 4 KiB
 *     box   = AES-GCM(browser key, nonce 12) of inner, with all other members as associated data
 */

import { ascii, concat, lp16, u32, u8 } from "../../core/encoding.ts";
import { DecryptionError } from "../../core/errors.ts";
import type { Primitives } from "../../core/primitives.ts";
import { DamagedVaultError, VaultError, WrongPasskeyError, WrongPassphraseError } from "../errors.ts";
import { isKeySource, type KeySource, sourceLabel } from "./protection.ts";

export const RECORD_FORMAT = 1;
const NONCE_BYTES = 12;

/** Sizes are rounded up to this, so that what is stored does not count contacts. */
const BLOCK = 4096;

/** Tens of thousands of contacts. */
export const MAX_VAULT_BYTES = 16 * 1024 * 1024;

/** What IndexedDB keeps. Everything but `box` is in clear, and authenticated. */
export interface VaultRecord {
  readonly format: number;
  /** Rises by one with every save. */
  readonly revision: number;
  /** How the inner box was made, null if there is none. */
  readonly source: KeySource | null;
  readonly nonce: Uint8Array;
  readonly box: Uint8Array;
}

/** The two keys of a vault; `inner` is null where nothing is asked for. */
export interface VaultKeys {
  readonly outer: CryptoKey;
  readonly inner: Uint8Array | null;
}

/** Reads a record that anything may have written to. Throws DamagedVaultError. */
export function readRecord(value: unknown): VaultRecord {
  const record = value as Partial<VaultRecord> | null;
  const source = record?.source;
  const isWhole =
    typeof record === "object" &&
    record !== null &&
    record.format === RECORD_FORMAT &&
    Number.isSafeInteger(record.revision) &&
    record.nonce instanceof Uint8Array &&
    record.nonce.length === NONCE_BYTES &&
    record.box instanceof Uint8Array &&
    record.box.length <= 2 * MAX_VAULT_BYTES &&
    (source === null || isKeySource(source));
  if (!isWhole) throw new DamagedVaultError();
  return record as VaultRecord;
}

/** Seals `contents` under fresh nonces. Throws VaultError: too much. */
export async function sealRecord(
  primitives: Primitives,
  subtle: SubtleCrypto,
  keys: VaultKeys,
  source: KeySource | null,
  revision: number,
  contents: Uint8Array,
): Promise<VaultRecord> {
  if (contents.length > MAX_VAULT_BYTES) throw new VaultError("The vault is full.");
  const padded = new Uint8Array(Math.ceil((contents.length + 4) / BLOCK) * BLOCK);
  padded.set(u32(contents.length));
  padded.set(contents, 4);
  const head = { format: RECORD_FORMAT, revision, source };
  const inner = keys.inner === null ? padded : await sealInner(primitives, keys.inner, head, padded);
  const nonce = primitives.random(NONCE_BYTES);
  const algorithm = { name: "AES-GCM", iv: plain(nonce), additionalData: plain(associated(head)) };
  const box = new Uint8Array(await subtle.encrypt(algorithm, keys.outer, plain(inner)));
  padded.fill(0);
  return { ...head, nonce, box };
}

/**
 * The contents of a record. `inner` derives the protection's key, and is called only once the outer box is open.
 * Throws DamagedVaultError, WrongPassphraseError, WrongPasskeyError, and what `inner` throws.
 */
export async function openRecord(
  primitives: Primitives,
  subtle: SubtleCrypto,
  outer: CryptoKey,
  record: VaultRecord,
  inner: (source: KeySource) => Promise<Uint8Array>,
): Promise<{ readonly contents: Uint8Array; readonly inner: Uint8Array | null }> {
  const algorithm = {
    name: "AES-GCM",
    iv: plain(record.nonce),
    additionalData: plain(associated(record)),
  };
  let opened: Uint8Array;
  try {
    opened = new Uint8Array(await subtle.decrypt(algorithm, outer, plain(record.box)));
  } catch {
    throw new DamagedVaultError();
  }
  if (record.source === null) return { contents: unpadded(opened), inner: null };
  const key = await inner(record.source);
  try {
    const [nonce, box] = [opened.subarray(0, NONCE_BYTES), opened.subarray(NONCE_BYTES)];
    const padded = await primitives.aesGcmOpen(key, nonce, associated(record), box);
    return { contents: unpadded(padded), inner: key };
  } catch (error) {
    key.fill(0);
    if (error instanceof DecryptionError) {
      throw record.source.kind === "passphrase" ? new WrongPassphraseError() : new WrongPasskeyError();
    }
    throw error;
  }
}

type Head = Pick<VaultRecord, "format" | "revision" | "source">;

async function sealInner(
  primitives: Primitives,
  key: Uint8Array,
  head: Head,
  padded: Uint8Array,
): Promise<Uint8Array> {
  const nonce = primitives.random(NONCE_BYTES);
  return concat(nonce, await primitives.aesGcmSeal(key, nonce, associated(head), padded));
}

function associated({ format, revision, source }: Head): Uint8Array {
  const start = concat(ascii("Whisp vault"), u8(format), u32(revision), lp16(sourceLabel(source)));
  if (source === null) return start;
  if (source.kind === "passkey") return concat(start, source.salt, lp16(source.credential));
  const { memory, passes, lanes } = source.cost;
  return concat(start, source.salt, u32(memory), u32(passes), u32(lanes));
}

function unpadded(padded: Uint8Array): Uint8Array {
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  if (padded.length < 4 || length > padded.length - 4) throw new DamagedVaultError();
  const contents = padded.slice(4, 4 + length);
  padded.fill(0);
  return contents;
}

/** The same bytes for the platform, which does not take those of memory shared between threads. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : Uint8Array.from(bytes);
}

/**
 * One message's encryption: it takes both halves' keys, and opens only under its own header
 * (spec/ratchet.md, Message key).
 */

import { concat, tag, u8 } from "./encoding.ts";
import { KEY_BYTES, NONCE_BYTES } from "./key-schedule.ts";
import type { Primitives } from "./primitives.ts";
import type { MessageKey } from "./skipped-keys.ts";

/** Who a message is from. Bound into its key and its associated data, so that none can be reflected. */
export const Direction = { FROM_INITIATOR: 0, FROM_RESPONDER: 1 } as const;
export type Direction = (typeof Direction)[keyof typeof Direction];

const NO_SALT = new Uint8Array(KEY_BYTES);

/**
 * Seals or opens messages of one session in one direction. Holds no secret: keys come with each message.
 *
 * Every pair of message keys seals exactly one message, so a nonce derived with the key never repeats.
 */
export class MessageSeal {
  readonly #primitives: Primitives;
  readonly #info: Uint8Array;
  readonly #associated: Uint8Array;

  constructor(primitives: Primitives, sid: Uint8Array, direction: Direction) {
    this.#primitives = primitives;
    this.#info = concat(tag("msg key"), u8(direction));
    this.#associated = concat(tag("msg"), sid, u8(direction));
  }

  /** Ciphertext ‖ 16-byte tag over the plaintext and the encoded header. */
  async seal(
    classical: MessageKey,
    postQuantum: MessageKey,
    header: Uint8Array,
    plaintext: Uint8Array,
  ): Promise<Uint8Array> {
    const block = await this.#derive(classical, postQuantum);
    const { key, nonce } = split(block);
    try {
      return await this.#primitives.aesGcmSeal(key, nonce, concat(this.#associated, header), plaintext);
    } finally {
      block.fill(0);
    }
  }

  /**
   * The plaintext of what `seal` made of the same keys and header.
   * Throws DecryptionError: it was made otherwise, or altered since.
   */
  async open(
    classical: MessageKey,
    postQuantum: MessageKey,
    header: Uint8Array,
    sealed: Uint8Array,
  ): Promise<Uint8Array> {
    const block = await this.#derive(classical, postQuantum);
    const { key, nonce } = split(block);
    try {
      return await this.#primitives.aesGcmOpen(key, nonce, concat(this.#associated, header), sealed);
    } finally {
      block.fill(0);
    }
  }

  /** HKDF-SHA-256(salt 0^32, ikm both keys, info, 44 bytes). */
  async #derive(classical: MessageKey, postQuantum: MessageKey): Promise<Uint8Array> {
    const both = concat(classical, postQuantum);
    const prk = await this.#primitives.hkdfExtract(NO_SALT, both);
    const block = await this.#primitives.hkdfExpand(prk, this.#info, KEY_BYTES + NONCE_BYTES);
    both.fill(0);
    prk.fill(0);
    return block;
  }
}

function split(block: Uint8Array): { key: Uint8Array; nonce: Uint8Array } {
  return { key: block.subarray(0, KEY_BYTES), nonce: block.subarray(KEY_BYTES) };
}

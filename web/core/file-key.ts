/** The id and the key of one file transfer; the key seals this file's chunks and nothing else. */

import { LocalProtocolError } from "./errors.ts";
import type { Primitives } from "./primitives.ts";
import { Secret } from "./secret.ts";

export const FILE_ID_BYTES = 16;
export const FILE_KEY_BYTES = 32;

declare const brand: unique symbol;

/** 16 random bytes naming a transfer on the line; public to the relay, so never derived from the file. */
export type FileId = Uint8Array & { readonly [brand]: "FileId" };

/** A fresh random id. */
export function newFileId(primitives: Primitives): FileId {
  return primitives.random(FILE_ID_BYTES) as FileId;
}

/** Names 16 bytes a transfer. Throws LocalProtocolError for any other length. */
export function asFileId(bytes: Uint8Array): FileId {
  if (bytes.length !== FILE_ID_BYTES) throw new LocalProtocolError(`a file id is ${FILE_ID_BYTES} bytes`);
  return bytes as FileId;
}

/** The 32 bytes a file's sender chooses, and tells the receiver in FILE_OFFER. */
export class FileKey extends Secret {
  readonly kind = "FileKey";

  /** Throws LocalProtocolError unless `value` is 32 bytes, which are copied. */
  constructor(value: Uint8Array) {
    if (value.length !== FILE_KEY_BYTES)
      throw new LocalProtocolError(`a file key is ${FILE_KEY_BYTES} bytes`);
    super(value);
  }

  /** A fresh random key. */
  static generate(primitives: Primitives): FileKey {
    const bytes = primitives.random(FILE_KEY_BYTES);
    const key = new FileKey(bytes);
    bytes.fill(0);
    return key;
  }
}

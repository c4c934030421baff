/** What is said about a file; its bytes travel beside, as core/file-stream.ts seals them. */

import { ascii, concat, lp16, type Reader, u32, u64, u8 } from "../encoding.ts";
import { asFileId, FILE_ID_BYTES, FILE_KEY_BYTES, type FileId, FileKey } from "../file-key.ts";
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";
import { type Codec, ContentType, isCode, isNumber, utf8Fault } from "./fields.ts";

/** A file name, as UTF-8: the longest that common file systems keep. */
export const MAX_NAME_BYTES = 255;

/** A media type: the limit of each half in RFC 6838, ample for both. */
export const MAX_MEDIA_TYPE_BYTES = 127;

/** The largest file: 2^32 chunks of 64 KiB, all that a u32 chunk index can name. */
export const MAX_FILE_BYTES = 2 ** 48;

/** Why a transfer stopped. */
export const FileCancelReason = {
  /** A person stopped it. */
  CANCELLED: 1,
  /** The receiver does not want it. */
  DECLINED: 2,
  /** The source could not be read, or the target not written. */
  FAILED: 3,
  /** A chunk was not what the offer said; partial data is deleted. */
  REFUSED: 4,
} as const;
export type FileCancelReason = (typeof FileCancelReason)[keyof typeof FileCancelReason];

/**
 * The sender has a file. Nothing moves until the receiver asks with FileRequest.
 *
 * `size` is 0 to 2^48 bytes. `name` is a suggestion in the sender's words, 1 to 255 bytes of UTF-8; never a
 * path to write to. `mediaType` is a claim, up to 127 bytes of ASCII; never a reason to run or render anything.
 */
export interface FileOffer {
  readonly type: "file-offer";
  readonly fileId: FileId;
  readonly key: FileKey;
  readonly size: number;
  readonly name: string;
  readonly mediaType: string;
}

/** Receiver to sender: send from this chunk on. Chunk 0 accepts the file; later ones resume it. */
export interface FileRequest {
  readonly type: "file-request";
  readonly fileId: FileId;
  readonly chunk: number;
}

/** Receiver to sender: all chunks before this one are verified; the window moves here. */
export interface FileAck {
  readonly type: "file-ack";
  readonly fileId: FileId;
  readonly chunk: number;
}

/** Either side: the transfer is over, unfinished. Keys and partial data go. */
export interface FileCancel {
  readonly type: "file-cancel";
  readonly fileId: FileId;
  readonly reason: FileCancelReason;
}

/** Receiver to sender: the last chunk is verified. Both wipe the key. */
export interface FileDone {
  readonly type: "file-done";
  readonly fileId: FileId;
}

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/u;

export const FILE_OFFER: Codec<FileOffer> = {
  type: "file-offer",
  code: ContentType.FILE_OFFER,
  isCounted: true,
  fault({ fileId, size, name, mediaType }) {
    const isSize = Number.isInteger(size) && size >= 0 && size <= MAX_FILE_BYTES;
    if (fileId.length !== FILE_ID_BYTES || !isSize) return "a file of impossible size or id";
    if (mediaType.length > MAX_MEDIA_TYPE_BYTES || !PRINTABLE_ASCII.test(mediaType)) {
      return "a media type that is none";
    }
    return name === "" ? "a file without a name" : utf8Fault(name, MAX_NAME_BYTES, "a name");
  },
  encodeBody({ fileId, key, size, name, mediaType }) {
    const exposed = key.expose();
    const body = concat(fileId, exposed, u64(size), lp16(encodeUtf8(name)), lp16(ascii(mediaType)));
    exposed.fill(0);
    return body;
  },
  read(reader) {
    const fileId = readFileId(reader);
    const exposed = reader.take(FILE_KEY_BYTES);
    const key = new FileKey(exposed);
    exposed.fill(0);
    const size = Number(reader.u64()); // inexact only where `fault` refuses it
    const name = decodeUtf8(reader.lp16(MAX_NAME_BYTES));
    const mediaType = decodeUtf8(reader.lp16(MAX_MEDIA_TYPE_BYTES));
    return { type: "file-offer", fileId, key, size, name, mediaType };
  },
};

export const FILE_REQUEST: Codec<FileRequest> = {
  type: "file-request",
  code: ContentType.FILE_REQUEST,
  isCounted: true,
  fault: positionFault,
  encodeBody: encodePosition,
  read: (reader) => ({ type: "file-request", fileId: readFileId(reader), chunk: reader.u32() }),
};

export const FILE_ACK: Codec<FileAck> = {
  type: "file-ack",
  code: ContentType.FILE_ACK,
  isCounted: false,
  fault: positionFault,
  encodeBody: encodePosition,
  read: (reader) => ({ type: "file-ack", fileId: readFileId(reader), chunk: reader.u32() }),
};

export const FILE_CANCEL: Codec<FileCancel> = {
  type: "file-cancel",
  code: ContentType.FILE_CANCEL,
  isCounted: true,
  fault: (content) =>
    isCode(FileCancelReason, content.reason) ? idFault(content) : "a cancel for no reason",
  encodeBody: ({ fileId, reason }) => concat(fileId, u8(reason)),
  read: (reader) => ({
    type: "file-cancel",
    fileId: readFileId(reader),
    reason: reader.code(FileCancelReason),
  }),
};

export const FILE_DONE: Codec<FileDone> = {
  type: "file-done",
  code: ContentType.FILE_DONE,
  isCounted: true,
  fault: idFault,
  encodeBody: ({ fileId }) => concat(fileId),
  read: (reader) => ({ type: "file-done", fileId: readFileId(reader) }),
};

function readFileId(reader: Reader): FileId {
  return asFileId(reader.take(FILE_ID_BYTES));
}

function idFault({ fileId }: { readonly fileId: FileId }): string | null {
  return fileId.length === FILE_ID_BYTES ? null : "a file id of the wrong length";
}

function positionFault(content: FileRequest | FileAck): string | null {
  return isNumber(content.chunk, 0) ? idFault(content) : "a position in no file";
}

function encodePosition({ fileId, chunk }: FileRequest | FileAck): Uint8Array {
  return concat(fileId, u32(chunk));
}

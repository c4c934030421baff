/**
 * A file as sealed chunks beside the messages: in order, whole, and each chunk sealed once (spec/files.md).
 *
 * STREAM: Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
 * Misuse-Resistance" (CRYPTO 2015), section 7. Chunk numbers in the nonces fix the order, a flag fixes the end.
 */

import { MAX_FILE_BYTES } from "./content/index.ts";
import { compareBytes, concat, tag, u32, u64, u8 } from "./encoding.ts";
import { DecryptionError, LocalProtocolError, MalformedError, SessionEndedError } from "./errors.ts";
import { asFileId, type FileId, type FileKey } from "./file-key.ts";
import { expand, extract, KEY_BYTES } from "./key-schedule.ts";
import { padme } from "./padding.ts";
import type { Primitives } from "./primitives.ts";
import { SecretState } from "./secret.ts";
import { Serial } from "./serial.ts";

/** First byte of a chunk's frame; ratchet messages are 0x10. */
export const CHUNK_FRAME_TYPE = 0x11;

/** Plaintext of every chunk but the last: headers cost nothing, and messages wait a moment between two. */
export const CHUNK_BYTES = 64 * 1024;

export const CHUNK_HEADER_BYTES = 22;
export const CHUNK_TAG_BYTES = 16;
export const MAX_CHUNK_FRAME_BYTES = CHUNK_HEADER_BYTES + CHUNK_BYTES + CHUNK_TAG_BYTES;

/** Chunks a sender keeps unacknowledged: 4 MiB, which fills 40 MB/s at a tenth of a second of round trip. */
export const WINDOW_CHUNKS = 64;

/** A receiver acknowledges at least so often: four times a window, so that the sender never stands still. */
export const ACK_CHUNKS = 16;

const ID_END = 17;
const PREFIX_BYTES = 7;

/** The window is full of chunks the receiver has not acknowledged; go on after the next FileAck. */
export class WindowFullError extends LocalProtocolError {
  override readonly name: string = "WindowFullError";

  constructor() {
    super("The other side has to acknowledge chunks first.");
  }
}

/** How many chunks a file of `size` bytes takes with its padding: at least one. */
export function chunkCount(size: number): number {
  return Math.max(1, Math.ceil(padme(size) / CHUNK_BYTES));
}

/** Which transfer a chunk's frame belongs to, unauthenticated. Throws MalformedError. */
export function peekFileId(frame: Uint8Array): FileId {
  if (frame.length < CHUNK_HEADER_BYTES || frame[0] !== CHUNK_FRAME_TYPE) {
    throw new MalformedError("not a chunk");
  }
  return asFileId(Uint8Array.from(frame.subarray(1, ID_END)));
}

/** A chunk as it was sealed, which is once. */
interface SealedChunk {
  readonly header: Uint8Array;
  readonly sealed: Uint8Array;
}

/** Where a chunk stands, in the two places that name it. */
interface Place {
  readonly header: Uint8Array;
  readonly nonce: Uint8Array;
}

/** What both ends share: one key for the file, and the layout that its size fixes. */
class Stream extends SecretState {
  readonly kind: string = "Stream";
  readonly #primitives: Primitives;
  readonly #fileId: FileId;
  readonly #size: number;
  readonly #padded: number;
  readonly #count: number;
  readonly #associated: Uint8Array;
  /** key 32 ‖ nonce prefix 7; null once wiped. */
  #block: Uint8Array | null;

  protected constructor(primitives: Primitives, fileId: FileId, size: number, block: Uint8Array) {
    super();
    this.#primitives = primitives;
    this.#fileId = fileId;
    this.#size = size;
    this.#padded = padme(size);
    this.#count = chunkCount(size);
    this.#associated = concat(tag("chunk"), fileId, u64(this.#padded));
    this.#block = block;
  }

  /** Bytes of the file, without padding. */
  get size(): number {
    return this.#size;
  }

  /** How many chunks the transfer has, padding included. */
  get count(): number {
    return this.#count;
  }

  /** How many bytes of the file chunk `index` holds: 0 for one that is all padding. */
  contentBytes(index: number): number {
    return Math.min(Math.max(this.#size - index * CHUNK_BYTES, 0), CHUNK_BYTES);
  }

  /** Zeroes the key; later use throws SessionEndedError. */
  wipe(): void {
    this.#block?.fill(0);
    this.#block = null;
  }

  protected chunkBytes(index: number): number {
    return Math.min(this.#padded - index * CHUNK_BYTES, CHUNK_BYTES);
  }

  protected place(index: number): Place {
    const prefix = this.live().subarray(KEY_BYTES);
    const place = concat(u32(index), u8(index === this.#count - 1 ? 1 : 0));
    return { header: concat(u8(CHUNK_FRAME_TYPE), this.#fileId, place), nonce: concat(prefix, place) };
  }

  protected async seal(place: Place, plaintext: Uint8Array): Promise<Uint8Array> {
    const sealed = await this.#primitives.aesGcmSeal(this.#key(), place.nonce, this.#associated, plaintext);
    this.live();
    return sealed;
  }

  protected async open(place: Place, sealed: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#primitives.aesGcmOpen(this.#key(), place.nonce, this.#associated, sealed);
    } catch (error) {
      if (error instanceof DecryptionError) throw new DecryptionError("the chunk is not authentic");
      throw error;
    } finally {
      this.live();
    }
  }

  protected live(): Uint8Array {
    if (this.#block === null) throw new SessionEndedError("this file transfer is over");
    return this.#block;
  }

  #key(): Uint8Array {
    return this.live().subarray(0, KEY_BYTES);
  }
}

/** k 32 ‖ prefix 7 = HKDF(salt sid, ikm key, info T("file") ‖ file id, 39). */
async function deriveBlock(
  primitives: Primitives,
  sid: Uint8Array,
  fileId: FileId,
  key: FileKey,
  size: number,
): Promise<Uint8Array> {
  if (!Number.isInteger(size) || size < 0 || size > MAX_FILE_BYTES) {
    throw new LocalProtocolError(`a file of ${size} bytes; the limit is 2^48`);
  }
  const exposed = key.expose();
  const prk = await extract(primitives, sid, exposed);
  const block = await expand(primitives, prk, "file", fileId, KEY_BYTES + PREFIX_BYTES);
  exposed.fill(0);
  prk.fill(0);
  return block;
}

/**
 * Seals one file, chunk by chunk. Each chunk is sealed exactly once and kept until acknowledged.
 *
 * Sealing a chunk again from a source that changed meanwhile would use one nonce for two plaintexts and give
 * both away; so going back yields the kept frame, and going back further than the window is refused.
 */
export class FileSender extends Stream {
  override readonly kind = "FileSender";
  readonly #serial = new Serial();
  /** The newest chunks, header and sealed part, the last of them chunk `#next` - 1. */
  #window: SealedChunk[] = [];
  #next = 0;
  #acknowledged = 0;

  /** The sealing end of a file of `size` bytes. Throws LocalProtocolError: over 2^48. */
  static async create(
    primitives: Primitives,
    sid: Uint8Array,
    fileId: FileId,
    key: FileKey,
    size: number,
  ): Promise<FileSender> {
    return new FileSender(primitives, fileId, size, await deriveBlock(primitives, sid, fileId, key, size));
  }

  /** The first chunk that was not sealed yet; `count` when all were. */
  get nextChunk(): number {
    return this.#next;
  }

  /** All chunks before this one have been verified by the receiver. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Whether the next new chunk has to wait for an acknowledgement. */
  get isWindowFull(): boolean {
    return this.#next - this.#acknowledged >= WINDOW_CHUNKS;
  }

  /** Whether the receiver has acknowledged the last chunk. */
  get isDone(): boolean {
    return this.#acknowledged === this.count;
  }

  /**
   * The frame of chunk `index`; `plaintext` is `contentBytes(index)` bytes of the file, unchanged until this
   * resolves. For an unacknowledged chunk it is the frame that was made then, and `plaintext` is ignored. The frame
   * is a copy that the caller may give away.
   *
   * Throws WindowFullError: wait for an acknowledgement; LocalProtocolError: neither unacknowledged nor the
   * next one, or plaintext of another length; SessionEndedError: it was wiped.
   */
  async chunk(index: number, plaintext: Uint8Array = new Uint8Array()): Promise<Uint8Array> {
    return this.#serial.run(async () => {
      this.live();
      const kept = this.#kept(index);
      if (kept !== undefined) return frameOf(kept);
      if (index !== this.#next || index === this.count) {
        throw new LocalProtocolError(`chunk ${index} is not the next one`);
      }
      if (plaintext.length !== this.contentBytes(index)) {
        throw new LocalProtocolError(`${plaintext.length} bytes are not chunk ${index}`);
      }
      if (this.isWindowFull) throw new WindowFullError();
      const place = this.place(index);
      const sealed = await this.seal(place, padded(plaintext, this.chunkBytes(index)));
      const chunk = { header: place.header, sealed };
      this.#window.push(chunk);
      if (this.#window.length > WINDOW_CHUNKS) this.#window.shift();
      this.#next = index + 1;
      return frameOf(chunk);
    });
  }

  /**
   * The receiver has verified all chunks before `chunk`; an older acknowledgement changes nothing.
   * Throws MalformedError: that is beyond what was sent: the peer's fault.
   */
  acknowledge(chunk: number): void {
    this.live();
    if (chunk > this.#next) throw new MalformedError("an acknowledgement of chunks that were not sent");
    this.#acknowledged = Math.max(this.#acknowledged, chunk);
  }

  /**
   * The frames to transmit again when the receiver asks from `chunk` on; new chunks follow.
   * Throws MalformedError: before an acknowledged chunk, or beyond what was sent: the peer's fault.
   */
  rewind(chunk: number): Uint8Array[] {
    this.live();
    if (chunk < this.#acknowledged) throw new MalformedError("a request for chunks that were acknowledged");
    this.acknowledge(chunk);
    return chunk === this.#next ? [] : this.#window.slice(chunk - this.#next).map(frameOf);
  }

  /** Zeroes the key and drops all kept frames; later use throws SessionEndedError. */
  override wipe(): void {
    super.wipe();
    this.#window = [];
  }

  #kept(index: number): SealedChunk | undefined {
    return index >= this.#acknowledged && index < this.#next
      ? this.#window.at(index - this.#next)
      : undefined;
  }
}

/** Opens one file's chunks in order and refuses all others. After an error the transfer must end. */
export class FileReceiver extends Stream {
  override readonly kind = "FileReceiver";
  readonly #serial = new Serial();
  #next = 0;

  /** The opening end of a file of `size` bytes. Throws LocalProtocolError: over 2^48. */
  static async create(
    primitives: Primitives,
    sid: Uint8Array,
    fileId: FileId,
    key: FileKey,
    size: number,
  ): Promise<FileReceiver> {
    return new FileReceiver(primitives, fileId, size, await deriveBlock(primitives, sid, fileId, key, size));
  }

  /** The chunk expected next: what FileAck and a resuming FileRequest name. */
  get nextChunk(): number {
    return this.#next;
  }

  /** Whether the last chunk has been verified: only then is the file whole. */
  get isDone(): boolean {
    return this.#next === this.count;
  }

  /** Whether a FileAck should leave after the chunk just received. */
  get isAckDue(): boolean {
    return this.#next % ACK_CHUNKS === 0 || this.isDone;
  }

  /** Whether a frame that `receive` refused claims the place of a chunk received before. */
  isRepeat(frame: Uint8Array): boolean {
    if (frame.length < CHUNK_HEADER_BYTES) return false;
    const { header } = this.place(0);
    const isOurs = compareBytes(frame.subarray(0, ID_END), header.subarray(0, ID_END)) === 0;
    const index = new DataView(frame.buffer, frame.byteOffset).getUint32(ID_END);
    return isOurs && index < this.#next;
  }

  /**
   * The next `contentBytes` of the file; nothing changes unless the chunk is authentic.
   *
   * Throws MalformedError: not the frame of the very next chunk (another file, place, flag or length), a chunk
   * after the last, or padding that is not zero; DecryptionError: sealed otherwise, or altered;
   * SessionEndedError: it was wiped.
   */
  async receive(frame: Uint8Array): Promise<Uint8Array> {
    return this.#serial.run(async () => {
      this.live();
      const index = this.#next;
      if (index === this.count) throw new MalformedError("a chunk after the last");
      const place = this.place(index);
      if (compareBytes(frame.subarray(0, CHUNK_HEADER_BYTES), place.header) !== 0) {
        throw new MalformedError("not the next chunk of this file");
      }
      if (frame.length !== CHUNK_HEADER_BYTES + this.chunkBytes(index) + CHUNK_TAG_BYTES) {
        throw new MalformedError("a chunk of the wrong length");
      }
      const plaintext = await this.open(place, frame.subarray(CHUNK_HEADER_BYTES));
      const content = this.contentBytes(index);
      if (plaintext.subarray(content).some((byte) => byte !== 0)) {
        throw new MalformedError("padding that is not zero");
      }
      this.#next = index + 1;
      return plaintext.subarray(0, content);
    });
  }
}

function padded(plaintext: Uint8Array, size: number): Uint8Array {
  if (plaintext.length === size) return plaintext;
  const chunk = new Uint8Array(size);
  chunk.set(plaintext);
  return chunk;
}

function frameOf({ header, sealed }: SealedChunk): Uint8Array {
  return concat(header, sealed);
}

/** Where an outgoing file's bytes come from: a Blob, read as it is needed and never as a whole. */

import { FileFault, FileTransferError } from "./errors.ts";

/** A file to offer. `name` is what the peer is told; a `File` from a form has one. */
export interface FileToSend {
  readonly blob: Blob;
  readonly name: string;
  /** A claim, up to 127 bytes of ASCII; "" says nothing. */
  readonly mediaType: string;
}

/** The part of a stream's reader that is used here. */
interface ReaderPart {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/**
 * Hands out a Blob from front to back, once; the next block is fetched meanwhile. As a stream, since browsers take
 * a dozen times as long for slices.
 */
export class BlobSource {
  #blob: Blob | null;
  #reader: ReaderPart | null = null;
  #block: Uint8Array = new Uint8Array();
  #ahead: Promise<Uint8Array | null> | null = null;

  constructor(blob: Blob) {
    this.#blob = blob;
  }

  /** Exactly `count` bytes. Throws FileTransferError (`unreadable`, `ended`) when they do not come. */
  async read(count: number): Promise<Uint8Array> {
    if (this.#block.length >= count) return this.#take(count);
    const wanted = new Uint8Array(count);
    for (let filled = 0; filled < count;) {
      if (this.#block.length === 0) this.#block = await this.#next();
      const part = this.#take(Math.min(count - filled, this.#block.length));
      wanted.set(part, filled);
      filled += part.length;
    }
    return wanted;
  }

  /** Lets go of the file. */
  close(): void {
    this.#reader?.cancel().catch(() => undefined);
    this.#reader = null;
    this.#blob = null;
    this.#block = new Uint8Array();
    this.#ahead = null;
  }

  #take(count: number): Uint8Array {
    const taken = this.#block.subarray(0, count);
    this.#block = this.#block.subarray(count);
    return taken;
  }

  async #next(): Promise<Uint8Array> {
    const ahead = this.#ahead ?? this.#fetch();
    this.#ahead = null;
    const block = await ahead;
    if (this.#blob === null) throw new FileTransferError(FileFault.ENDED);
    if (block === null) throw new FileTransferError(FileFault.UNREADABLE); // shorter than it said
    this.#ahead = this.#fetch();
    this.#ahead.catch(() => undefined); // told to whoever reads it
    return block;
  }

  /** The next block, which may be empty; null at the end. */
  async #fetch(): Promise<Uint8Array | null> {
    if (this.#blob === null) throw new FileTransferError(FileFault.ENDED);
    try {
      this.#reader ??= this.#blob.stream().getReader() as ReaderPart;
      const { done, value } = await this.#reader.read();
      return done ? null : (value ?? new Uint8Array());
    } catch {
      throw new FileTransferError(FileFault.UNREADABLE);
    }
  }
}

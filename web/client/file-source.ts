/** Where an outgoing file's bytes come from: a Blob, read block by block and never as a whole. */

import { FileFault, FileTransferError } from "./errors.ts";

/** One read of sixteen chunks costs less than sixteen reads. */
const BLOCK_BYTES = 1024 * 1024;

/** A file to offer. `name` is what the peer is told; a `File` from a form has one. */
export interface FileToSend {
  readonly blob: Blob;
  readonly name: string;
  /** A claim, up to 127 bytes of ASCII; "" says nothing. */
  readonly mediaType: string;
}

/** Hands out a Blob from front to back, once; the next block is fetched meanwhile. */
export class BlobSource {
  #blob: Blob | null;
  #block = new Uint8Array();
  #offset = 0;
  #ahead: Promise<Uint8Array<ArrayBuffer>> | null = null;

  constructor(blob: Blob) {
    this.#blob = blob;
  }

  /** Exactly `count` bytes. Throws FileTransferError (`unreadable`, `ended`) when they do not come. */
  async read(count: number): Promise<Uint8Array> {
    if (this.#block.length >= count) return this.#take(count);
    const wanted = new Uint8Array(count);
    for (let filled = 0; filled < count;) {
      if (this.#block.length === 0) this.#block = await this.#next();
      if (this.#block.length === 0) throw new FileTransferError(FileFault.UNREADABLE);
      const part = this.#take(Math.min(count - filled, this.#block.length));
      wanted.set(part, filled);
      filled += part.length;
    }
    return wanted;
  }

  /** Lets go of the file. */
  close(): void {
    this.#blob = null;
    this.#block = new Uint8Array();
    this.#ahead = null;
  }

  #take(count: number): Uint8Array {
    const taken = this.#block.subarray(0, count);
    this.#block = this.#block.subarray(count);
    return taken;
  }

  async #next(): Promise<Uint8Array<ArrayBuffer>> {
    const ahead = this.#ahead ?? this.#fetch();
    this.#ahead = null;
    let block: Uint8Array<ArrayBuffer>;
    try {
      block = await ahead;
    } catch (error) {
      if (error instanceof FileTransferError) throw error;
      throw new FileTransferError(FileFault.UNREADABLE);
    }
    if (this.#blob !== null && this.#offset < this.#blob.size) {
      this.#ahead = this.#fetch();
      this.#ahead.catch(() => undefined); // told to whoever reads it
    }
    return block;
  }

  async #fetch(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#blob === null) throw new FileTransferError(FileFault.ENDED);
    const start = this.#offset;
    this.#offset += BLOCK_BYTES;
    return new Uint8Array(await this.#blob.slice(start, this.#offset).arrayBuffer());
  }
}

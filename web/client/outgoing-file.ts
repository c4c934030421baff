/** A file this side offered. Nothing of it moves until the peer asks. */

import type { FileOffer } from "../core/content/index.ts";
import { MalformedError, SessionEndedError } from "../core/errors.ts";
import { CHUNK_BYTES, type FileSender } from "../core/file-stream.ts";
import { FileFault, FileTransferError } from "./errors.ts";
import type { BlobSource } from "./file-source.ts";
import { type Carrier, FileTransfer } from "./file-transfer.ts";

/** One file going out. `Conversation.sendFile` makes it. */
export class OutgoingFile extends FileTransfer {
  readonly #stream: FileSender;
  readonly #source: BlobSource;
  #again: Uint8Array[] = [];
  #isAsked = false;
  #isPumping = false;

  constructor(carrier: Carrier, offer: FileOffer, stream: FileSender, source: BlobSource) {
    super(carrier, offer);
    this.#stream = stream;
    this.#source = source;
  }

  /** The receiver wants everything from `chunk` on, perhaps again; not what it acknowledged. For the conversation. */
  requested(chunk: number): void {
    if (this.isOver || chunk < this.#stream.acknowledged) return;
    try {
      this.#again = this.#stream.rewind(chunk);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    this.#isAsked = true;
    this.changes.tell();
    if (!this.#isPumping) void this.#pump();
  }

  /** The receiver has all chunks before `chunk`. For the conversation. */
  acknowledged(chunk: number): void {
    if (this.isOver || chunk <= this.#stream.acknowledged) return;
    try {
      this.#stream.acknowledge(chunk);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    const stillWanted = this.#stream.nextChunk - chunk;
    if (this.#again.length > stillWanted) this.#again.splice(0, this.#again.length - stillWanted);
    this.report(Math.min(chunk * CHUNK_BYTES, this.size));
    this.changes.tell();
  }

  /** The receiver says that the file is whole. For the conversation. */
  finished(): void {
    if (this.isOver) return;
    if (this.#stream.nextChunk < this.#stream.count) this.fail(FileFault.DAMAGED, true);
    else this.succeed(null);
  }

  /** Stands still until the receiver says where to go on. For the conversation. */
  lineLost(): void {
    this.#isAsked = false;
    this.#again = [];
  }

  protected override end(): void {
    super.end();
    this.#again = [];
    this.#source.close();
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    try {
      while (!this.isOver) {
        const frame = await this.#next();
        if (frame === null) {
          if (!this.#mayGoOn) await this.changes.next();
        } else if (this.carrier.sendChunk(frame)) await this.carrier.drain();
      }
    } catch (error) {
      if (error instanceof FileTransferError) this.fail(error.fault, true);
      else if (!(error instanceof SessionEndedError)) this.fail(FileFault.UNREADABLE, true);
    } finally {
      this.#isPumping = false;
    }
  }

  get #mayGoOn(): boolean {
    const { nextChunk, count, isWindowFull } = this.#stream;
    const isWork = this.#again.length > 0 || (nextChunk < count && !isWindowFull);
    return !this.isOver && this.#isAsked && this.carrier.isLineUp && isWork;
  }

  /** The next frame to send; null if there is none, or the line went while it was made: it is asked for again. */
  async #next(): Promise<Uint8Array | null> {
    if (!this.#mayGoOn) return null;
    const again = this.#again.shift();
    if (again !== undefined) return again;
    const index = this.#stream.nextChunk;
    const plaintext = await this.#source.read(this.#stream.contentBytes(index));
    if (this.isOver) return null;
    const frame = await this.#stream.chunk(index, plaintext);
    // asked again from an earlier place meanwhile: this one waits for its turn behind those
    if (this.#again.length > 0) this.#again.push(frame);
    return this.#isAsked && this.#again.length === 0 ? frame : null;
  }

  #refuse(error: unknown): void {
    if (error instanceof MalformedError) this.fail(FileFault.DAMAGED, true);
    else if (!(error instanceof SessionEndedError)) throw error;
  }
}

/** A file the peer offered. Nothing of it moves before `accept`, nothing is saved unasked. */

import type { FileOffer } from "../core/content/index.ts";
import { LocalProtocolError, RemoteProtocolError, SessionEndedError } from "../core/errors.ts";
import { ACK_CHUNKS, CHUNK_BYTES, type FileReceiver, WINDOW_CHUNKS } from "../core/file-stream.ts";
import { FileFault, FileTransferError } from "./errors.ts";
import { safeName } from "./file-name.ts";
import { type FileTarget, type MemoryBudget, openTarget, type SaveTo } from "./file-target.ts";
import { type Carrier, FileTransfer } from "./file-transfer.ts";

/** How long a request to go on after a change of lines may stay without a chunk. */
const ASK_AGAIN_SECONDS = 2;

/** Who asked more than once on a slow line is answered so often. */
const MAX_ANSWERS = 4;

/** One file coming in. `file-offered` brings it. */
export class IncomingFile extends FileTransfer {
  /** `name` without path, control or reserved parts: what to suggest to save it as. */
  readonly safeName: string;
  readonly #budget: MemoryBudget;
  #offer: FileOffer | null;
  #stream: FileReceiver | null = null;
  #target: FileTarget | null = null;
  #arrived: Uint8Array[] = [];
  #isPublishing = false;
  #isResuming = false;
  #wasResumed = false;
  #mustAsk = false;

  constructor(carrier: Carrier, offer: FileOffer, budget: MemoryBudget) {
    super(carrier, offer);
    this.safeName = safeName(offer.name);
    this.#offer = offer;
    this.#budget = budget;
  }

  /**
   * Starts the transfer into a file, or into memory, where it must fit.
   *
   * Throws FileTransferError: it cannot be written, or the transfer is over already; with `too_large` the offer
   * stands, for another place. Throws LocalProtocolError: it was accepted already, or too many transfers are open.
   */
  async accept(saveTo: SaveTo): Promise<void> {
    if (this.isOver) await this.done();
    const offer = this.#offer;
    this.#offer = null;
    if (offer === null) throw new LocalProtocolError("This file was accepted already.");
    let target: FileTarget | null = null;
    try {
      target = await openTarget(saveTo, this.size, this.#budget);
      this.#requireOpen();
      this.#stream = await this.carrier.openIncoming(offer);
      this.#requireOpen();
    } catch (error) {
      target?.discard();
      const isFault = error instanceof FileTransferError;
      if (!isFault || error.fault === FileFault.TOO_LARGE) this.#offer = offer;
      else this.fail(error.fault, true);
      throw error;
    }
    this.#target = target;
    void this.#save(this.#stream, target);
    await this.carrier.sendContent({ type: "file-request", fileId: this.fileId, chunk: 0 });
  }

  /** Refuses it. */
  decline(): void {
    this.fail(FileFault.DECLINED, true);
  }

  /** Ends it without success, unless all of it is here and verified: then only the disk can fail it. */
  override fail(fault: FileFault, tellPeer: boolean): void {
    const isWhole = this.#stream?.isDone ?? false;
    const isOwnFault = fault === FileFault.DISK_FULL || fault === FileFault.UNWRITABLE;
    if ((this.#isPublishing && !isOwnFault) || (fault === FileFault.ENDED && isWhole)) return;
    super.fail(fault, tellPeer);
  }

  /** Takes a chunk from the line; more than a window of them is the peer's fault. For the conversation. */
  receiveChunk(frame: Uint8Array): void {
    if (this.#stream === null || this.isOver) return;
    const most = this.#wasResumed ? MAX_ANSWERS * WINDOW_CHUNKS : WINDOW_CHUNKS;
    if (this.#arrived.length > most) this.fail(FileFault.DAMAGED, true);
    else this.#arrived.push(frame);
    this.changes.tell();
  }

  /** Asks again from where it stopped. For the conversation. */
  lineBack(): void {
    if (this.#stream === null || this.isOver) return;
    this.#arrived = []; // of the old line: the place to go on from is after what was opened
    this.#isResuming = this.#wasResumed = true;
    this.#mustAsk = true;
    this.changes.tell();
  }

  protected override end(): void {
    super.end();
    this.#arrived = [];
    this.#target?.discard();
    this.#target = null;
  }

  /** Opens what arrives, writes it, and acknowledges what is written: a slow disk slows the sender. */
  async #save(stream: FileReceiver, target: FileTarget): Promise<void> {
    let [written, acknowledged] = [0, 0];
    try {
      while (written < stream.count && !this.isOver) {
        const parts = await this.#openSome(stream);
        if (parts.length === 0) continue;
        await target.write(parts);
        written += parts.length;
        this.report(Math.min(written * CHUNK_BYTES, this.size));
        if (written - acknowledged >= ACK_CHUNKS || written === stream.count) {
          acknowledged = written;
          this.carrier.sendSoon({ type: "file-ack", fileId: this.fileId, chunk: written });
        }
      }
      if (this.isOver) return;
      this.#isPublishing = true;
      const blob = await target.finish();
      this.#target = null;
      this.carrier.sendSoon({ type: "file-done", fileId: this.fileId });
      this.succeed(blob);
    } catch (error) {
      if (error instanceof FileTransferError) this.fail(error.fault, true);
      else if (error instanceof RemoteProtocolError) this.fail(FileFault.DAMAGED, true);
      else if (!(error instanceof SessionEndedError)) this.fail(FileFault.UNWRITABLE, true);
    }
  }

  /** The next chunks, opened: as many as are here, up to what one acknowledgement covers. */
  async #openSome(stream: FileReceiver): Promise<Uint8Array[]> {
    const parts: Uint8Array[] = [];
    this.#askIfDue(stream);
    while (parts.length < ACK_CHUNKS && !stream.isDone) {
      const frame = this.#arrived.shift();
      if (frame === undefined) {
        if (parts.length > 0 || this.isOver) break;
        await this.#wait();
        this.#askIfDue(stream);
        continue;
      }
      try {
        parts.push(await stream.receive(frame));
        this.#isResuming = this.#mustAsk;
      } catch (error) {
        // until the chunk that was asked for on a new line comes, stragglers of the old one may; and who asked
        // twice on a slow line is answered twice
        const isLate = this.#isResuming || (this.#wasResumed && stream.isRepeat(frame));
        if (!(error instanceof RemoteProtocolError) || !isLate) throw error;
      }
    }
    return parts;
  }

  #askIfDue(stream: FileReceiver): void {
    if (!this.#mustAsk || this.isOver) return;
    this.#mustAsk = false;
    if (stream.isDone) return;
    this.carrier.sendSoon({ type: "file-request", fileId: this.fileId, chunk: stream.nextChunk });
  }

  async #wait(): Promise<void> {
    if (!this.#isResuming) return this.changes.next();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#mustAsk = this.carrier.isLineUp;
        resolve();
      }, ASK_AGAIN_SECONDS * 1000);
    });
    await Promise.race([this.changes.next(), late]);
    clearTimeout(timer);
  }

  #requireOpen(): void {
    if (this.isOver) throw new FileTransferError(FileFault.ENDED);
  }
}

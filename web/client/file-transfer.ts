/** What both directions of a file share: an outcome, a wake-up call and throttled progress. */

import {
  type FileAck,
  type FileCancel,
  FileCancelReason,
  type FileDone,
  type FileOffer,
  type FileRequest,
} from "../core/content/index.ts";
import { toHex } from "../core/encoding.ts";
import type { FileId } from "../core/file-key.ts";
import type { FileReceiver, FileSender } from "../core/file-stream.ts";
import { FileFault, FileTransferError } from "./errors.ts";
import type { ConversationEvent } from "./events.ts";
import { Changes, Outcome } from "./outcome.ts";

const PROGRESS_MILLISECONDS = 100;

export type FileContent = FileOffer | FileRequest | FileAck | FileCancel | FileDone;

const REASONS: Readonly<Partial<Record<FileFault, FileCancelReason>>> = {
  declined: FileCancelReason.DECLINED,
  cancelled: FileCancelReason.CANCELLED,
  damaged: FileCancelReason.REFUSED,
};

const FAULTS: Readonly<Record<FileCancelReason, FileFault>> = {
  [FileCancelReason.DECLINED]: FileFault.DECLINED,
  [FileCancelReason.CANCELLED]: FileFault.PEER_CANCELLED,
  [FileCancelReason.FAILED]: FileFault.PEER_CANCELLED,
  [FileCancelReason.REFUSED]: FileFault.DAMAGED,
};

/** What a transfer needs of its conversation. */
export interface Carrier {
  /** Whether chunks can travel. */
  readonly isLineUp: boolean;
  /** Sends something about a file, when there is room. Throws ConversationEndedError. */
  sendContent(content: FileContent): Promise<void>;
  /** Sends it in the background; nothing happens if the conversation ends first. */
  sendSoon(content: FileContent): void;
  /** Queues a chunk, whose memory it takes over; says whether to `drain` before the next. */
  sendChunk(frame: Uint8Array): boolean;
  /** Waits while too much is queued. */
  drain(): Promise<void>;
  /** The sealing end of an offer. Throws LocalProtocolError: too many transfers. */
  openOutgoing(offer: FileOffer): Promise<FileSender>;
  /** The opening end of an offered file. Throws FileTransferError (`ended`), LocalProtocolError. */
  openIncoming(offer: FileOffer): Promise<FileReceiver>;
  /** Wipes a transfer's key; the transfer is over. */
  closeFile(fileId: FileId): void;
  /** Tells the application. */
  tell(event: ConversationEvent): void;
}

/** One file of a conversation. */
export abstract class FileTransfer {
  /** Hex, as in the events. */
  readonly id: string;
  /** As its sender named it, for display only: see `safeName`. */
  readonly name: string;
  readonly size: number;
  /** As its sender claims it; never act on it. */
  readonly mediaType: string;
  protected readonly carrier: Carrier;
  protected readonly fileId: FileId;
  protected readonly changes = new Changes();
  readonly #outcome = new Outcome<Blob | null>();
  #done = 0;
  #toldAt = -Infinity;

  protected constructor(carrier: Carrier, offer: FileOffer) {
    this.id = toHex(offer.fileId);
    this.name = offer.name;
    this.size = offer.size;
    this.mediaType = offer.mediaType;
    this.fileId = offer.fileId;
    this.carrier = carrier;
  }

  /** Bytes that the receiver has safely. */
  get progress(): number {
    return this.#done;
  }

  /** Whether it is through, or will never be. */
  get isOver(): boolean {
    return this.#outcome.isDone;
  }

  /** Waits for the end; gives the file if it came into memory. Throws FileTransferError if it will not come. */
  async done(): Promise<Blob | null> {
    return this.#outcome.promise;
  }

  /** Stops, and tells the peer. What had arrived is deleted. */
  cancel(): void {
    this.fail(FileFault.CANCELLED, true);
  }

  /** Ends it without success, once; a second end changes nothing. For the conversation. */
  fail(fault: FileFault, tellPeer: boolean): void {
    if (this.#outcome.isDone) return;
    this.#outcome.fail(new FileTransferError(fault));
    if (tellPeer) {
      const reason = REASONS[fault] ?? FileCancelReason.FAILED;
      this.carrier.sendSoon({ type: "file-cancel", fileId: this.fileId, reason });
    }
    this.end();
    this.carrier.tell({ type: "file-cancelled", fileId: this.id, reason: fault });
  }

  /** The peer will not go on. For the conversation. */
  cancelledByPeer(reason: FileCancelReason): void {
    this.fail(FAULTS[reason], false);
  }

  protected succeed(blob: Blob | null): void {
    if (this.#outcome.isDone) return;
    this.report(this.size, true);
    this.#outcome.succeed(blob);
    this.end();
    this.carrier.tell({ type: "file-completed", fileId: this.id, blob });
  }

  protected report(done: number, isLast = false): void {
    if (this.isOver) return;
    const now = performance.now();
    this.#done = done;
    if (!isLast && now - this.#toldAt < PROGRESS_MILLISECONDS) return;
    this.#toldAt = now;
    this.carrier.tell({ type: "file-progress", fileId: this.id, done, size: this.size });
  }

  /** Lets go of everything. */
  protected end(): void {
    this.carrier.closeFile(this.fileId);
    this.changes.tell();
  }
}

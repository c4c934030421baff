/** All files of one conversation: finds the transfer that a content or a chunk belongs to. */

import { FileCancelReason, type FileOffer } from "../core/content/index.ts";
import { toHex } from "../core/encoding.ts";
import { MalformedError } from "../core/errors.ts";
import { type FileId, FileKey, newFileId } from "../core/file-key.ts";
import { peekFileId } from "../core/file-stream.ts";
import type { Primitives } from "../core/primitives.ts";
import { FileFault } from "./errors.ts";
import { BlobSource, type FileToSend } from "./file-source.ts";
import type { MemoryBudget } from "./file-target.ts";
import type { Carrier, FileContent } from "./file-transfer.ts";
import { IncomingFile } from "./incoming-file.ts";
import { OutgoingFile } from "./outgoing-file.ts";

/** Files on offer at once; more are declined unseen. */
export const MAX_OFFERS = 32;

/** The open transfers of a conversation, by file id. */
export class Transfers {
  readonly #carrier: Carrier;
  readonly #primitives: Primitives;
  readonly #memory: MemoryBudget;
  readonly #outgoing = new Map<string, OutgoingFile>();
  readonly #incoming = new Map<string, IncomingFile>();

  constructor(carrier: Carrier, primitives: Primitives, memory: MemoryBudget) {
    this.#carrier = carrier;
    this.#primitives = primitives;
    this.#memory = memory;
  }

  /**
   * Makes an offer of a file; the caller sends the offer.
   * Throws LocalProtocolError: too many transfers; values over their limits show when the offer is sent.
   */
  async offer(source: FileToSend): Promise<{ offer: FileOffer; file: OutgoingFile }> {
    const { blob, name, mediaType } = source;
    const offer: FileOffer = {
      type: "file-offer",
      fileId: newFileId(this.#primitives),
      key: FileKey.generate(this.#primitives),
      size: blob.size,
      name,
      mediaType,
    };
    const stream = await this.#carrier.openOutgoing(offer);
    const file = new OutgoingFile(this.#carrier, offer, stream, new BlobSource(blob));
    this.#outgoing.set(file.id, file);
    return { offer, file };
  }

  /** Takes what the peer says about a file. What concerns no open transfer is late, and ignored. */
  receive(content: FileContent): void {
    const id = toHex(content.fileId);
    const outgoing = this.#outgoing.get(id);
    switch (content.type) {
      case "file-offer":
        this.#receiveOffer(content);
        break;
      case "file-request":
        outgoing?.requested(content.chunk);
        break;
      case "file-ack":
        outgoing?.acknowledged(content.chunk);
        break;
      case "file-done":
        outgoing?.finished();
        break;
      case "file-cancel":
        outgoing?.cancelledByPeer(content.reason);
        this.#incoming.get(id)?.cancelledByPeer(content.reason);
        break;
    }
  }

  /** Takes a chunk from the line. One of no open transfer is late, and ignored. */
  receiveChunk(frame: Uint8Array): void {
    let id: FileId;
    try {
      id = peekFileId(frame);
    } catch (error) {
      if (error instanceof MalformedError) return;
      throw error;
    }
    this.#incoming.get(toHex(id))?.receiveChunk(frame);
  }

  /** A transfer is over. */
  forget(fileId: FileId): void {
    const id = toHex(fileId);
    this.#outgoing.delete(id);
    this.#incoming.delete(id);
  }

  /** Chunks under way may be gone: senders stand still. */
  lineLost(): void {
    for (const file of [...this.#outgoing.values()]) file.lineLost();
  }

  /** There is a line: receivers say where to go on. */
  lineBack(): void {
    for (const file of [...this.#incoming.values()]) file.lineBack();
  }

  /** The conversation is over. With `abandon` even what is whole but unsaved is dropped. */
  end(abandon: boolean): void {
    const fault = abandon ? FileFault.CANCELLED : FileFault.ENDED;
    for (const file of [...this.#outgoing.values(), ...this.#incoming.values()]) file.fail(fault, false);
  }

  #receiveOffer(offer: FileOffer): void {
    const id = toHex(offer.fileId);
    if (this.#incoming.size >= MAX_OFFERS || this.#incoming.has(id)) {
      const reason = FileCancelReason.DECLINED;
      this.#carrier.sendSoon({ type: "file-cancel", fileId: offer.fileId, reason });
      offer.key.wipe();
      return;
    }
    const file = new IncomingFile(this.#carrier, offer, this.#memory);
    this.#incoming.set(id, file);
    this.#carrier.tell({ type: "file-offered", file });
  }
}

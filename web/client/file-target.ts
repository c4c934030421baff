/** Where an incoming file's bytes go: a file the person chose, or memory, which is bounded. */

import { concat } from "../core/encoding.ts";
import { FileFault, FileTransferError } from "./errors.ts";

/** What all files in memory together may take: more than that hurts a phone. */
export const MAX_MEMORY_BYTES = 256 * 1024 * 1024;

/** What is gathered before it becomes a Blob. */
const BLOB_BYTES = 16 * 1024 * 1024;

/** The part of a FileSystemWritableFileStream that is used here. Nothing is in the file before `close`. */
export interface WritablePart {
  write(data: Uint8Array<ArrayBuffer>): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** The part of a FileSystemFileHandle that is used here: one of a picker, or of the origin's private files. */
export interface HandlePart {
  createWritable(): Promise<WritablePart>;
}

/** Into a file, or into memory. */
export type SaveTo = { readonly handle: HandlePart } | "memory";

/** Takes a file from front to back. All faults are FileTransferErrors. */
export interface FileTarget {
  /** Takes the next bytes. */
  write(parts: readonly Uint8Array[]): Promise<void>;
  /** The file is whole: gives it, if it is in memory. */
  finish(): Promise<Blob | null>;
  /** It will not be whole: deletes what is there. Safe at any time. */
  discard(): void;
}

/** How much memory is left for files. */
export class MemoryBudget {
  #left: number;

  constructor(bytes: number = MAX_MEMORY_BYTES) {
    this.#left = bytes;
  }

  /** Takes `size` bytes. Throws FileTransferError (`too_large`): there is not so much. */
  take(size: number): void {
    if (size > this.#left) throw new FileTransferError(FileFault.TOO_LARGE);
    this.#left -= size;
  }

  /** Gives them back. */
  giveBack(size: number): void {
    this.#left += size;
  }
}

/** Opens where the file goes. Throws FileTransferError. */
export async function openTarget(saveTo: SaveTo, size: number, budget: MemoryBudget): Promise<FileTarget> {
  if (saveTo === "memory") return new MemoryTarget(size, budget);
  try {
    return new HandleTarget(await saveTo.handle.createWritable());
  } catch (error) {
    throw faultOf(error);
  }
}

/** A file on the device. The browser writes beside it, and puts it in place when it is whole. */
class HandleTarget implements FileTarget {
  #writable: WritablePart | null;

  constructor(writable: WritablePart) {
    this.#writable = writable;
  }

  async write(parts: readonly Uint8Array[]): Promise<void> {
    if (this.#writable === null) throw new FileTransferError(FileFault.ENDED);
    try {
      await this.#writable.write(concat(...parts) as Uint8Array<ArrayBuffer>); // made here, of no shared memory
    } catch (error) {
      throw faultOf(error);
    }
  }

  async finish(): Promise<null> {
    const writable = this.#writable;
    if (writable === null) throw new FileTransferError(FileFault.ENDED);
    try {
      await writable.close();
    } catch (error) {
      throw faultOf(error);
    }
    this.#writable = null;
    return null;
  }

  discard(): void {
    this.#writable?.abort().catch(() => undefined);
    this.#writable = null;
  }
}

/**
 * Blobs, which a browser may keep outside of the worker's own memory. Few and large ones: making one waits for
 * another process, and nothing is opened meanwhile.
 */
class MemoryTarget implements FileTarget {
  readonly #size: number;
  readonly #budget: MemoryBudget;
  #blobs: Blob[] = [];
  #parts: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;
  #isHolding = true;

  constructor(size: number, budget: MemoryBudget) {
    budget.take(size);
    this.#size = size;
    this.#budget = budget;
  }

  async write(parts: readonly Uint8Array[]): Promise<void> {
    if (!this.#isHolding) throw new FileTransferError(FileFault.ENDED);
    for (const part of parts) {
      this.#parts.push(part as Uint8Array<ArrayBuffer>); // opened here, into no shared memory
      this.#bytes += part.length;
    }
    if (this.#bytes >= BLOB_BYTES) this.#gather();
    return Promise.resolve();
  }

  async finish(): Promise<Blob> {
    // of no type that a browser would render: the sender's claim is not believed
    const whole = new Blob([...this.#blobs, ...this.#parts], { type: "application/octet-stream" });
    this.discard();
    return Promise.resolve(whole);
  }

  discard(): void {
    if (this.#isHolding) this.#budget.giveBack(this.#size);
    this.#isHolding = false;
    this.#blobs = [];
    this.#parts = [];
  }

  #gather(): void {
    this.#blobs.push(new Blob(this.#parts));
    this.#parts = [];
    this.#bytes = 0;
  }
}

function faultOf(error: unknown): FileTransferError {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  return new FileTransferError(name === "QuotaExceededError" ? FileFault.DISK_FULL : FileFault.UNWRITABLE);
}

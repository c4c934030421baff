/** What the adapter needs of a browser, each a small interface, so that tests bring their own. */

import type { WorkerPart } from "../../client/page.ts";
import type { Memory } from "../settings.ts";

/** A file that the person chose to write into; it is passed on to the worker as it is. */
export interface ChosenFile {
  createWritable(): Promise<{
    write(data: Uint8Array<ArrayBuffer>): Promise<void>;
    close(): Promise<void>;
    abort(): Promise<void>;
  }>;
}

/** Where files go, on request only. */
export interface Saving {
  /** The browser can write a file while it arrives. */
  readonly canStream: boolean;
  /** Asks where to save. Returns null if the person changed their mind. */
  choose(name: string): Promise<ChosenFile | null>;
  /** Hands a file in memory to the browser's downloads. */
  download(content: Blob, name: string): void;
}

/** What a passkey gives: its id, and the secret that only it can make. */
export interface PasskeySecret {
  readonly credential: Uint8Array;
  readonly secret: Uint8Array;
}

/** Passkeys with the PRF extension. Both throw when the person or the browser says no. */
export interface Passkeys {
  isOffered(): Promise<boolean>;
  create(account: string): Promise<PasskeySecret>;
  get(credential: Uint8Array): Promise<PasskeySecret>;
}

export interface Ports {
  /** The server's origin, and how a person names it. */
  readonly origin: string;
  readonly host: string;
  readonly memory: Memory;
  readonly saving: Saving;
  readonly passkeys: Passkeys;
  /** Starts a worker. The last one is gone by then, or was never used. */
  makeWorker(): WorkerPart;
  /** Unix seconds. */
  now(): number;
  /** Asks the browser not to throw the vault away when it cleans up. */
  persist(): void;
  reload(): void;
}

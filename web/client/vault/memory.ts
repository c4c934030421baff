/** A vault for burner accounts and tests: it lives and dies with the worker. */

import { SecretState } from "../../core/secret.ts";
import { LockedError } from "../errors.ts";
import type { Vault } from "./vault.ts";

/** Keeps everything in memory only. */
export class MemoryVault extends SecretState implements Vault {
  readonly kind = "MemoryVault";
  #contents: Uint8Array | null = null;
  #isForgotten = false;

  async load(): Promise<Uint8Array | null> {
    if (this.#isForgotten) throw new LockedError();
    return Promise.resolve(this.#contents?.slice() ?? null);
  }

  async save(contents: Uint8Array): Promise<void> {
    if (this.#isForgotten) throw new LockedError();
    this.#contents?.fill(0);
    this.#contents = contents.slice();
    return Promise.resolve();
  }

  forget(): void {
    this.#contents?.fill(0);
    this.#contents = null;
    this.#isForgotten = true;
  }
}

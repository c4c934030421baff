/** What the client needs of a vault: load and save one blob, and forget. */

/** Keeps one secret blob between runs. */
export interface Vault {
  /** What was saved last, null if nothing ever was. Throws VaultError, LockedError. */
  load(): Promise<Uint8Array | null>;

  /**
   * Replaces what is kept: afterwards, and after a crash at any moment, old or new loads whole.
   * Throws VaultError, and the old contents are still there; LockedError after `forget`.
   */
  save(contents: Uint8Array): Promise<void>;

  /** Drops keys and contents from memory, at once; `load` and `save` throw LockedError from then on. */
  forget(): void;
}

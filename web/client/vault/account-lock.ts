/** One tab holds an account at a time: two would each undo what the other pinned. */

import { VaultInUseError } from "../errors.ts";

/** The part of Web Locks that is used here; `navigator.locks` fits. */
export interface LockPart {
  request(
    name: string,
    options: { readonly ifAvailable: true },
    held: (lock: unknown) => Promise<void>,
  ): Promise<unknown>;
}

/**
 * Takes the lock of that name and gives what releases it; the browser does so when the tab or worker ends.
 * Throws VaultInUseError: another tab has it.
 */
export async function takeLock(locks: LockPart, name: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const held = async (lock: unknown): Promise<void> => {
      if (lock === null) {
        reject(new VaultInUseError());
        return;
      }
      await new Promise<void>((release) => {
        resolve(release);
      });
    };
    locks.request(name, { ifAvailable: true }, held).catch(() => {
      reject(new VaultInUseError());
    });
  });
}

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

/** A tab or worker that ends lets go a moment later: so often, and so far apart, is looked again. */
const TRIES = 10;
const AGAIN_MILLISECONDS = 50;

/**
 * Takes the lock of that name and gives what releases it; the browser does so when the tab or worker ends.
 * Throws VaultInUseError: another tab has it.
 */
export async function takeLock(locks: LockPart, name: string): Promise<() => void> {
  for (let left = TRIES; ; left--) {
    const release = await tryLock(locks, name);
    if (release !== null) return release;
    if (left === 0) throw new VaultInUseError();
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MILLISECONDS));
  }
}

async function tryLock(locks: LockPart, name: string): Promise<(() => void) | null> {
  return new Promise((resolve, reject) => {
    const held = async (lock: unknown): Promise<void> => {
      if (lock === null) resolve(null);
      else {
        await new Promise<void>((release) => {
          resolve(release);
        });
      }
    };
    locks.request(name, { ifAvailable: true }, held).catch(() => {
      reject(new VaultInUseError());
    });
  });
}

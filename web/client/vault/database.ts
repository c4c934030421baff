/** IndexedDB, by promises: the few operations a vault needs, each one transaction. */

import { StorageFullError, VaultError } from "../errors.ts";

const STORE = "vault";

/** Records and keys of one name, kept by the browser. */
export class Database {
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
    database.onversionchange = (): void => {
      database.close(); // another tab deletes it: do not stand in the way
    };
  }

  /** Opens or makes it. Throws VaultError: the browser keeps nothing, as some do in private windows. */
  static async open(factory: IDBFactory, name: string): Promise<Database> {
    try {
      const request = factory.open(name, 1);
      request.onupgradeneeded = (): void => {
        request.result.createObjectStore(STORE);
      };
      return new Database(await result(request));
    } catch {
      throw new VaultError("This browser does not let Whisp keep anything. A private window may be why.");
    }
  }

  /** What is kept under these names, all of one moment. Throws VaultError. */
  async read(names: readonly string[]): Promise<unknown[]> {
    return this.#run("readonly", async (store) =>
      Promise.all(names.map(async (name) => result<unknown>(store.get(name)))),
    );
  }

  /**
   * Replaces what is kept, all of it or nothing, if `mayReplace` says so of what is there now; says whether it
   * did. Throws StorageFullError; VaultError: the disk failed.
   */
  async replace(
    values: Readonly<Record<string, unknown>>,
    watched: string,
    mayReplace: (present: unknown) => boolean,
  ): Promise<boolean> {
    return this.#run("readwrite", async (store) => {
      if (!mayReplace(await result<unknown>(store.get(watched)))) return false;
      for (const [name, value] of Object.entries(values)) store.put(value, name);
      return true;
    });
  }

  /** Deletes everything. Throws VaultError. */
  async clear(): Promise<void> {
    await this.#run("readwrite", async (store) => result(store.clear()));
  }

  /** Lets go of it. */
  close(): void {
    this.#database.close();
  }

  async #run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => Promise<T>): Promise<T> {
    try {
      const transaction = this.#database.transaction(STORE, mode, { durability: "strict" });
      const done = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = (): void => {
          resolve();
        };
        transaction.onabort = (): void => {
          reject(faultOf(transaction.error));
        };
      });
      done.catch(() => undefined);
      const value = await work(transaction.objectStore(STORE));
      await done;
      return value;
    } catch (error) {
      throw faultOf(error);
    }
  }
}

async function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = (): void => {
      resolve(request.result);
    };
    request.onerror = (): void => {
      reject(faultOf(request.error));
    };
  });
}

/** What went wrong, by the name that the browser gives it. */
function faultOf(error: unknown): VaultError {
  if (error instanceof VaultError) return error;
  const isFull = error instanceof Error && error.name === "QuotaExceededError";
  if (isFull) return new StorageFullError();
  return new VaultError("The vault cannot be saved or read: the browser's storage failed.");
}

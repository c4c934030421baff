import { inspect } from "node:util";
import { webcrypto } from "node:crypto";

import { IDBFactory, IDBObjectStore } from "fake-indexeddb";
import { beforeEach, describe, expect, it, vi } from "vitest";

import {
  DamagedVaultError,
  LockedError,
  StorageFullError,
  VaultError,
  VaultExistsError,
  VaultInUseError,
  VaultMissingError,
  WrongPassphraseError,
  WrongPasskeyError,
} from "../../client/errors.ts";
import type { LockPart } from "../../client/vault/account-lock.ts";
import { decodeContents, encodeContents, StoredAccount } from "../../client/vault/contents.ts";
import {
  eraseVault,
  IndexedDbVault,
  type VaultPlace,
  type VaultState,
  vaultState,
} from "../../client/vault/indexed-db.ts";
import type { Protection } from "../../client/vault/protection.ts";
import { MAX_VAULT_BYTES } from "../../client/vault/sealing.ts";
import { primitives } from "../platform.ts";
import { tabLocks } from "./tab-locks.ts";

const CHEAP = { memory: 64, passes: 1, lanes: 1 };
const SECRET = new TextEncoder().encode("a very secret seed of thirty-two");

const NONE: Protection = { kind: "none" };
const HORSE = phrase("correct horse");
const PASSKEY: Protection = {
  kind: "passkey",
  credential: Uint8Array.of(1, 2, 3),
  secret: new Uint8Array(32).fill(5),
};

function phrase(passphrase: string): Protection {
  return { kind: "passphrase", passphrase };
}

function stateOf(protection: Protection): VaultState {
  if (protection.kind === "passkey") return { kind: "passkey", credential: protection.credential };
  return { kind: protection.kind === "none" ? "open" : "passphrase" };
}

let place: VaultPlace;
let locks: LockPart;
beforeEach(() => {
  locks = tabLocks();
  place = {
    primitives,
    subtle: webcrypto.subtle as SubtleCrypto,
    factory: new IDBFactory(),
    locks,
    name: "whisp",
  };
});

/** What is stored, as a thief of the browser's files would find it. */
async function stored(): Promise<Record<string, unknown>> {
  const open = place.factory.open(place.name);
  const database = await new Promise<IDBDatabase>((resolve) => {
    open.onsuccess = (): void => {
      resolve(open.result);
    };
  });
  const store = database.transaction("vault").objectStore("vault");
  const found: Record<string, unknown> = {};
  for (const name of ["key", "record"]) {
    const request = store.get(name);
    found[name] = await new Promise((resolve) => {
      request.onsuccess = (): void => {
        resolve(request.result);
      };
    });
  }
  database.close();
  return found;
}

/** A disk that a test can fill: then the browser refuses to put anything more. */
function fillDisk(disk: { readonly isFull: boolean }): void {
  const put = Reflect.get(IDBObjectStore.prototype, "put") as (value: unknown, key: string) => IDBRequest;
  vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (
    this: IDBObjectStore,
    value: unknown,
    key,
  ) {
    const request = put.call(this, value, key as string) as IDBRequest<IDBValidKey>;
    if (disk.isFull) {
      // browsers find out at the end, and abort the whole transaction for it
      const error = new DOMException("no room", "QuotaExceededError");
      Object.defineProperty(this.transaction, "error", { get: () => error });
      this.transaction.abort();
    }
    return request;
  });
}

/** Changes what is stored. */
async function tamper(
  change: (record: Record<string, unknown>) => void,
  name = "record",
  instead?: unknown,
): Promise<void> {
  const { [name]: value } = await stored();
  const record = instead ?? structuredClone(value);
  if (instead === undefined) change(record as Record<string, unknown>);
  const open = place.factory.open(place.name);
  const database = await new Promise<IDBDatabase>((resolve) => {
    open.onsuccess = (): void => {
      resolve(open.result);
    };
  });
  const transaction = database.transaction("vault", "readwrite");
  transaction.objectStore("vault").put(record, name);
  await new Promise((resolve) => {
    transaction.oncomplete = resolve;
  });
  database.close();
}

describe("a vault in IndexedDB", () => {
  it.each([NONE, HORSE, PASSKEY])("keeps what was saved last, with protection %o", async (protection) => {
    expect(await vaultState(place)).toEqual({ kind: "none" });
    const vault = await IndexedDbVault.create(place, protection, CHEAP);
    expect(await vault.load()).toBeNull();
    await vault.save(Uint8Array.of(1));
    await Promise.all([vault.save(Uint8Array.of(2)), vault.save(SECRET)]);
    vault.forget();
    expect(await vaultState(place)).toEqual(stateOf(protection));
    const again = await IndexedDbVault.open(place, protection);
    expect(await again.load()).toEqual(SECRET);
    again.forget();
    await expect(again.load()).rejects.toThrow(LockedError);
    await expect(again.save(SECRET)).rejects.toThrow(LockedError);
  });

  it("stores nothing in clear, and a key that cannot leave", async () => {
    const vault = await IndexedDbVault.create(place, NONE);
    await vault.save(SECRET);
    const { key, record } = await stored();
    expect((key as CryptoKey).extractable).toBe(false);
    await expect(webcrypto.subtle.exportKey("raw", key as CryptoKey)).rejects.toThrow();
    const { box, nonce } = record as { box: Uint8Array; nonce: Uint8Array };
    expect(Buffer.from(box).includes(Buffer.from(SECRET))).toBe(false);
    await vault.save(SECRET);
    const after = (await stored())["record"] as { box: Uint8Array; nonce: Uint8Array };
    expect(after.nonce).not.toEqual(nonce);
    expect(after.box.length).toBe(4096 + 16); // sizes say nothing of how many contacts there are
    vault.forget();
  });

  it("tells a wrong passphrase from damage", async () => {
    const vault = await IndexedDbVault.create(place, HORSE, CHEAP);
    await vault.save(SECRET);
    vault.forget();
    await expect(IndexedDbVault.open(place, phrase("wrong horse"))).rejects.toThrow(WrongPassphraseError);
    await expect(IndexedDbVault.open(place, NONE)).rejects.toThrow(WrongPassphraseError);
    await tamper((record) => {
      const box = record["box"] as Uint8Array;
      box[100] = (box[100] ?? 0) ^ 1;
    });
    await expect(IndexedDbVault.open(place, HORSE)).rejects.toThrow(DamagedVaultError);
    await expect(IndexedDbVault.open(place, phrase("wrong horse"))).rejects.toThrow(DamagedVaultError);
  });

  it.each([
    ["revision", (record: Record<string, unknown>) => (record["revision"] = 7)],
    ["format", (record: Record<string, unknown>) => (record["format"] = 2)],
    ["no nonce", (record: Record<string, unknown>) => delete record["nonce"]],
    ["no protection", (record: Record<string, unknown>) => (record["source"] = null)],
    [
      "too much work",
      (record: Record<string, unknown>) =>
        ((record["source"] as { cost: unknown }).cost = { memory: 2 ** 30, passes: 1, lanes: 1 }),
    ],
    [
      "a cheaper guess",
      (record: Record<string, unknown>) =>
        ((record["source"] as { cost: unknown }).cost = { memory: 8, passes: 1, lanes: 1 }),
    ],
  ])("refuses a record with another %s", async (_what, change) => {
    const vault = await IndexedDbVault.create(place, HORSE, CHEAP);
    vault.forget();
    await tamper(change);
    await expect(IndexedDbVault.open(place, HORSE)).rejects.toThrow(DamagedVaultError);
  });

  it("is held by one tab, which the other is told", async () => {
    const vault = await IndexedDbVault.create(place, NONE);
    await expect(IndexedDbVault.open(place, NONE)).rejects.toThrow(VaultInUseError);
    await expect(eraseVault(place)).rejects.toThrow(VaultInUseError);
    expect(await vaultState(place)).toEqual({ kind: "open" }); // asking needs no lock
    vault.forget();
    (await IndexedDbVault.open(place, NONE)).forget();
  });

  it("is never overwritten by a tab that lost its lock", async () => {
    const vault = await IndexedDbVault.create(place, NONE);
    const other = await IndexedDbVault.open({ ...place, locks: tabLocks() }, NONE);
    await other.save(SECRET);
    await expect(vault.save(Uint8Array.of(9))).rejects.toThrow(VaultInUseError);
    vault.forget();
    other.forget();
    const again = await IndexedDbVault.open(place, NONE);
    expect(await again.load()).toEqual(SECRET);
    again.forget();
  });

  it("exists once, is missing when it is not there, and is gone when erased", async () => {
    await expect(IndexedDbVault.open(place, NONE)).rejects.toThrow(VaultMissingError);
    const vault = await IndexedDbVault.create(place, NONE);
    await vault.save(SECRET);
    vault.forget();
    await expect(IndexedDbVault.create(place, NONE)).rejects.toThrow(VaultExistsError);
    await expect(IndexedDbVault.create(place, phrase(""))).rejects.toThrow(VaultError);
    const open = await IndexedDbVault.open(place, NONE);
    await open.erase();
    await expect(open.load()).rejects.toThrow(LockedError);
    expect(await stored()).toEqual({ key: undefined, record: undefined });
    await eraseVault(place);
    expect(await vaultState(place)).toEqual({ kind: "none" });
  });

  it("changes its passphrase, and the old one is dead", async () => {
    const vault = await IndexedDbVault.create(place, NONE);
    await vault.save(SECRET);
    await vault.changeProtection(phrase("new horse"), CHEAP);
    await vault.save(SECRET);
    vault.forget();
    await expect(IndexedDbVault.open(place, NONE)).rejects.toThrow(WrongPassphraseError);
    const again = await IndexedDbVault.open(place, phrase("new horse"));
    expect(await again.load()).toEqual(SECRET);
    again.forget();
  });

  it("opens with its passkey only, whatever else is tried", async () => {
    const vault = await IndexedDbVault.create(place, PASSKEY);
    await vault.save(SECRET);
    vault.forget();
    const other = { ...PASSKEY, secret: new Uint8Array(32).fill(6) } as Protection;
    const short = { ...PASSKEY, secret: new Uint8Array(31).fill(5) } as Protection;
    for (const wrong of [other, short, NONE, HORSE]) {
      await expect(IndexedDbVault.open(place, wrong)).rejects.toThrow(WrongPasskeyError);
    }
    const { record } = await stored();
    const kept = Buffer.from((record as { box: Uint8Array }).box);
    expect(kept.includes(Buffer.from((PASSKEY as { secret: Uint8Array }).secret))).toBe(false);
    await tamper((changed) => {
      (changed["source"] as { credential: Uint8Array }).credential = Uint8Array.of(9);
    });
    await expect(IndexedDbVault.open(place, PASSKEY)).rejects.toThrow(DamagedVaultError);
  });

  it.each([
    [NONE, HORSE],
    [HORSE, PASSKEY],
    [PASSKEY, phrase("new horse")],
    [PASSKEY, NONE],
  ])("goes from %o to %o as a whole, or not at all", async (from, to) => {
    const disk = { isFull: false };
    fillDisk(disk);
    const vault = await IndexedDbVault.create(place, from, CHEAP);
    await vault.save(SECRET);
    disk.isFull = true;
    await expect(vault.changeProtection(to, CHEAP)).rejects.toThrow(StorageFullError);
    await expect(vault.save(Uint8Array.of(1))).rejects.toThrow(StorageFullError);
    expect(await vault.load()).toEqual(SECRET);
    expect(await vaultState(place)).toEqual(stateOf(from));
    disk.isFull = false;
    await Promise.all([vault.changeProtection(to, CHEAP), vault.save(Uint8Array.of(7))]);
    vault.forget();
    expect(await vaultState(place)).toEqual(stateOf(to));
    if (to.kind !== "none") {
      await expect(IndexedDbVault.open(place, from)).rejects.toThrow("opens with");
    }
    const again = await IndexedDbVault.open(place, to);
    expect(await again.load()).toEqual(Uint8Array.of(7));
    again.forget();
  });

  it("refuses protections that protect nothing", async () => {
    const impossible: Protection[] = [
      phrase(""),
      { ...PASSKEY, credential: new Uint8Array() },
      { ...PASSKEY, credential: new Uint8Array(1024) },
      { ...PASSKEY, secret: new Uint8Array(31) },
    ];
    for (const protection of impossible) {
      await expect(IndexedDbVault.create(place, protection, CHEAP)).rejects.toThrow(VaultError);
    }
    expect(await vaultState(place)).toEqual({ kind: "none" });
  });

  it("says that it is damaged when key or record are no longer what they were", async () => {
    (await IndexedDbVault.create(place, NONE)).forget();
    await tamper((record) => delete record["nonce"]);
    expect(await vaultState(place)).toEqual({ kind: "damaged" });
    await eraseVault(place);
    (await IndexedDbVault.create(place, NONE)).forget();
    await tamper(() => undefined, "key", "no key");
    expect(await vaultState(place)).toEqual({ kind: "damaged" });
    await expect(IndexedDbVault.open(place, NONE)).rejects.toThrow(DamagedVaultError);
    await eraseVault(place);
    expect(await vaultState(place)).toEqual({ kind: "none" });
  });

  it("keeps the old contents when the new cannot be saved", async () => {
    const vault = await IndexedDbVault.create(place, NONE);
    await vault.save(SECRET);
    await expect(vault.save(new Uint8Array(MAX_VAULT_BYTES + 1))).rejects.toThrow("full");
    expect(await vault.load()).toEqual(SECRET);
    vault.forget();
    const again = await IndexedDbVault.open(place, NONE);
    expect(await again.load()).toEqual(SECRET);
    again.forget();
  });

  it("forgotten in the middle of a save, keeps nothing in memory", async () => {
    const vault = await IndexedDbVault.create(place, HORSE, CHEAP);
    const saving = vault.save(SECRET);
    vault.forget();
    await expect(saving).rejects.toThrow();
    await expect(vault.load()).rejects.toThrow(LockedError);
    expect(inspect(vault, { depth: 9, showHidden: true })).toContain("redacted");
  });

  it("says that a browser keeps nothing", async () => {
    const factory = {
      open: (): never => {
        throw new DOMException("no", "SecurityError");
      },
    } as unknown as IDBFactory;
    await expect(vaultState({ ...place, factory })).rejects.toThrow("private window");
  });
});

describe("a vault's contents", () => {
  const account = (): StoredAccount =>
    new StoredAccount({
      origin: "https://chat.example",
      username: "odile",
      seed: SECRET.slice(),
      deviceKeys: SECRET.slice(),
      certificate: Uint8Array.of(1, 2),
      deviceList: Uint8Array.of(3),
      isConfirmed: true,
    });
  const contact = {
    username: "sefa",
    account: new Uint8Array(32).fill(7),
    verifiedAt: 5,
    added: 4,
    listVersion: 3,
    listDigest: new Uint8Array(32).fill(8),
    changedTo: new Uint8Array(32).fill(9),
  };

  it("come back as they were", () => {
    const contacts = [contact, { ...contact, username: "ines", verifiedAt: null, changedTo: null }];
    const read = decodeContents(encodeContents({ account: account(), contacts }));
    expect(read.contacts).toEqual(contacts);
    expect(read.account?.expose()).toEqual(account().expose());
    expect(read.account).toMatchObject({
      origin: "https://chat.example",
      username: "odile",
      isConfirmed: true,
    });
    expect(decodeContents(null)).toEqual({ account: null, contacts: [] });
  });

  it("are refused when cut short, changed or of another format", () => {
    const whole = encodeContents({ account: account(), contacts: [contact] });
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeContents(whole.subarray(0, length))).toThrow(DamagedVaultError);
    }
    expect(() => decodeContents(Uint8Array.of(...whole, 0))).toThrow(DamagedVaultError);
    expect(() => decodeContents(Uint8Array.of(2, ...whole.subarray(1)))).toThrow("newer version");
  });

  it("never show the account's keys", () => {
    const secret = account();
    expect(`${String(secret)}${inspect(secret, { showHidden: true })}`).not.toContain("secret");
    expect(() => JSON.stringify(secret)).toThrow("never stored");
  });
});

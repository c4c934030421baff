import { inspect } from "node:util";
import { webcrypto } from "node:crypto";

import { IDBFactory } from "fake-indexeddb";
import { beforeEach, describe, expect, it } from "vitest";

import {
  DamagedVaultError,
  LockedError,
  VaultError,
  VaultExistsError,
  VaultInUseError,
  VaultMissingError,
  WrongPassphraseError,
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

/** Changes what is stored. */
async function tamper(change: (record: Record<string, unknown>) => void, name = "record"): Promise<void> {
  const { [name]: value } = await stored();
  const record = structuredClone(value) as Record<string, unknown>;
  change(record);
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

import { describe, expect, it } from "vitest";
import { connectionView } from "../../app/adapter/opening.ts";
import { atHome, Failure, FACTS, happen, inCall, NOW, settled, World } from "./fake-worker.ts";

async function opened(...args: ConstructorParameters<typeof World>): Promise<World> {
  const world = new World(...args);
  await world.source.open();
  await settled();
  return world;
}

const NONE = { vaultState: () => ({ kind: "none" }) } as const;

describe("starting", () => {
  it("opens what needs nothing, logs in and shows the contacts", async () => {
    const world = await atHome();
    expect(world.source.view().me).toBe("mira");
    expect(world.worker.calls("openVault")).toEqual([[{ kind: "none" }]]);
    expect(world.worker.calls("login")).toHaveLength(1);
    expect(world.at("home").contacts.map(({ name }) => name)).toEqual(["odile"]);
  });

  it("welcomes who has no keys here", async () => {
    const world = await opened(NONE);
    expect(world.at("onboarding").lost).toBe(false);
  });

  it("says so when the browser has lost the keys", async () => {
    const world = new World(NONE);
    world.shelf.set("whisp.keys", "1");
    await world.source.open();
    expect(world.at("onboarding").lost).toBe(true);
  });

  it("says so when the browser keeps nothing at all", async () => {
    const world = await opened({
      vaultState: () => {
        throw new Failure("VaultError");
      },
    });
    world.at("unusable");
  });

  it("asks for what opens it", async () => {
    for (const kind of ["passphrase", "passkey"] as const) {
      const credential = new Uint8Array([1]);
      const world = await opened({
        vaultState: () => (kind === "passkey" ? { kind, credential } : { kind }),
      });
      expect(world.at("locked")).toMatchObject({ opener: kind, reason: "start" });
    }
  });

  it.each([
    ["WrongPassphraseError", "wrong"],
    ["DamagedVaultError", "damaged"],
    ["VaultInUseError", "inUse"],
    ["VaultError", "failed"],
    ["SomethingNew", "failed"],
  ])("tells %s as %s", async (name, problem) => {
    const world = await opened({
      vaultState: () => ({ kind: "passphrase" }),
      openVault: () => {
        throw new Failure(name);
      },
    });
    world.source.actions.unlock("a wrong one");
    await settled();
    expect(world.at("locked")).toMatchObject({ problem, busy: false });
  });

  it("begins anew when what is stored cannot be opened", async () => {
    const world = await opened({ vaultState: () => ({ kind: "damaged" }) });
    world.shelf.set("whisp.keys", "1");
    expect(world.at("locked").problem).toBe("damaged");
    world.source.actions.startAnew();
    await settled();
    expect(world.worker.calls("eraseVault")).toHaveLength(1);
    expect(world.at("onboarding").lost).toBe(false);
    expect(world.shelf.has("whisp.keys")).toBe(false);
  });

  it("tries again by itself while the server is silent, and not when trying is useless", async () => {
    const silent = await atHome({
      login: () => {
        throw new Failure("ServerUnreachableError");
      },
    });
    const gone = {
      type: "connection-changed",
      state: "offline",
      reason: null,
      fault: null,
      retryAt: null,
    } as const;
    silent.worker.emit(gone); // may come after the answer
    expect(silent.source.view().connection).toEqual({ state: "down", why: "silent", retryAt: NOW + 1 });
    silent.source.actions.tryNow();
    expect(silent.worker.calls("login")).toHaveLength(2);
    silent.source.actions.panic();
    const old = await atHome({
      login: () => {
        throw new Failure("VersionMismatchError");
      },
    });
    expect(old.source.view().connection).toEqual({ state: "down", why: "version", retryAt: null });
  });
});

describe("a new account", () => {
  it("asks for names before there are keys, and keeps nothing of that", async () => {
    const world = await opened({ ...NONE, isAvailable: (name) => name !== "odile" });
    world.source.actions.checkName("mira");
    await settled();
    expect(world.at("onboarding").answer).toBe("free");
    world.source.actions.checkName("odile");
    await settled();
    expect(world.at("onboarding").answer).toBe("taken");
    expect(world.worker.calls("temporaryVault")).toHaveLength(1);
    expect(world.worker.calls("createVault")).toHaveLength(0);
  });

  it.each([
    [{ kind: "none" }, { kind: "none" }],
    [
      { kind: "passphrase", passphrase: "a long one" },
      { kind: "passphrase", passphrase: "a long one" },
    ],
    [{ kind: "passkey" }, { kind: "passkey", credential: new Uint8Array([9]), secret: new Uint8Array(32) }],
  ] as const)("is made under %o", async (choice, protection) => {
    const world = await opened({ ...NONE, register: () => ({ username: "mira", state: "offline" }) });
    world.passkey = { credential: new Uint8Array([9]), secret: new Uint8Array(32) };
    world.source.actions.register("mira", choice);
    await settled();
    world.at("home");
    expect(world.worker.calls("createVault")).toEqual([[protection]]);
    expect(world.source.view().opener).toBe(choice.kind);
    expect(world.persisted).toBe(1);
    expect(world.shelf.get("whisp.keys")).toBe("1");
  });

  it.each([
    ["UsernameTakenError", { answer: "taken", problem: "none" }],
    ["InvalidUsernameError", { answer: "bad", problem: "none" }],
    ["ServerUnreachableError", { answer: "none", problem: "unreachable" }],
    ["RateLimitedError", { answer: "none", problem: "slowed" }],
    ["StorageFullError", { answer: "none", problem: "storage" }],
    ["SomethingNew", { answer: "none", problem: "failed" }],
  ])("that fails with %s leaves nothing behind", async (name, told) => {
    const world = await opened({
      ...NONE,
      register: () => {
        throw new Failure(name);
      },
    });
    world.source.actions.register("mira", { kind: "none" });
    await settled();
    expect(world.at("onboarding")).toMatchObject({ ...told, busy: false });
    expect(world.worker.calls("eraseVault")).toHaveLength(1);
    expect(world.shelf.has("whisp.keys")).toBe(false);
  });

  it("is not made without the passkey that was chosen", async () => {
    const world = await opened(NONE);
    world.source.actions.register("mira", { kind: "passkey" });
    await settled();
    expect(world.at("onboarding")).toMatchObject({ problem: "passkey", busy: false });
    expect(world.worker.calls("createVault")).toHaveLength(0);
  });
});

describe("the way out", () => {
  it("panics at once: the worker is gone and nothing is left to draw", async () => {
    const world = await inCall();
    happen(world, { type: "text-received", id: 1, text: "CNRY", at: NOW, replyTo: null });
    const { worker } = world;
    world.source.actions.panic();
    expect(worker.isTerminated).toBe(true);
    expect(world.at("locked").reason).toBe("panic");
    expect(JSON.stringify(world.source.view())).not.toMatch(/CNRY|odile/u);
    happen(world, { type: "text-received", id: 2, text: "late", at: NOW, replyTo: null });
    world.at("locked");
  });

  it("opens again in a new worker", async () => {
    const world = await inCall();
    world.source.actions.panic();
    world.source.actions.unlock("");
    await settled();
    world.at("home");
    expect(world.workers).toHaveLength(2);
  });

  it("locks with a word to the other side, and waits for it before it opens again", async () => {
    let said: () => void = () => undefined;
    const goodbye = new Promise<void>((resolve) => {
      said = resolve;
    });
    const world = await inCall({ lock: async () => goodbye });
    world.source.actions.lock();
    world.at("locked");
    world.source.actions.unlock("");
    await settled();
    expect(world.workers).toHaveLength(1);
    world.worker.emit({ type: "server-warned", warning: "other_name", about: "odile", sentence: "" });
    expect(world.source.view().notice).toBeNull(); // nothing of the old one is heard any more
    said();
    await settled();
    expect(world.workers[0]?.isTerminated).toBe(true);
    world.at("home");
  });

  it("locks when the worker crashes", async () => {
    const world = await inCall();
    world.worker.onerror?.({});
    world.at("locked");
  });

  it("erases the account, then the keys", async () => {
    const world = await atHome();
    world.source.actions.eraseAccount();
    await settled();
    expect(world.at("erased").name).toBe("mira");
    expect(world.workers[0]?.calls("deleteAccount")).toHaveLength(1);
    expect(world.worker.calls("eraseVault")).toHaveLength(1);
    expect(world.shelf.has("whisp.keys")).toBe(false);
    world.source.actions.dismiss();
    expect(world.at("onboarding").lost).toBe(false);
  });

  it("erases nothing when the server did not confirm", async () => {
    const world = await atHome({
      deleteAccount: () => {
        throw new Failure("ServerUnreachableError");
      },
    });
    world.source.actions.eraseAccount();
    await settled();
    expect(world.source.view().erasing).toBe("failed");
    expect(world.worker.calls("eraseVault")).toHaveLength(0);
    world.at("home");
  });
});

describe("settings", () => {
  it("are kept, and told to the worker", async () => {
    const world = await atHome();
    world.source.actions.change({ receipts: false });
    expect(world.worker.calls("configure").at(-1)).toEqual([{ receipts: false, allowDirect: false }]);
    const again = new World({}, JSON.parse(world.shelf.get("whisp.settings") ?? "") as object);
    expect(again.source.view().settings.receipts).toBe(false);
  });

  it("change what opens the keys, or say why not", async () => {
    const world = await atHome();
    world.source.actions.protect({ kind: "passphrase", passphrase: "a long one" });
    await settled();
    expect(world.source.view()).toMatchObject({ opener: "passphrase", notice: { kind: "protected" } });
    world.answers.changeProtection = () => {
      throw new Failure("StorageFullError");
    };
    world.source.actions.protect({ kind: "none" });
    await settled();
    expect(world.source.view()).toMatchObject({ opener: "passphrase", notice: { kind: "storageFull" } });
    world.source.actions.protect({ kind: "passkey" });
    await settled();
    expect(world.source.view()).toMatchObject({ opener: "passphrase", notice: { kind: "passkey" } });
  });

  it("hold no name, text or key in the browser's storage", async () => {
    const world = await inCall();
    world.source.actions.change({ theme: "dark" });
    const kept = [...world.shelf.entries()].flat().join(" ");
    expect(kept).not.toMatch(/mira|odile/u);
    expect([...world.shelf.keys()].sort()).toEqual(["whisp.keys", "whisp.settings"]);
  });
});

describe("the line to the server", () => {
  it.each([
    ["online", null, { state: "online" }],
    ["connecting", null, { state: "connecting" }],
    ["waiting", "TransportError", { state: "down", why: "silent", retryAt: NOW }],
    ["waiting", "ServerFaultError", { state: "down", why: "lies", retryAt: NOW }],
    ["offline", "ReplacedError", { state: "down", why: "replaced", retryAt: null }],
    ["offline", "VersionMismatchError", { state: "down", why: "version", retryAt: null }],
    ["offline", "ClockError", { state: "down", why: "clock", retryAt: null }],
    ["offline", "RevokedError", { state: "down", why: "refused", retryAt: null }],
    ["offline", null, { state: "connecting" }],
  ] as const)("that is %s for %s", (state, fault, told) => {
    const retryAt = state === "waiting" ? NOW : null;
    expect(connectionView({ type: "connection-changed", state, reason: null, fault, retryAt })).toEqual(told);
  });

  it("is told about a server that lies", async () => {
    const world = await atHome();
    world.worker.emit({ type: "server-warned", warning: "bad_pre_keys", about: "odile", sentence: "x" });
    expect(world.source.view().notice).toEqual({ kind: "lies", name: "odile" });
  });

  it("shows the attempts while a call is held", async () => {
    const world = await inCall();
    happen(world, { type: "line-changed", line: "held", via: "server", heldUntil: NOW + 60 });
    const change = { type: "connection-changed", reason: null, fault: "TransportError" } as const;
    world.worker.emit({ ...change, state: "waiting", retryAt: NOW + 3 });
    expect(world.at("call").call.line).toMatchObject({ nextTryAt: NOW + 3, attempt: 0 });
    world.worker.emit({ ...change, state: "connecting", fault: null, retryAt: null });
    expect(world.at("call").call.line).toMatchObject({ nextTryAt: null, attempt: 1 });
    expect(world.at("call").call.peer.name).toBe(FACTS.peer);
  });
});

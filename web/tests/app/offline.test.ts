import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { withIntegrity } from "../../app/build/offline.ts";
import { keepOffline, type Update } from "../../app/offline/registration.ts";
import { checkScript } from "../../app/trusted.ts";
import { settled } from "./fake-worker.ts";

describe("the shell", () => {
  it("names the hash of all it loads", () => {
    const folder = mkdtempSync(join(tmpdir(), "whisp-shell-"));
    mkdirSync(join(folder, "assets"));
    writeFileSync(join(folder, "assets/a.js"), "1");
    writeFileSync(join(folder, "assets/b.css"), "2");
    const hash = (text: string): string => `sha384-${createHash("sha384").update(text).digest("base64")}`;
    const shell = withIntegrity(
      '<script type="module" crossorigin src="/assets/a.js"></script><link rel="stylesheet" href="/assets/b.css">' +
        '<link rel="icon" href="/icons/whisp.svg">',
      folder,
    );
    expect(shell).toContain(`src="/assets/a.js" integrity="${hash("1")}"`);
    expect(shell).toContain(`href="/assets/b.css" integrity="${hash("2")}"`);
    expect(shell).toContain('<link rel="icon" href="/icons/whisp.svg">');
    expect(() => withIntegrity('<script src="/assets/gone.js"></script>', folder)).toThrow();
    rmSync(folder, { recursive: true });
  });
});

describe("s25 script addresses", () => {
  const origin = "https://whisp.example";

  it("are the app's own two", () => {
    expect(checkScript("/assets/worker-a1_B-2.js", origin)).toBe(`${origin}/assets/worker-a1_B-2.js`);
    expect(checkScript("/service-worker.js", origin)).toBe(`${origin}/service-worker.js`);
  });

  it.each([
    "https://elsewhere.example/service-worker.js",
    "//elsewhere.example/assets/worker-a.js",
    "data:text/javascript,1",
    "blob:https://whisp.example/1",
    "/assets/index-a.js",
    "/assets/../v1/worker-a.js",
    "/assets/worker-a.js/x",
  ])("are not %s", (address) => {
    expect(() => checkScript(address, origin)).toThrow(TypeError);
  });
});

describe("the service worker", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  function browser(update: () => Promise<void>, status: number) {
    const old = { unregister: vi.fn(async () => Promise.resolve(true)) };
    const waiting = Object.assign(new EventTarget(), { postMessage: vi.fn(), state: "installed" });
    const registration = Object.assign(new EventTarget(), { update, waiting, installing: null });
    const container = Object.assign(new EventTarget(), {
      controller: {},
      register: vi.fn(async () => Promise.resolve(registration)),
      getRegistrations: async () => Promise.resolve([old]),
    });
    const deleted: string[] = [];
    vi.stubGlobal("navigator", { serviceWorker: container });
    vi.stubGlobal("fetch", async () => Promise.resolve({ status }));
    vi.stubGlobal("caches", {
      keys: async () => Promise.resolve(["whisp-old"]),
      delete: async (name: string) => Promise.resolve(deleted.push(name)),
    });
    vi.stubGlobal("setInterval", () => 0);
    return { old, waiting, container, deleted };
  }

  it("that waits is told of, and goes when the person says so", async () => {
    const { waiting, container } = browser(async () => Promise.resolve(), 200);
    const found: Update[] = [];
    await keepOffline("/service-worker.js", (update) => found.push(update));
    expect(found).toHaveLength(1);
    expect(waiting.postMessage).not.toHaveBeenCalled();
    found[0]?.load();
    expect(waiting.postMessage).toHaveBeenCalledWith("go");
    expect(container.register).toHaveBeenCalledWith("/service-worker.js", { updateViaCache: "none" });
  });

  it.each([
    [404, 1],
    [410, 1],
    [200, 0],
    [503, 0],
  ])("s26 that the server answers with %i is unregistered %i times", async (status, times) => {
    const { old, deleted } = browser(async () => Promise.reject(new TypeError("bad answer")), status);
    await keepOffline("/service-worker.js", () => undefined);
    await settled();
    expect(old.unregister).toHaveBeenCalledTimes(times);
    expect(deleted).toHaveLength(times);
  });

  it("is not missed where there is none", async () => {
    vi.stubGlobal("navigator", {});
    await expect(keepOffline("/service-worker.js", () => undefined)).resolves.toBeUndefined();
  });
});

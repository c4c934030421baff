import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type { Client } from "../../client/client.ts";
import type { SocketPart } from "../../client/platform.ts";
import { openSocket } from "./node-platform.ts";
import { MemoryVault } from "../../client/vault/memory.ts";
import { connect, nextOf, nextRing, person, soon } from "./people.ts";
import { ServerProcess } from "./server-process.ts";

let server: ServerProcess;
beforeAll(async () => {
  server = await ServerProcess.start();
}, 30_000);
afterAll(async () => {
  await server.stop();
});

/** A network that can be unplugged: sockets break, and new ones do not come about. */
class Network {
  isDown = false;
  readonly #sockets = new Set<SocketPart>();

  readonly openSocket = (url: string): SocketPart => {
    if (this.isDown) throw new Error("no network");
    const socket = openSocket(url);
    this.#sockets.add(socket);
    return socket;
  };

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    if (this.isDown) throw new TypeError("no network");
    return fetch(url, init);
  };

  unplug(): void {
    this.isDown = true;
    for (const socket of this.#sockets) (socket as unknown as { terminate(): void }).terminate();
    this.#sockets.clear();
  }
}

const open: Client[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(async (client) => client.close()));
});

async function pair(): Promise<[Client, Client, Network]> {
  const network = new Network();
  const [odile, sefa] = await Promise.all([
    person(server.origin, "odile", { platform: network }),
    person(server.origin, "sefa"),
  ]);
  open.push(odile, sefa);
  return [odile, sefa, network];
}

/** Waits until the server finds `callee`: the pre-keys are on their way. */
async function untilOnline(caller: Client, callee: Client): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    if (await caller.discover(callee.username).catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("not online");
}

describe("a line that breaks", () => {
  it("is held, and goes on with nothing lost, doubled or out of order", async () => {
    const [odile, sefa, network] = await pair();
    const [mine, theirs] = await connect(odile, sefa);
    await mine.sendText("before");
    expect((await nextOf(theirs, "text-received")).text).toBe("before");
    network.unplug();
    expect(await nextOf(mine, "line-changed")).toMatchObject({ line: "held" });
    const held = await nextOf(theirs, "line-changed");
    expect(held.line).toBe("held");
    expect((held.heldUntil ?? 0) - Date.now() / 1000).toBeGreaterThan(50);
    for (const text of ["one", "two", "three"]) await mine.sendText(text);
    await theirs.sendText("answer");
    network.isDown = false;
    odile.nudge();
    expect((await nextOf(mine, "line-changed")).line).toBe("relayed");
    expect((await nextOf(mine, "text-received")).text).toBe("answer");
    const got: string[] = [];
    while (got.length < 3) got.push((await nextOf(theirs, "text-received")).text);
    expect(got).toEqual(["one", "two", "three"]);
    expect(mine.sessionCode).toBe(theirs.sessionCode);
  });

  it("resumes a file in the middle, byte for byte", async () => {
    const [odile, sefa, network] = await pair();
    const [mine, theirs] = await connect(odile, sefa);
    const bytes = Uint8Array.from({ length: 24 * 1024 * 1024 }, (_, i) => (i * 7 + (i >> 9)) & 0xff);
    const out = await mine.sendFile({ blob: new Blob([bytes]), name: "a.bin", mediaType: "" });
    const { file } = await nextOf(theirs, "file-offered");
    await file.accept("memory");
    for (let breaks = 0; breaks < 3; breaks++) {
      await nextOf(mine, "file-progress");
      network.unplug();
      await nextOf(mine, "line-changed");
      network.isDown = false;
      odile.nudge();
      expect((await nextOf(mine, "line-changed")).line).toBe("relayed");
    }
    const whole = await file.done();
    await out.done();
    expect(Buffer.compare(new Uint8Array((await whole?.arrayBuffer()) ?? new ArrayBuffer()), bytes)).toBe(0);
  });

  it("goes online again when the server restarts, which knows nothing of the call", async () => {
    const [odile, sefa] = await pair();
    const [mine, theirs] = await connect(odile, sefa);
    await mine.sendText("before");
    await nextOf(theirs, "text-received");
    const changes: string[] = [];
    void (async (): Promise<void> => {
      for await (const event of odile.events()) {
        if (event.type === "connection-changed") changes.push(`${event.state} ${event.reason ?? ""}`);
      }
    })();
    await server.restart();
    await soon(() => mine.line === "held" && theirs.line === "held");
    odile.nudge();
    sefa.nudge();
    await soon(() => odile.state === "online" && sefa.state === "online", 15);
    expect(mine.line).toBe("held"); // its 60 s run
    await Promise.all([mine.hangUp(), theirs.hangUp()]);
    expect(mine.ended).toBe("hung_up");
    await untilOnline(odile, sefa);
    const [again] = await connect(odile, sefa);
    expect(again.sessionCode).not.toBe(mine.sessionCode);
    expect(changes.at(-1)).toBe("online ");
  }, 30_000);

  it("stays down when another connection of the device took over", async () => {
    const vault = new MemoryVault();
    const odile = await person(server.origin, "odile", { vault });
    const again = await person(server.origin, "odile", { vault });
    open.push(odile, again);
    await soon(() => odile.state === "offline");
    const reasons: (string | null)[] = [];
    for await (const event of odile.events()) {
      if (event.type === "connection-changed") reasons.push(event.reason);
      if (event.type === "connection-changed" && event.state === "offline") break;
    }
    expect(reasons.at(-1)).toContain("opened somewhere else");
    expect(again.state).toBe("online");
  });

  it("that is unread slows the peer down, and goes on when it is read", async () => {
    const [odile, sefa] = await pair();
    const [mine, theirs] = await connect(odile, sefa);
    let sent = 0;
    const sending = (async (): Promise<void> => {
      while (sent < 600) {
        await mine.sendText(`text ${sent}`);
        sent += 1;
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(sent).toBeLessThan(450); // 256 unread, 96 unconfirmed, some on the way
    const before = sent;
    for (let i = 0; i < 600; i++) expect((await nextOf(theirs, "text-received")).text).toBe(`text ${i}`);
    await sending;
    expect(sent).toBeGreaterThan(before);
  }, 30_000);

  it("lets both ring each other at once, and they talk once", async () => {
    const [odile, sefa] = await pair();
    const [one, other] = await Promise.all([odile.call(sefa.username), sefa.call(odile.username)]).catch(
      async () => {
        const ring = await Promise.race([nextRing(odile), nextRing(sefa)]);
        throw new Error(`it rang for ${ring.caller}`);
      },
    );
    expect(one.sessionCode).toBe(other.sessionCode);
    expect([odile.conversations.length, sefa.conversations.length]).toEqual([1, 1]);
  });

  it("wipes at once in panic, and says goodbye", async () => {
    const [odile, sefa] = await pair();
    const [mine, theirs] = await connect(odile, sefa);
    await mine.sendText("before");
    await nextOf(theirs, "text-received");
    odile.panic();
    expect(odile.isLocked).toBe(true);
    expect(mine.ended).toBe("locked");
    await expect(mine.sendText("after")).rejects.toThrow("over");
    await expect(odile.login()).rejects.toThrow("locked");
    for (;;) {
      const event = await theirs.receive();
      if (event.type !== "ended") continue;
      expect(event.reason).toBe("peer_locked");
      break;
    }
  });
});

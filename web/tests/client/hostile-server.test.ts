import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { WebSocketServer } from "ws";

import { Client } from "../../client/client.ts";
import {
  ClockError,
  KeyChangedError,
  LockedError,
  RateLimitedError,
  RefusedIdentityError,
  ServerFaultError,
  ServerUnreachableError,
  UnauthorizedError,
  VersionMismatchError,
} from "../../client/errors.ts";
import { Http } from "../../client/http.ts";
import type { Members } from "../../client/json.ts";
import { Origin } from "../../client/origin.ts";
import { ServerSocket, SocketClosedError } from "../../client/server-socket.ts";
import { MemoryVault } from "../../client/vault/memory.ts";
import { SessionToken } from "../../core/frames.ts";
import { nodePlatform } from "./node-platform.ts";
import { connect, newName, nextEvent, person } from "./people.ts";
import { ServerProcess } from "./server-process.ts";

const TOKEN = new SessionToken("a-token-nobody-may-see");

function answering(answer: () => Response | Promise<Response>): Http {
  return new Http(Origin.parse("https://chat.example"), async () => Promise.resolve(answer()));
}

const asking = async (http: Http): Promise<number> =>
  http.request("GET", "/v1/server", (members: Members) => members.count("major"));

const json = (value: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(value), { status, headers });

describe("answers of a server", () => {
  it.each([
    ["no JSON", () => new Response("<html>")],
    ["no UTF-8", () => new Response(Uint8Array.of(0x22, 0xff, 0x22))],
    ["a list", () => json([1])],
    ["nothing", () => new Response("")],
    ["a member missing", () => json({})],
    ["a member of another type", () => json({ major: "1" })],
    ["a fraction", () => json({ major: 1.5 })],
    ["a member by inheritance", () => new Response('{"__proto__": {"major": 1}}')],
    ["too much", () => new Response("x".repeat(600 * 1024))],
    [
      "no end",
      (): Response =>
        new Response(
          new ReadableStream({
            pull: (controller): void => {
              controller.enqueue(new Uint8Array(64 * 1024));
            },
          }),
        ),
    ],
    ["an unknown error", () => json({ error: "strange", message: "x" }, 400)],
  ])("with %s are a server's fault", async (_what, answer) => {
    await expect(asking(answering(answer))).rejects.toThrow(ServerFaultError);
  });

  it.each([
    [401, "unauthorized", UnauthorizedError],
    [403, "forbidden", UnauthorizedError],
    [503, "unavailable", ServerUnreachableError],
  ])("of %i are told by their class", async (status, error, expected) => {
    const http = answering(() => json({ error, message: "m" }, status));
    await expect(asking(http)).rejects.toThrow(expected);
  });

  it("say when to try again, within reason", async () => {
    const limited = (after: string): Http => answering(() => json({}, 429, { "Retry-After": after }));
    for (const [after, seconds] of [
      ["7", 7],
      ["-3", 0],
      ["1e99", 86_400],
      ["soon", 1],
    ] as const) {
      const error: unknown = await asking(limited(after)).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(RateLimitedError);
      expect((error as RateLimitedError).retryAfter).toBe(seconds);
    }
  });

  it("are asked for without cookies, cache, referrer or redirects, and the token is in one header only", async () => {
    const seen: [string, RequestInit][] = [];
    const http = new Http(Origin.parse("https://chat.example"), async (url, init) => {
      seen.push([url, init]);
      return Promise.resolve(json({ major: 1 }));
    });
    await http.request("POST", "/v1/x", () => 0, { body: { a: 1 }, token: TOKEN });
    const [[url, init] = ["", {}]] = seen;
    expect(url).toBe("https://chat.example/v1/x");
    expect(init).toMatchObject({
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      referrerPolicy: "no-referrer",
    });
    expect(init.body).toBe('{"a":1}');
    expect(init.headers).toEqual({
      Accept: "application/json",
      "Content-Type": "application/json",
      Authorization: `Bearer ${TOKEN.expose()}`,
    });
  });

  it("that fail say nothing of the request", async () => {
    const http = new Http(Origin.parse("https://chat.example"), async (_url, init) => {
      await Promise.reject(new Error(`failed with ${JSON.stringify(init.headers)}`));
      return new Response();
    });
    const error: unknown = await http
      .request("GET", "/v1/x", () => 0, { token: TOKEN })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServerUnreachableError);
    expect(`${String(error)} ${JSON.stringify(error)} ${(error as Error).stack ?? ""}`).not.toContain(
      TOKEN.expose(),
    );
    expect((error as Error).cause).toBeUndefined();
  });
});

describe("a server's socket", () => {
  let http: Server;
  let sockets: WebSocketServer;
  let origin: Origin;
  beforeAll(async () => {
    http = createServer();
    sockets = new WebSocketServer({ server: http, maxPayload: 2 ** 24 });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    origin = Origin.parse(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
  });
  afterEach(() => {
    sockets.removeAllListeners("connection");
  });
  afterAll(() => {
    sockets.close();
    http.close();
  });

  function speaking(...messages: (Uint8Array | string)[]): void {
    sockets.on("connection", (socket) => {
      for (const message of messages) socket.send(message);
    });
  }
  const opening = async (): Promise<ServerSocket> => ServerSocket.open(nodePlatform(), origin, TOKEN);
  const WELCOME = Uint8Array.of(2, 1, 0);

  it.each([
    ["text", "hello"],
    ["another frame than WELCOME", Uint8Array.of(4, 3)],
    ["half a WELCOME", Uint8Array.of(2)],
    ["an empty message", new Uint8Array()],
    ["more than any frame has", new Uint8Array(300 * 1024)],
  ])("that says %s is left", async (_what, message) => {
    speaking(message);
    await expect(opening()).rejects.toThrow(SocketClosedError);
  });

  it("of another major version is told so", async () => {
    speaking(Uint8Array.of(2, 2, 0));
    await expect(opening()).rejects.toThrow(VersionMismatchError);
  });

  it("that speaks text, or too much, after WELCOME is left", async () => {
    for (const message of ["hello", new Uint8Array(300 * 1024)]) {
      sockets.removeAllListeners("connection");
      speaking(WELCOME, message);
      const socket = await opening();
      socket.deliverTo(() => undefined);
      expect((await socket.waitClosed()).code).toBe(4000);
      expect(socket.isOpen).toBe(false);
    }
  });

  it("keeps what comes early, in order, and not without end", async () => {
    speaking(WELCOME, ...Array.from({ length: 5 }, (_, i) => Uint8Array.of(4, i)));
    const socket = await opening();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const got: number[] = [];
    socket.deliverTo((frame) => got.push(frame[1] ?? -1));
    expect(got).toEqual([0, 1, 2, 3, 4]);
    socket.abort();
    sockets.removeAllListeners("connection");
    speaking(WELCOME, ...Array.from({ length: 300 }, () => Uint8Array.of(4, 1)));
    expect((await (await opening()).waitClosed()).code).toBe(4000);
  });

  it("that does not listen is unreachable", async () => {
    const nowhere = Origin.parse("http://127.0.0.1:1");
    await expect(ServerSocket.open(nodePlatform(), nowhere, TOKEN)).rejects.toThrow(ServerUnreachableError);
  });
});

describe("a server that lies", () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await ServerProcess.start();
  }, 30_000);
  afterAll(async () => {
    await server.stop();
  });

  /** Bundles of someone else than was asked for, as the directory could give out. */
  function swapping(names: () => Readonly<Record<string, string>>): typeof fetch {
    return async (url, init) => {
      const body = typeof init?.body === "string" ? init.body : "";
      const isBundles = (url as string).endsWith("/v1/bundles");
      const asked = isBundles ? (JSON.parse(body) as { username: string }).username : "";
      const instead = names()[asked];
      if (instead === undefined) return fetch(url, init);
      return fetch(url, { ...init, body: JSON.stringify({ username: instead }) });
    };
  }

  it("and puts another key behind a known name is caught; the person decides", async () => {
    let swaps: Record<string, string> = {};
    const platform = { fetch: swapping(() => swaps) as never };
    const [odile, sefa, mallory] = await Promise.all([
      person(server.origin, "odile", { platform }),
      person(server.origin, "sefa"),
      person(server.origin, "mallory"),
    ]);
    const [mine] = await connect(odile, sefa);
    await mine.hangUp();
    await odile.markVerified(sefa.username);
    swaps = { [sefa.username]: mallory.username };
    await expect(odile.call(sefa.username)).rejects.toThrow(KeyChangedError);
    expect((await nextEvent(odile, "key-changed")).username).toBe(sefa.username);
    expect(odile.contact(sefa.username)).toMatchObject({
      verifiedAt: null,
      changedTo: mallory.accountId,
      account: sefa.accountId,
    });
    await odile.acceptNewKey(sefa.username);
    expect(odile.contact(sefa.username)).toMatchObject({ changedTo: null, account: mallory.accountId });
    await Promise.all([odile, sefa, mallory].map(async (client) => client.close()));
  });

  it("and shows bundles that are none, or altered, is caught before anything is sent", async () => {
    let alter = (bundle: Buffer): Buffer => bundle;
    let posted = 0;
    const platform = {
      fetch: (async (url: string, init: RequestInit) => {
        if (url.endsWith("/v1/requestSession")) posted += 1;
        const response = await fetch(url, init);
        if (!url.endsWith("/v1/bundles")) return response;
        const answer = (await response.json()) as { bundles: string[] };
        const bundles = answer.bundles.map((bundle) =>
          alter(Buffer.from(bundle, "base64")).toString("base64"),
        );
        return json({ result: "ok", bundles });
      }) as never,
    };
    const [odile, sefa] = await Promise.all([
      person(server.origin, "odile", { platform }),
      person(server.origin, "sefa"),
    ]);
    for (const at of [1, 60, 120, 193, 300, 1200, -1]) {
      alter = (bundle): Buffer => {
        const place = at < 0 ? bundle.length + at : at;
        bundle[place] = (bundle[place] ?? 0) ^ 1;
        return bundle;
      };
      await expect(odile.call(sefa.username)).rejects.toThrow(RefusedIdentityError);
      expect((await nextEvent(odile, "server-warned")).about).toBe(sefa.username);
    }
    alter = (bundle): Buffer => bundle.subarray(0, 100);
    await expect(odile.call(sefa.username)).rejects.toThrow(RefusedIdentityError);
    expect(posted).toBe(0);
    expect(odile.contacts).toEqual([]);
    await Promise.all([odile.close(), sefa.close()]);
  });

  it("or whose clock is far away, is told before anything is signed", async () => {
    const client = new Client(
      nodePlatform({
        fetch: async (url, init) => {
          const response = await fetch(url, init);
          const headers = new Headers(response.headers);
          headers.set("Date", new Date(Date.now() - 3 * 3600 * 1000).toUTCString());
          return new Response(await response.arrayBuffer(), { status: response.status, headers });
        },
      }),
      server.origin,
      new MemoryVault(),
    );
    await client.open();
    const error: unknown = await client.register(newName("late")).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ClockError);
    expect((error as Error).message).toContain("3 hours ahead of");
    await client.close();
  });

  it("and cuts a registration off does not keep the name: trying again takes it up", async () => {
    const vault = new MemoryVault();
    const name = newName("again");
    const fetching = vi.fn(async (url: string, init: RequestInit) => {
      const response = await fetch(url, init);
      if (url.endsWith("/v1/accounts")) throw new TypeError("cut off");
      return response;
    });
    const first = new Client(nodePlatform({ fetch: fetching }), server.origin, vault);
    await expect(first.register(name)).rejects.toThrow(ServerUnreachableError);
    const second = new Client(nodePlatform(), server.origin, vault);
    await second.register(name);
    expect(second.isRegistered).toBe(true);
    second.panic();
    await expect(second.register(name)).rejects.toThrow(LockedError);
  });
});

/**
 * S-29: after every way a conversation can end, its words and keys are no longer held by the worker's code.
 *
 * JavaScript cannot promise erased memory (SECURITY.md): what is checked is that nothing reachable holds them. Words
 * are looked for in a snapshot of the heap; keys by weak references to every key that crypto was given.
 */

import { getHeapSnapshot, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Client } from "../../client/client.ts";
import type { Conversation } from "../../client/conversation.ts";
import type { Primitives } from "../../core/primitives.ts";
import { primitives } from "../platform.ts";
import { connect, nextOf, person } from "./people.ts";
import { ServerProcess } from "./server-process.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

let server: ServerProcess;
beforeAll(async () => {
  server = await ServerProcess.start();
}, 30_000);
afterAll(async () => {
  await server.stop();
});

/** The canary, written backwards here so that this file is not found. */
const BACKWARDS = ["82-hcrib", "eht-fo-yranac"].join("-");

function canary(): string {
  return Array.from(BACKWARDS).reverse().join("");
}

/** How many strings on the heap hold the canary. */
async function heldWords(): Promise<number> {
  collect();
  const needle = Buffer.from([...Buffer.from(BACKWARDS)].reverse()); // bytes, which no snapshot shows
  let [count, rest] = [0, Buffer.alloc(0)];
  for await (const part of getHeapSnapshot()) {
    const block = Buffer.concat([rest, part as Buffer]);
    for (let at = block.indexOf(needle); at >= 0; at = block.indexOf(needle, at + 1)) count += 1;
    rest = block.subarray(Math.max(0, block.length - needle.length + 1));
  }
  return count;
}

/** Crypto that remembers, weakly, every secret that it was given or gave. */
class Watched {
  readonly #seen: WeakRef<Uint8Array>[] = [];
  isWatching = false;
  readonly primitives: Primitives = new Proxy(primitives, {
    get: (target, name) => {
      const found: unknown = Reflect.get(target, name);
      if (typeof found !== "function") return found;
      if (name === "random") return (length: number): Uint8Array => primitives.random(length);
      return async (...args: unknown[]): Promise<unknown> => {
        const key = args[0];
        if (name.toString().startsWith("aesGcm") && key instanceof Uint8Array) this.#see(key);
        const result: unknown = await (found.apply(target, args) as Promise<unknown>);
        if (name === "hkdfExpand" && result instanceof Uint8Array) this.#see(result);
        return result;
      };
    },
  });

  /** Those that something still holds, and that are not zeros. */
  get held(): number {
    collect();
    return this.#seen.filter((seen) => seen.deref()?.some((byte) => byte !== 0) === true).length;
  }

  #see(secret: Uint8Array): void {
    if (this.isWatching) this.#seen.push(new WeakRef(secret));
  }
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 300));
}

/** Says things both ways, with the canary in all of it, and leaves some of it unread. */
async function talk(one: Conversation, two: Conversation): Promise<void> {
  for (let number = 0; number < 4; number++) {
    await one.sendText(`${canary()} ${number}`);
    await two.sendText(`${canary()} ${number}`);
  }
  for (const side of [one, two]) await nextOf(side, "text-received");
  const blob = new Blob([new Uint8Array(6_000_000)]);
  await one.sendFile({ blob, name: `${canary()}.bin`, mediaType: "" });
}

const ENDINGS: readonly (readonly [string, (odile: Client, sefa: Client) => Promise<unknown>])[] = [
  ["hang-up", async (odile) => Promise.all(odile.conversations.map(async (one) => one.hangUp()))],
  ["the peer's hang-up", async (_, sefa) => Promise.all(sefa.conversations.map(async (two) => two.hangUp()))],
  ["lock", async (odile) => odile.lock()],
  [
    "panic",
    async (odile): Promise<void> => {
      odile.panic();
      return Promise.resolve();
    },
  ],
  ["close", async (odile) => odile.close()],
];

/** A search takes seconds: one ending of each kind is enough. */
const SEARCHED: ReadonlySet<string> = new Set(["hang-up", "the peer's hang-up", "panic"]);

describe("s29 nothing reachable is left", () => {
  it.each(ENDINGS)(
    "after %s",
    async (name, end) => {
      const watched = new Watched();
      const [odile, sefa] = await Promise.all([
        person(server.origin, "odile", { platform: { primitives: watched.primitives } }),
        person(server.origin, "sefa", { platform: { primitives: watched.primitives } }),
      ]);
      watched.isWatching = true;
      await (async (): Promise<void> => {
        const [one, two] = await connect(odile, sefa);
        await talk(one, two);
      })();
      // the search finds what is there: unread texts
      if (name === "hang-up") expect(await heldWords()).toBeGreaterThan(0);
      expect(watched.held).toBeGreaterThan(0);
      await end(odile, sefa);
      await settled();
      // the other side's end of it, too: it heard the goodbye
      expect([odile.conversations.length, sefa.conversations.length]).toEqual([0, 0]);
      await settled();
      expect(watched.held).toBe(0);
      if (SEARCHED.has(name)) expect(await heldWords()).toBe(0);
      sefa.panic();
      odile.panic();
    },
    60_000,
  );
});

/** People for tests: real clients on a real server. */

import { Client, type ClientOptions } from "../../client/client.ts";
import type { Conversation } from "../../client/conversation.ts";
import type { ClientEvent, ConversationEvent } from "../../client/events.ts";
import type { Platform } from "../../client/platform.ts";
import type { Ring } from "../../client/ring.ts";
import { MemoryVault } from "../../client/vault/memory.ts";
import type { Vault } from "../../client/vault/vault.ts";
import { nodePlatform } from "./node-platform.ts";

let people = 0;

/** A name nobody has. */
export function newName(start: string): string {
  people += 1;
  return `${start}-${process.pid}-${people}`;
}

/** What may be chosen about a person. */
export interface PersonParts {
  readonly platform?: Partial<Platform>;
  readonly vault?: Vault;
  readonly options?: Partial<ClientOptions>;
}

/** A client that is registered and online. */
export async function person(origin: string, name: string, parts: PersonParts = {}): Promise<Client> {
  const vault = parts.vault ?? new MemoryVault();
  const client = new Client(nodePlatform(parts.platform), origin, vault, parts.options);
  await client.open();
  if (!client.isRegistered) await client.register(newName(name));
  await client.login();
  return client;
}

/** The next ring. */
export async function nextRing(client: Client): Promise<Ring> {
  for await (const ring of client.rings()) return ring;
  throw new Error("the client closed");
}

/** Calls and accepts; gives both ends. */
export async function connect(caller: Client, callee: Client): Promise<[Conversation, Conversation]> {
  const calling = caller.call(callee.username);
  const ring = await nextRing(callee);
  return Promise.all([calling, ring.accept()]);
}

type Of<T extends { readonly type: string }, K extends T["type"]> = Extract<T, { readonly type: K }>;

/** The next event of a type, dropping others. */
export async function nextOf<K extends ConversationEvent["type"]>(
  conversation: Conversation,
  type: K,
): Promise<Of<ConversationEvent, K>> {
  for (;;) {
    const event = await conversation.receive();
    if (event.type === type) return event as Of<ConversationEvent, K>;
    if (event.type === "ended") throw new Error(`ended: ${event.reason}`);
  }
}

/** The next event of a type outside conversations, dropping others. */
export async function nextEvent<K extends ClientEvent["type"]>(
  client: Client,
  type: K,
): Promise<Of<ClientEvent, K>> {
  for await (const event of client.events()) {
    if (event.type === type) return event as Of<ClientEvent, K>;
  }
  throw new Error("the client closed");
}

/** Waits until a condition holds. */
export async function soon(condition: () => boolean, seconds = 8): Promise<void> {
  const until = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > until) throw new Error("it did not come about");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

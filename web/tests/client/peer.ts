/** A web client that another program drives: one JSON object per line in, one per line out. */

import { createHash } from "node:crypto";
import { createInterface } from "node:readline";

import { Client } from "../../client/client.ts";
import type { Conversation } from "../../client/conversation.ts";
import type { ConversationEvent } from "../../client/events.ts";
import type { IncomingFile } from "../../client/incoming-file.ts";
import type { OutgoingFile } from "../../client/outgoing-file.ts";
import { MemoryVault } from "../../client/vault/memory.ts";
import { nodePlatform } from "./node-platform.ts";

/** A file whose bytes both programs know: byte i is i * 31 mod 251. */
function content(size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31) % 251);
}

let client: Client | null = null;
let conversation: Conversation | null = null;
let incoming: IncomingFile | null = null;
let outgoing: OutgoingFile | null = null;

function need<T>(value: T | null): T {
  if (value === null) throw new Error("not there yet");
  return value;
}

async function next(type: string): Promise<ConversationEvent> {
  for (;;) {
    const event = await need(conversation).receive();
    if (event.type === type) return event;
    if (event.type === "ended") throw new Error(`ended: ${event.reason}`);
  }
}

type Parameters = Readonly<Record<string, string>>;

const COMMANDS: Readonly<Record<string, (given: Parameters) => unknown>> = {
  open: async ({ server, name }) => {
    client = new Client(nodePlatform(), server ?? "", new MemoryVault());
    await client.register(name ?? "");
    await client.login();
  },
  call: async ({ name }) => {
    conversation = await need(client).call(name ?? "");
    return conversation.sessionCode;
  },
  accept: async () => {
    for await (const ring of need(client).rings()) {
      conversation = await ring.accept();
      return [ring.caller, conversation.sessionCode];
    }
    return null;
  },
  decline: async ({ busy }) => {
    for await (const ring of need(client).rings()) return ring.decline(busy === "yes");
    return null;
  },
  text: async ({ text }) => (await need(conversation).sendText(text ?? "")).id,
  next: async ({ type }) => {
    const event = await next(type ?? "");
    if (event.type === "file-offered") incoming = event.file;
    return JSON.parse(
      JSON.stringify(event, (key, value: unknown) =>
        ["sender", "member", "file"].includes(key) ? undefined : value,
      ),
    ) as unknown;
  },
  read: ({ id }) => {
    need(conversation).markRead(Number(id));
  },
  offer: async ({ size }) => {
    const blob = new Blob([content(Number(size))]);
    outgoing = await need(conversation).sendFile({ blob, name: "from-web.bin", mediaType: "" });
  },
  sent: async () => need(outgoing).done(),
  save: async () => {
    await need(incoming).accept("memory");
    const whole = need(await need(incoming).done());
    return createHash("sha256")
      .update(new Uint8Array(await whole.arrayBuffer()))
      .digest("hex");
  },
  "safety-number": async ({ name }) => (await need(client).safetyNumber(name ?? "")).digits,
  "hang-up": async () => need(conversation).hangUp(),
  close: async () => need(client).close(),
};

for await (const line of createInterface(process.stdin)) {
  const { do: name, ...given } = JSON.parse(line) as Parameters;
  try {
    const value = (await COMMANDS[name ?? ""]?.(given)) ?? null;
    process.stdout.write(`${JSON.stringify({ value })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: (error as Error).name })}\n`);
  }
}
process.exit(0);

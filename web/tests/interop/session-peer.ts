/**
 * Sessions for another implementation to talk to: a JSON object per line in, one per line out.
 *
 * Byte strings are hex, contents are as they are encoded, events have the names and members of the specification.
 * The secrets come from the test and serve it alone. `tests/interop/test_session.py` is the other side.
 */

import { createInterface } from "node:readline";

import { type Content, decodeContent, encodeContent, isCounted } from "../../core/content/index.ts";
import { fromHex, toHex } from "../../core/encoding.ts";
import { WhispError } from "../../core/errors.ts";
import type { Event } from "../../core/events.ts";
import { asFileId, FileKey } from "../../core/file-key.ts";
import type { FileReceiver, FileSender } from "../../core/file-stream.ts";
import { asAccountId, asDeviceId } from "../../core/ids.ts";
import { Secret } from "../../core/key-schedule.ts";
import { Ratchet } from "../../core/ratchet.ts";
import { Session } from "../../core/session.ts";
import { primitives } from "../platform.ts";

interface Command {
  readonly do: string;
  readonly now: number;
  readonly bytes: Readonly<Record<string, string>>;
  readonly numbers: Readonly<Record<string, number>>;
}

class Exporter extends Secret {
  readonly kind = "Exporter";
}

/** One session and its files. */
class Peer {
  readonly #session: Session;
  readonly #outgoing = new Map<string, FileSender>();
  readonly #incoming = new Map<string, FileReceiver>();

  private constructor(session: Session) {
    this.#session = session;
  }

  static async create({ now, bytes, numbers }: Command): Promise<Peer> {
    const given = (name: string): Uint8Array => fromHex(needed(bytes[name]));
    const isInitiator = numbers["is_initiator"] === 1;
    const secrets = {
      sid: given("sid"),
      rootKey: given("root_key"),
      pqRoot: given("pq_root"),
      pqChainA: given("pq_chain_a"),
      pqChainB: given("pq_chain_b"),
    };
    const key = await primitives.x25519Import(given("ratchet_key"));
    const ratchet = isInitiator
      ? Ratchet.initiator(primitives, secrets, key.publicKey, now)
      : Ratchet.responder(primitives, secrets, key, now);
    const [local, remote] = (isInitiator ? ["a", "b"] : ["b", "a"]).map((side) => ({
      account: asAccountId(given(`account_${side}`)),
      device: asDeviceId(given(`account_${side}`).slice(16)),
    })) as [Session["local"], Session["local"]];
    const exporter = new Exporter(given("root_key"));
    const heldList = { version: 1, digest: given("root_key").fill(7) };
    const parts = { primitives, ratchet, sid: secrets.sid, exporter, local, remote, now, heldList };
    return new Peer(new Session(parts));
  }

  async obey({ do: what, now, bytes, numbers }: Command): Promise<object> {
    const session = this.#session;
    const given = (name: string): Uint8Array => fromHex(needed(bytes[name]));
    const number = (name: string): number => needed(numbers[name]);
    const id = bytes["file_id"] ?? "";
    switch (what) {
      case "opening":
        return { frames: [toHex(await session.opening(now))] };
      case "send": {
        const { content } = decodeContent(given("content"));
        if (content.type === "unknown") throw new Error("a content to send that is none");
        const sent = await session.send(content, now);
        return { number: sent.number, frames: sent.frame === null ? [] : [toHex(sent.frame)] };
      }
      case "receive":
        return { events: (await session.receive(given("frame"), now)).map(shown), ...this.#state(now) };
      case "tick": {
        const due = await session.tick(now);
        return { frames: due.frames.map(toHex), events: due.events.map(shown), ...this.#state(now) };
      }
      case "state":
        return this.#state(now);
      case "line down":
        session.lineDown(now);
        return {};
      case "line up":
        return { frames: (await session.lineUp(now)).map(toHex) };
      case "mark read":
        session.markRead(number("number"), now);
        return {};
      case "hang up": {
        const bye = await session.hangUp(now);
        return { frames: bye === null ? [] : [toHex(bye)] };
      }
      case "open file": {
        const key = new FileKey(given("key"));
        const described = {
          fileId: asFileId(given("file_id")),
          key,
          size: number("size"),
          name: "f",
          mediaType: "",
        };
        const offer = { type: "file-offer", ...described } as const;
        if (number("is_ours") === 1) this.#outgoing.set(id, await session.openOutgoing(offer));
        else this.#incoming.set(id, await session.openIncoming(offer));
        return {};
      }
      case "chunk":
        return {
          frames: [toHex(await needed(this.#outgoing.get(id)).chunk(number("index"), given("plaintext")))],
        };
      case "rewind":
        return { frames: needed(this.#outgoing.get(id)).rewind(number("chunk")).map(toHex) };
      case "acknowledge":
        needed(this.#outgoing.get(id)).acknowledge(number("chunk"));
        return { is_done: needed(this.#outgoing.get(id)).isDone };
      case "receive chunk": {
        const receiver = needed(this.#incoming.get(id));
        const plaintext = toHex(await receiver.receive(given("frame")));
        const { nextChunk, isDone, isAckDue } = receiver;
        return { plaintext, next_chunk: nextChunk, is_done: isDone, is_ack_due: isAckDue };
      }
      case "close file":
        session.closeFile(asFileId(given("file_id")));
        return {};
      default:
        throw new Error(`no such command: ${what}`);
    }
  }

  #state(now: number): object {
    const { isEnded, refusedFrames, repeatedFrames, brokenContents } = this.#session;
    return {
      end: this.#session.endReason,
      deadline: isEnded ? null : this.#session.nextDeadline(now),
      can_send: isEnded ? null : this.#session.canSend,
      counts: [refusedFrames, repeatedFrames, brokenContents],
    };
  }
}

function shown(event: Event): object {
  const members: Record<string, unknown> = { type: event.type };
  for (const [name, value] of Object.entries(event)) {
    if (name === "type") continue;
    members[name.replace(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`)] = plain(value);
  }
  return members;
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if ("account" in value) return plain(value.account);
  const content = value as Content;
  return toHex(encodeContent(content, isCounted(content) ? 1 : 0));
}

function needed<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error("a command out of turn, or without a field");
  return value;
}

const peers = new Map<string, Peer>();
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command & { readonly session: string };
  let result: object;
  try {
    if (command.do === "begin") {
      peers.set(command.session, await Peer.create(command));
      result = {};
    } else {
      result = await needed(peers.get(command.session)).obey(command);
    }
  } catch (error) {
    if (!(error instanceof WhispError)) throw error;
    result = { error: error.name };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

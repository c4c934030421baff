/** One side of a WebRTC line with a fake port: everything it said, told and moved. */

import { vi } from "vitest";

import type { Content, IceCandidate, RtcCandidates, RtcOffer } from "../../../core/content/index.ts";
import { asAccountId, asDeviceId } from "../../../core/ids.ts";
import { canonical } from "../../../core/username.ts";
import type { ConversationEvent } from "../../../client/events.ts";
import type { Member } from "../../../client/people.ts";
import { RtcLine, type RtcLineHost } from "../../../client/rtc/line.ts";
import type { IceServers } from "../../../client/rtc/port.ts";
import type { Transport } from "../../../client/transport/transport.ts";
import { FakePort } from "./fake-port.ts";

export const SERVERS: IceServers = { turn: ["turn:t"], stun: ["stun:t"], username: "u", credential: "c" };
export const THEIRS = new Uint8Array(32).fill(7);
export const [OWN, PEER] = [
  { ufrag: "ownN", pwd: "o".repeat(22) },
  { ufrag: "peer", pwd: "p".repeat(22) },
];
export const RELAYED: IceCandidate = {
  kind: 3,
  priority: 1,
  address: Uint8Array.of(203, 0, 113, 5),
  port: 49_160,
};
export const HOST: IceCandidate = { ...RELAYED, kind: 1 };
export const REFLEXIVE: IceCandidate = { ...RELAYED, kind: 2 };

export function member(byte: number): Member {
  return {
    username: canonical(`member-${byte}`),
    account: asAccountId(new Uint8Array(32).fill(byte)),
    device: asDeviceId(new Uint8Array(16).fill(byte)),
  };
}

/** One side with a fake port, and everything it said, told and moved. */
export class Side implements RtcLineHost {
  readonly own: Member;
  readonly peer: Member;
  readonly isWeb: boolean;
  readonly port = new FakePort();
  readonly said: Content[] = [];
  readonly told: ConversationEvent["type"][] = [];
  readonly moves: string[] = [];
  readonly frames: Uint8Array[] = [];
  readonly line: RtcLine;
  allowDirect = false;
  mayUseLoopback = false;
  servers: IceServers | null | "unreachable" = SERVERS;
  asked = 0;
  #tokens = 0;

  constructor(offers: boolean, parts: { isWeb?: boolean; hasRtc?: boolean } = {}) {
    [this.own, this.peer] = offers ? [member(1), member(2)] : [member(2), member(1)];
    this.isWeb = parts.isWeb ?? true;
    const terms = parts.hasRtc === false ? null : { port: this.port, fingerprint: THEIRS };
    this.line = new RtcLine(this, terms);
  }

  random(length: number): Uint8Array {
    return new Uint8Array(length).fill(100 + ++this.#tokens);
  }

  async turnCredentials(): Promise<IceServers | null> {
    this.asked += 1;
    if (this.servers === "unreachable") throw new Error("no network");
    return Promise.resolve(this.servers);
  }

  sendSoon(content: Content): void {
    this.said.push(content);
  }

  tell(event: ConversationEvent): void {
    this.told.push(event.type);
  }

  lineOpened(_transport: Transport, policy: number): (frame: Uint8Array) => void {
    this.moves.push(policy === 2 ? "direct" : "turn");
    return (frame) => this.frames.push(frame);
  }

  lineLost(): void {
    this.moves.push("relay");
  }

  tampered(): void {
    this.moves.push("tampered");
  }

  /** What was said last, of a type. */
  last<K extends Content["type"]>(type: K): Extract<Content, { readonly type: K }> {
    const found = this.said.filter((content) => content.type === type).at(-1);
    if (found === undefined) throw new Error(`no ${type} was said`);
    return found as Extract<Content, { readonly type: K }>;
  }

  count(type: Content["type"]): number {
    return this.said.filter((content) => content.type === type).length;
  }
}

export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

export async function pass(seconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(seconds * 1000);
}

export function offer(change: Partial<RtcOffer> = {}): RtcOffer {
  return { type: "rtc-offer", token: new Uint8Array(16).fill(9), policy: 1, ...PEER, ...change };
}

export function candidates(...list: IceCandidate[]): RtcCandidates {
  return { type: "rtc-candidates", token: new Uint8Array(16).fill(9), ufrag: PEER.ufrag, candidates: list };
}

/** The offering side with an open line. */
export async function offered(parts: ConstructorParameters<typeof Side>[1] = {}): Promise<Side> {
  const side = new Side(true, parts);
  side.line.start();
  await settle();
  side.port.last.events.described(OWN);
  side.line.receive({ ...side.last("rtc-offer"), type: "rtc-answer", ...PEER });
  side.port.last.events.changed("open");
  return side;
}

/** The answering side, with the same. */
export async function answering(parts: ConstructorParameters<typeof Side>[1] = {}): Promise<Side> {
  const side = new Side(false, parts);
  side.line.start();
  side.line.receive(offer());
  await settle();
  side.port.last.events.described(OWN);
  side.port.last.events.changed("open");
  return side;
}

/** Both consent. */
export function agree(side: Side): void {
  side.line.requestDirect();
  side.line.receiveConsent(true);
}

/** A page with nothing but a worker's client on it, for scripts to drive from outside. */

import type { CallEvent, PageEvent } from "../../../client/messages.ts";
import { WhispWorker, type WorkerPart } from "../../../client/page.ts";
import { Bare } from "./bare.ts";

interface Stats {
  readonly type: string;
  readonly id: string;
  readonly candidateType?: string;
  readonly selectedCandidatePairId?: string;
  readonly localCandidateId?: string;
  readonly remoteCandidateId?: string;
}

interface Peer {
  readonly connectionState: string;
  getStats(): Promise<Iterable<readonly [string, Stats]>>;
  close(): void;
}

interface Harness {
  RTCPeerConnection?: new (configuration: object) => Peer;
  whisp: object;
}

const page = globalThis as unknown as Harness;
const peers: Peer[] = [];
const made: object[] = [];
const Original = page.RTCPeerConnection;
if (Original !== undefined) {
  page.RTCPeerConnection = class extends Original {
    constructor(configuration: object) {
      super(configuration);
      peers.push(this);
      made.push(configuration);
    }
  };
}

const events: PageEvent[] = [];
const worker = new Worker("/harness/worker.js", { type: "module" }) as unknown as WorkerPart;
const whisp = new WhispWorker(worker, location.origin, (event) => {
  events.push(event);
});

/** Waits for an event that nobody took yet. */
async function next(type: string, isCall: boolean): Promise<PageEvent | CallEvent> {
  const until = performance.now() + 20_000;
  for (;;) {
    const at = events.findIndex((event) =>
      isCall ? event.type === "call" && event.event.type === type : event.type === type,
    );
    const [event] = at < 0 ? [] : events.splice(at, 1);
    if (event !== undefined) return event.type === "call" ? event.event : event;
    if (performance.now() > until) throw new Error(`no ${type} among ${JSON.stringify(events)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

page.whisp = {
  bare: Original === undefined ? null : new Bare(Original, {}),
  peers,
  made,
  events,
  ask: async (name: "login", ...args: []) => whisp.ask(name, ...args),
  panic: () => {
    whisp.panic();
  },
  next: async (type: string) => next(type, false),
  nextOf: async (type: string) => next(type, true),
  /** A file whose bytes both pages know, as `sendFile` takes one. */
  send: async (call: number, size: number) => {
    const block = Uint8Array.from({ length: 65_521 }, (_, i) => (i * 31) & 0xff);
    const blocks = Array.from({ length: Math.ceil(size / block.length) }, () => block);
    const blob = new Blob(blocks).slice(0, size);
    return whisp.ask("sendFile", call, { blob, name: "file.bin", mediaType: "" });
  },
  /** The types of all candidates, and of the pair that is used. */
  candidates: async () => {
    const found: { all: string[]; used: (string | undefined)[] }[] = [];
    for (const peer of peers) {
      if (peer.connectionState === "closed") continue;
      const stats = new Map(await peer.getStats());
      const all = [...stats.values()].filter(({ type }) => type.endsWith("-candidate"));
      const transport = [...stats.values()].find(({ type }) => type === "transport");
      const pair = stats.get(transport?.selectedCandidatePairId ?? "");
      const used = [pair?.localCandidateId, pair?.remoteCandidateId].map(
        (id) => stats.get(id ?? "")?.candidateType,
      );
      found.push({ all: all.map(({ type, candidateType }) => `${type} ${candidateType ?? ""}`), used });
    }
    return found;
  },
};

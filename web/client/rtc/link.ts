/** The worker's end of the page's WebRTC: each port and connection is a number, everything else a message. */

import type { IceCandidate } from "../../core/content/index.ts";
import { Outcome } from "../outcome.ts";
import { RtcTransport } from "../transport/rtc.ts";
import type { FrameHandler } from "../transport/transport.ts";
import type {
  IceCredentials,
  RtcEvents,
  RtcPeer,
  RtcPort,
  RtcSetup,
  RtcStack,
  RtcToPage,
  RtcToWorker,
} from "./port.ts";

/** How long a page may take to make a certificate: it takes milliseconds, and a call waits for it. */
const PREPARE_MILLISECONDS = 3000;

/** Frames that came before anyone took them: RESUME, and what follows it. */
const MAX_EARLY_FRAMES = 256;

/** What was taken is told in sums, so that it costs nothing; far less than MAX_UNTAKEN_BYTES. */
const TAKEN_BYTES = 1024 * 1024;

type Post = (message: RtcToPage, transfer?: readonly ArrayBuffer[]) => void;

/** All ports of one worker. */
export class RtcLink implements RtcStack {
  readonly #post: Post;
  readonly #preparing = new Map<number, Outcome<Uint8Array | null>>();
  readonly #peers = new Map<number, LinkedPeer>();
  #lastId = 0;

  constructor(post: Post) {
    this.#post = post;
  }

  async prepare(): Promise<RtcPort | null> {
    const call = ++this.#lastId;
    const prepared = new Outcome<Uint8Array | null>();
    this.#preparing.set(call, prepared);
    this.#post({ do: "prepare", call });
    const late = setTimeout(() => {
      prepared.succeed(null);
    }, PREPARE_MILLISECONDS);
    const fingerprint = await prepared.promise;
    clearTimeout(late);
    this.#preparing.delete(call);
    if (fingerprint === null) {
      this.#post({ do: "forget", call });
      return null;
    }
    return this.#port(call, fingerprint);
  }

  /** Takes what the page says. What concerns no connection is late, and ignored. */
  take(message: RtcToWorker): void {
    if (message.is === "prepared") this.#preparing.get(message.call)?.succeed(message.fingerprint);
    else this.#peers.get(message.peer)?.take(message);
  }

  #port(call: number, fingerprint: Uint8Array): RtcPort {
    const peers = new Set<RtcPeer>();
    return {
      fingerprint,
      connect: (setup: RtcSetup, events: RtcEvents): RtcPeer => {
        const id = ++this.#lastId;
        const peer = new LinkedPeer(id, events, this.#post, () => {
          this.#peers.delete(id);
          peers.delete(peer);
        });
        this.#peers.set(id, peer);
        peers.add(peer);
        this.#post({ do: "connect", call, peer: id, setup });
        return peer;
      },
      close: (): void => {
        for (const peer of [...peers]) peer.close();
        this.#post({ do: "forget", call });
      },
    };
  }
}

class LinkedPeer implements RtcPeer {
  readonly transport: RtcTransport;
  readonly #id: number;
  readonly #events: RtcEvents;
  readonly #post: Post;
  readonly #closed: () => void;
  #early: Uint8Array[] = [];
  #handler: FrameHandler | null = null;
  #took = 0;
  #isClosed = false;

  constructor(id: number, events: RtcEvents, post: Post, closed: () => void) {
    this.#id = id;
    this.#events = events;
    this.#post = post;
    this.#closed = closed;
    this.transport = new RtcTransport((frame) => {
      post({ do: "send", peer: id, frames: [frame] }, [frame]);
    });
  }

  answered(remote: IceCredentials): void {
    this.#say({ do: "answered", peer: this.#id, remote });
  }

  restart(remote: IceCredentials | null): void {
    this.#say({ do: "restart", peer: this.#id, remote });
  }

  add(candidates: readonly IceCandidate[]): void {
    this.#say({ do: "add", peer: this.#id, candidates });
  }

  deliverTo(handler: FrameHandler): void {
    this.#handler = handler;
    const early = this.#early;
    this.#early = [];
    for (const frame of early) handler(frame);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#say({ do: "close", peer: this.#id });
    this.#isClosed = true;
    this.#early = [];
    this.#handler = null;
    this.transport.close();
    this.#closed();
  }

  take(message: Exclude<RtcToWorker, { readonly is: "prepared" }>): void {
    switch (message.is) {
      case "described":
        this.#events.described(message.own);
        break;
      case "gathered":
        this.#events.gathered(message.ufrag, message.candidates);
        break;
      case "changed":
        this.#events.changed(message.state);
        break;
      case "sent":
        this.transport.sent(message.bytes);
        break;
      case "arrived":
        this.#arrived(message.frames);
        break;
    }
  }

  #arrived(frames: readonly ArrayBuffer[]): void {
    let bytes = 0;
    for (const buffer of frames) {
      bytes += buffer.byteLength;
      const frame = new Uint8Array(buffer);
      if (this.#handler !== null) this.#handler(frame);
      else if (this.#early.length < MAX_EARLY_FRAMES) this.#early.push(frame);
    }
    this.#took += bytes;
    if (this.#took < TAKEN_BYTES) return;
    this.#say({ do: "took", peer: this.#id, bytes: this.#took });
    this.#took = 0;
  }

  #say(message: RtcToPage): void {
    if (!this.#isClosed) this.#post(message);
  }
}

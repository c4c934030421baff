/** The page's half of WebRTC: certificates, connections, and frames to and from the worker. */

import { MalformedError } from "../../core/errors.ts";
import { type CertificatePart, Connection, type PeerConnectionPart, type RtcPlatform } from "./connection.ts";
import { readFingerprint } from "./description.ts";
import type { RtcToPage, RtcToWorker } from "./port.ts";

type Post = (message: RtcToWorker, transfer?: readonly ArrayBuffer[]) => void;

interface Constructor {
  new (configuration: object): PeerConnectionPart;
  generateCertificate(algorithm: object): Promise<CertificatePart>;
}

/** The WebRTC of the browser that this runs in, null if it has none or a person has switched it off. */
export function browserRtc(): RtcPlatform | null {
  const Found = (globalThis as { readonly RTCPeerConnection?: Constructor }).RTCPeerConnection;
  if (typeof Found?.generateCertificate !== "function") return null;
  return {
    generateCertificate: async () => Found.generateCertificate({ name: "ECDSA", namedCurve: "P-256" }),
    connect: (configuration) => new Found(configuration),
  };
}

/** All certificates and connections of one worker. After `close` it takes nothing any more. */
export class PageRtc {
  readonly #platform: RtcPlatform | null;
  readonly #post: Post;
  readonly #certificates = new Map<number, CertificatePart>();
  readonly #connections = new Map<number, Connection>();
  #isClosed = false;

  constructor(platform: RtcPlatform | null, post: Post) {
    this.#platform = platform;
    this.#post = post;
  }

  /** Takes what the worker says. */
  take(message: RtcToPage): void {
    if (this.#isClosed) return;
    switch (message.do) {
      case "prepare":
        void this.#prepare(message.call);
        break;
      case "forget":
        this.#certificates.delete(message.call);
        break;
      case "connect":
        this.#connect(message);
        break;
      case "answered":
        this.#connections.get(message.peer)?.answered(message.remote);
        break;
      case "restart":
        this.#connections.get(message.peer)?.restart(message.remote);
        break;
      case "add":
        this.#connections.get(message.peer)?.add(message.candidates);
        break;
      case "send":
        this.#connections.get(message.peer)?.send(message.frames);
        break;
      case "took":
        this.#connections.get(message.peer)?.took(message.bytes);
        break;
      case "close":
        this.#connections.get(message.peer)?.closeSoon();
        this.#connections.delete(message.peer);
        break;
    }
  }

  /** Drops every connection and certificate, now. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
    this.#certificates.clear();
  }

  async #prepare(call: number): Promise<void> {
    let fingerprint: Uint8Array | null = null;
    try {
      const certificate = await this.#platform?.generateCertificate();
      if (certificate !== undefined && !this.#isClosed) {
        fingerprint = fingerprintOf(certificate);
        this.#certificates.set(call, certificate);
      }
    } catch {
      fingerprint = null; // no WebRTC here: the blind relay is enough for a call
    }
    if (!this.#isClosed) this.#post({ is: "prepared", call, fingerprint });
  }

  #connect({ call, peer, setup }: Extract<RtcToPage, { readonly do: "connect" }>): void {
    const certificate = this.#certificates.get(call);
    try {
      if (certificate === undefined || this.#platform === null)
        throw new MalformedError("no such certificate");
      const connection = new Connection(this.#platform, certificate, setup, {
        described: (own) => {
          this.#post({ is: "described", peer, own });
        },
        gathered: (ufrag, candidates) => {
          this.#post({ is: "gathered", peer, ufrag, candidates });
        },
        changed: (state) => {
          this.#post({ is: "changed", peer, state });
        },
        arrived: (frame) => {
          this.#post({ is: "arrived", peer, frames: [frame] }, [frame]);
        },
        sent: (bytes) => {
          this.#post({ is: "sent", peer, bytes });
        },
      });
      this.#connections.set(peer, connection);
    } catch {
      this.#post({ is: "changed", peer, state: "closed" }); // a server whose addresses the browser refuses
    }
  }
}

function fingerprintOf(certificate: CertificatePart): Uint8Array {
  const found = certificate
    .getFingerprints?.()
    .find(({ algorithm }) => algorithm?.toLowerCase() === "sha-256");
  if (found?.value === undefined) throw new MalformedError("a certificate without a fingerprint");
  return readFingerprint(found.value);
}

/**
 * WebRTC as the worker sees it: typed values and frames. RTCPeerConnection lives in the page, which workers lack.
 *
 * `RtcStack`, `RtcPort` and `RtcPeer` are what the worker asks of it; rtc/link.ts carries them to the page.
 */

import type { IceCandidate, RtcPolicy } from "../../core/content/index.ts";
import type { FrameHandler, Transport } from "../transport/transport.ts";

/** What the handshake carries of a side that speaks WebRTC (spec/lines.md). */
export const RTC_TRANSPORT = "rtc1";

/** TURN and STUN servers, with the credentials of one device in one call. */
export interface IceServers {
  readonly turn: readonly string[];
  readonly stun: readonly string[];
  readonly username: string;
  readonly credential: string;
}

/** What names one side's ICE agent, and lets the other speak to it. */
export interface IceCredentials {
  readonly ufrag: string;
  readonly pwd: string;
}

/** What one connection is made of. */
export interface RtcSetup {
  readonly policy: RtcPolicy;
  /** Null where there are none; under policy 1 nothing can be reached then. */
  readonly servers: IceServers | null;
  /** SHA-256 of the certificate that the peer named in the handshake. */
  readonly fingerprint: Uint8Array;
  /** The peer's, if it offers; null if this side does. */
  readonly remote: IceCredentials | null;
}

/** What becomes of a connection. */
export const RtcState = {
  /** DTLS has verified the fingerprint, and frames travel. */
  OPEN: "open",
  /** ICE hears nothing any more; it may again. */
  SILENT: "silent",
  /** ICE hears something again. */
  HEARD: "heard",
  /** It is over, or never came about. */
  CLOSED: "closed",
  /** Somebody is there, who holds another certificate than the call was made with. */
  TAMPERED: "tampered",
} as const;
export type RtcState = (typeof RtcState)[keyof typeof RtcState];

/** Whom a connection tells. */
export interface RtcEvents {
  /** ICE is ready to be named to the peer: at the beginning, and after each `restart`. */
  described(own: IceCredentials): void;
  /** Candidates of the description with that ufrag; none says that there are no more. */
  gathered(ufrag: string, candidates: readonly IceCandidate[]): void;
  changed(state: RtcState): void;
}

/** One connection at the page. */
export interface RtcPeer {
  readonly transport: Transport;
  /** Takes the answer to what `described` named. */
  answered(remote: IceCredentials): void;
  /** Begins ICE anew under the same certificate; `remote` is the peer's, if it asks for it. */
  restart(remote: IceCredentials | null): void;
  /** Candidates of the peer. */
  add(candidates: readonly IceCandidate[]): void;
  /** Hands frames that arrive to `handler`, those that waited first. */
  deliverTo(handler: FrameHandler): void;
  /** Drops it. Nothing is told any more. */
  close(): void;
}

/** WebRTC for one call: its certificate, and the connections made under it. */
export interface RtcPort {
  /** SHA-256 of this side's certificate, 32 bytes. */
  readonly fingerprint: Uint8Array;
  /** Makes a connection; until now nothing was gathered. */
  connect(setup: RtcSetup, events: RtcEvents): RtcPeer;
  /** Drops all connections, and the certificate. */
  close(): void;
}

/** A platform's WebRTC. */
export interface RtcStack {
  /** Makes a certificate for one call; null where there is no WebRTC. */
  prepare(): Promise<RtcPort | null>;
}

/** What the worker tells the page. `call` and `peer` are numbers of the worker's. */
export type RtcToPage =
  | { readonly do: "prepare" | "forget"; readonly call: number }
  | { readonly do: "connect"; readonly call: number; readonly peer: number; readonly setup: RtcSetup }
  | { readonly do: "answered"; readonly peer: number; readonly remote: IceCredentials }
  | { readonly do: "restart"; readonly peer: number; readonly remote: IceCredentials | null }
  | { readonly do: "add"; readonly peer: number; readonly candidates: readonly IceCandidate[] }
  | { readonly do: "send"; readonly peer: number; readonly frames: readonly ArrayBuffer[] }
  | { readonly do: "took"; readonly peer: number; readonly bytes: number }
  | { readonly do: "close"; readonly peer: number };

/** What the page tells the worker. */
export type RtcToWorker =
  | { readonly is: "prepared"; readonly call: number; readonly fingerprint: Uint8Array | null }
  | { readonly is: "described"; readonly peer: number; readonly own: IceCredentials }
  | {
      readonly is: "gathered";
      readonly peer: number;
      readonly ufrag: string;
      readonly candidates: readonly IceCandidate[];
    }
  | { readonly is: "changed"; readonly peer: number; readonly state: RtcState }
  | { readonly is: "arrived"; readonly peer: number; readonly frames: readonly ArrayBuffer[] }
  | { readonly is: "sent"; readonly peer: number; readonly bytes: number };

/** What may be on its way from the worker to the channel before senders wait, and until when they do. */
export const CREDIT_HIGH_BYTES = 2 * 1024 * 1024;
export const CREDIT_LOW_BYTES = 1024 * 1024;

/** What may be on its way from the channel to the worker. An honest peer's windows of a few files are less. */
export const MAX_UNTAKEN_BYTES = 32 * 1024 * 1024;

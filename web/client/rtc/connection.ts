/** One RTCPeerConnection in the page, for the worker that owns the line. */

import {
  type IceCandidate,
  MAX_CANDIDATES_AT_ONCE,
  CandidateKind,
  RtcPolicy,
} from "../../core/content/index.ts";
import { Serial } from "../../core/serial.ts";
import {
  MAX_MESSAGE_BYTES,
  readCandidate,
  readDescription,
  writeCandidate,
  writeDescription,
} from "./description.ts";
import { type IceCredentials, MAX_UNTAKEN_BYTES, type RtcEvents, type RtcSetup, RtcState } from "./port.ts";

/** What the channel may hold unsent, and when it takes more. */
export const MAX_BUFFERED_BYTES = 1024 * 1024;
export const LOW_BUFFERED_BYTES = 512 * 1024;

/** How long a goodbye may take to leave. */
const FLUSH_MILLISECONDS = 500;

/** Candidates wait so long for others to travel with. */
const GATHER_MILLISECONDS = 20;

/** The parts of a browser's WebRTC that are used here; the names and meanings are W3C's. */
export interface ChannelPart {
  binaryType: string;
  readonly bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  readonly readyState: string;
  onopen: (() => void) | null;
  onclose: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onbufferedamountlow: (() => void) | null;
  send(data: ArrayBuffer): void;
  close(): void;
}

interface DtlsPart {
  readonly state: string;
  readonly iceTransport: { readonly state: string };
  onstatechange: (() => void) | null;
}

interface OwnDescription {
  readonly sdp?: string;
}

export interface PeerConnectionPart {
  readonly iceConnectionState: string;
  readonly connectionState: string;
  readonly sctp: { readonly transport: DtlsPart } | null;
  onicecandidate: ((event: { readonly candidate: { readonly candidate: string } | null }) => void) | null;
  oniceconnectionstatechange: (() => void) | null;
  onconnectionstatechange: (() => void) | null;
  createDataChannel(label: string, options: object): ChannelPart;
  createOffer(options: { readonly iceRestart: boolean }): Promise<OwnDescription>;
  createAnswer(): Promise<OwnDescription>;
  setLocalDescription(description: OwnDescription): Promise<void>;
  setRemoteDescription(description: {
    readonly type: "offer" | "answer";
    readonly sdp: string;
  }): Promise<void>;
  addIceCandidate(candidate: object | null): Promise<void>;
  close(): void;
}

/** A certificate of the browser's; its private key never leaves it. */
export interface CertificatePart {
  getFingerprints?(): readonly { readonly algorithm?: string; readonly value?: string }[];
}

/** What a browser has of WebRTC. */
export interface RtcPlatform {
  generateCertificate(): Promise<CertificatePart>;
  connect(configuration: object): PeerConnectionPart;
}

/** Where frames go that arrived, and how much the channel has taken. */
export interface ConnectionEvents extends RtcEvents {
  arrived(frame: ArrayBuffer): void;
  sent(bytes: number): void;
}

/** One connection. It begins at once; `close` ends it without a word. */
export class Connection {
  readonly #setup: RtcSetup;
  readonly #events: ConnectionEvents;
  readonly #peer: PeerConnectionPart;
  readonly #channel: ChannelPart;
  readonly #turns = new Serial();
  #waiting: ArrayBuffer[] = [];
  #next = 0;
  #untaken = 0;
  #version = 0;
  #candidates = 0;
  #ufrag = "";
  #gathered: IceCandidate[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isGathered = false;
  #isWatched = false;
  #isOpen = false;
  #isSilent = false;
  #isClosed = false;

  constructor(
    platform: RtcPlatform,
    certificate: CertificatePart,
    setup: RtcSetup,
    events: ConnectionEvents,
  ) {
    this.#setup = setup;
    this.#events = events;
    this.#peer = platform.connect({
      certificates: [certificate],
      iceServers: iceServers(setup),
      iceTransportPolicy: setup.policy === RtcPolicy.RELAY_ONLY ? "relay" : "all",
      bundlePolicy: "max-bundle",
      rtcpMuxPolicy: "require",
    });
    this.#channel = this.#peer.createDataChannel("whisp", { negotiated: true, id: 0, ordered: true });
    this.#listen();
    this.restart(setup.remote);
  }

  /** Makes a description: an offer, or the answer to one. The first time, and to begin ICE anew. */
  restart(remote: IceCredentials | null): void {
    this.#do(async () => {
      this.#flush();
      if (remote !== null) await this.#setRemote("offer", remote);
      const own =
        remote === null
          ? await this.#peer.createOffer({ iceRestart: this.#version > 0 })
          : await this.#peer.createAnswer();
      this.#version += 1;
      const credentials = readDescription(own.sdp ?? "");
      this.#ufrag = credentials.ufrag;
      this.#isGathered = false;
      this.#events.described(credentials); // before the browser gathers: candidates come after their description
      await this.#peer.setLocalDescription(own);
    });
  }

  /** Takes the peer's answer. */
  answered(remote: IceCredentials): void {
    this.#do(async () => this.#setRemote("answer", remote));
  }

  /** Takes candidates of the peer; one that cannot be used is left out. */
  add(candidates: readonly IceCandidate[]): void {
    this.#do(async () => {
      for (const candidate of candidates) {
        const line = writeCandidate(candidate, this.#candidates++);
        await this.#peer.addIceCandidate({ candidate: line, sdpMid: "0" }).catch(() => undefined);
      }
    });
  }

  /** Sends frames, when the channel has room. */
  send(frames: readonly ArrayBuffer[]): void {
    if (this.#isClosed) return;
    for (const frame of frames) this.#waiting.push(frame);
    this.#sendWaiting();
  }

  /** The worker has taken so many bytes of what arrived. */
  took(bytes: number): void {
    this.#untaken -= bytes;
  }

  /** Ends it when what is queued has left, a goodbye perhaps; waits for that half a second at most. */
  closeSoon(): void {
    const peer = this.#peer;
    const channel = this.#channel;
    if (this.#isClosed || channel.readyState !== "open") {
      this.close();
      return;
    }
    const last = this.#waiting.slice(this.#next);
    this.#silence();
    const late = setTimeout(() => {
      peer.close();
    }, FLUSH_MILLISECONDS);
    channel.onclose = (): void => {
      clearTimeout(late);
      peer.close();
    };
    try {
      for (const frame of last) channel.send(frame);
      channel.close(); // which browsers do in order, behind what was sent
    } catch {
      peer.close();
    }
  }

  /** Drops it, now. */
  close(): void {
    if (this.#isClosed) return;
    this.#silence();
    this.#peer.close();
  }

  #silence(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#waiting = [];
    this.#channel.onopen = this.#channel.onclose = null;
    this.#channel.onmessage = null;
    this.#peer.onicecandidate = null;
    this.#peer.oniceconnectionstatechange = this.#peer.onconnectionstatechange = null;
  }

  #listen(): void {
    const peer = this.#peer;
    const channel = this.#channel;
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = LOW_BUFFERED_BYTES;
    channel.onopen = (): void => {
      this.#isOpen = true;
      this.#events.changed(RtcState.OPEN);
      this.#sendWaiting();
    };
    channel.onclose = (): void => {
      this.#over(RtcState.CLOSED);
    };
    channel.onmessage = ({ data }): void => {
      this.#arrived(data);
    };
    channel.onbufferedamountlow = (): void => {
      this.#sendWaiting();
    };
    peer.onicecandidate = ({ candidate }): void => {
      this.#gather(candidate?.candidate ?? "");
    };
    peer.oniceconnectionstatechange = (): void => {
      this.#look();
    };
    peer.onconnectionstatechange = (): void => {
      this.#look();
    };
  }

  /** Runs one step of the negotiation after those before; a step that fails ends the connection. */
  #do(step: () => Promise<void>): void {
    this.#turns
      .run(async () => {
        if (!this.#isClosed) await step();
        this.#watchDtls();
      })
      .catch(() => {
        this.#over(RtcState.CLOSED);
      });
  }

  async #setRemote(type: "offer" | "answer", remote: IceCredentials): Promise<void> {
    const sdp = writeDescription(type, remote, this.#setup.fingerprint, this.#version + 1);
    await this.#peer.setRemoteDescription({ type, sdp });
  }

  #watchDtls(): void {
    const dtls = this.#peer.sctp?.transport;
    if (dtls === undefined || this.#isWatched) return;
    this.#isWatched = true;
    dtls.onstatechange = (): void => {
      this.#look();
    };
  }

  #look(): void {
    if (this.#isClosed) return;
    const { iceConnectionState: ice, connectionState } = this.#peer;
    const isHeard = ice === "connected" || ice === "completed";
    const dtls = this.#peer.sctp?.transport.state;
    // Once open, the certificate is known to be right. ICE that comes back is heard of before the whole connection
    // stops being "failed".
    if (!this.#isOpen && (dtls === "failed" || (connectionState === "failed" && isHeard))) {
      this.#over(isHeard ? RtcState.TAMPERED : RtcState.CLOSED);
    } else if (dtls === "failed")
      this.#over(RtcState.CLOSED); // the certificate was the right one
    else if (ice === "closed" || dtls === "closed") this.#over(RtcState.CLOSED);
    else if (ice === "failed" && !this.#isOpen) this.#over(RtcState.CLOSED);
    else if ((ice === "disconnected" || ice === "failed") && this.#isOpen && !this.#isSilent) {
      this.#isSilent = true;
      this.#events.changed(RtcState.SILENT);
    } else if (isHeard && this.#isSilent) {
      this.#isSilent = false;
      this.#events.changed(RtcState.HEARD);
    }
  }

  #over(state: RtcState): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.changed(state);
  }

  #gather(line: string): void {
    if (this.#isClosed) return;
    if (line === "") {
      // null, or the empty candidate that ends a generation: some browsers give both
      if (!this.#isGathered) this.#flush(true);
      return;
    }
    const read = readCandidate(line);
    if (read === null || (read.ufrag !== null && read.ufrag !== this.#ufrag)) return;
    const isAllowed = this.#setup.policy === RtcPolicy.ALL || read.candidate.kind === CandidateKind.RELAYED;
    if (!isAllowed) return;
    this.#gathered.push(read.candidate);
    this.#timer ??= setTimeout(() => {
      this.#flush();
    }, GATHER_MILLISECONDS);
  }

  #flush(isLast = false): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#gathered.length > 0) {
      this.#events.gathered(this.#ufrag, this.#gathered.splice(0, MAX_CANDIDATES_AT_ONCE));
    }
    this.#isGathered = isLast;
    if (isLast) this.#events.gathered(this.#ufrag, []);
  }

  #arrived(data: unknown): void {
    if (this.#isClosed) return;
    // no honest peer sends anything else; and what the worker does not take must not pile up here
    const isFrame =
      data instanceof ArrayBuffer && data.byteLength > 0 && data.byteLength <= MAX_MESSAGE_BYTES;
    if (!isFrame || this.#untaken + data.byteLength > MAX_UNTAKEN_BYTES) {
      this.#over(RtcState.CLOSED);
      return;
    }
    this.#untaken += data.byteLength;
    this.#events.arrived(data);
  }

  #sendWaiting(): void {
    if (this.#isClosed || this.#channel.readyState !== "open") return;
    let bytes = 0;
    while (this.#next < this.#waiting.length) {
      const frame = this.#waiting[this.#next];
      if (frame === undefined || this.#channel.bufferedAmount + frame.byteLength > MAX_BUFFERED_BYTES) break;
      try {
        this.#channel.send(frame);
      } catch {
        this.#over(RtcState.CLOSED);
        return;
      }
      bytes += frame.byteLength;
      this.#next += 1;
    }
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    }
    if (bytes > 0) this.#events.sent(bytes);
  }
}

/** Under policy 1 nothing but TURN servers, so that nothing can leave towards a STUN server. */
function iceServers({ servers, policy }: RtcSetup): object[] {
  if (servers === null) return [];
  const { turn, stun, username, credential } = servers;
  const relays = turn.length > 0 ? [{ urls: [...turn], username, credential }] : [];
  return policy === RtcPolicy.ALL && stun.length > 0 ? [...relays, { urls: [...stun] }] : relays;
}

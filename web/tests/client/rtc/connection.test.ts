import { describe, expect, it, vi } from "vitest";

import { RtcLink } from "../../../client/rtc/link.ts";
import type { ChannelPart, PeerConnectionPart, RtcPlatform } from "../../../client/rtc/connection.ts";
import { PageRtc } from "../../../client/rtc/page.ts";
import { MAX_UNTAKEN_BYTES, type RtcEvents, type RtcPeer, type RtcSetup } from "../../../client/rtc/port.ts";

const SDP =
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:ownN\r\na=ice-pwd:oooooooooooooooooooooo\r\n";
const SERVERS = { turn: ["turn:t:1"], stun: ["stun:s:1"], username: "u", credential: "c" };
const REMOTE = { ufrag: "peer", pwd: "p".repeat(22) };

class FakeChannel implements ChannelPart {
  binaryType = "";
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  readyState = "connecting";
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onbufferedamountlow: (() => void) | null = null;
  readonly sent: ArrayBuffer[] = [];

  send(data: ArrayBuffer): void {
    this.sent.push(data);
    this.bufferedAmount += data.byteLength;
  }

  close(): void {
    this.readyState = "closed";
  }
}

class FakeConnection implements PeerConnectionPart {
  iceConnectionState = "new";
  connectionState = "new";
  readonly sctp = {
    transport: { state: "new", iceTransport: { state: "new" }, onstatechange: null as (() => void) | null },
  };
  onicecandidate: ((event: { candidate: { candidate: string } | null }) => void) | null = null;
  oniceconnectionstatechange: (() => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  readonly channel = new FakeChannel();
  readonly configuration: Record<string, unknown>;
  readonly steps: unknown[] = [];
  isClosed = false;

  constructor(configuration: object) {
    this.configuration = configuration as Record<string, unknown>;
  }

  createDataChannel(label: string, options: object): ChannelPart {
    this.steps.push([label, options]);
    return this.channel;
  }

  async createOffer(options: { iceRestart: boolean }): Promise<{ sdp: string }> {
    this.steps.push(["offer", options.iceRestart]);
    return Promise.resolve({ sdp: SDP });
  }

  async createAnswer(): Promise<{ sdp: string }> {
    this.steps.push(["answer"]);
    return Promise.resolve({ sdp: SDP });
  }

  async setLocalDescription(): Promise<void> {
    this.steps.push(["local"]);
    return Promise.resolve();
  }

  async setRemoteDescription({ type, sdp }: { type: string; sdp: string }): Promise<void> {
    this.steps.push(["remote", type, /ice-ufrag:(.*)\r/u.exec(sdp)?.[1]]);
    return Promise.resolve();
  }

  async addIceCandidate(candidate: object | null): Promise<void> {
    this.steps.push(candidate);
    return Promise.resolve();
  }

  close(): void {
    this.isClosed = true;
  }

  /** The states that a browser would show. */
  turn(ice: string, dtls = "new", whole = "new"): void {
    this.iceConnectionState = ice;
    this.sctp.transport.state = dtls;
    this.connectionState = whole;
    this.oniceconnectionstatechange?.();
  }
}

/** Both halves in one thread, with what lies between them cloned and transferred as between threads. */
class Wire {
  readonly connections: FakeConnection[] = [];
  readonly told: unknown[] = [];
  readonly page: PageRtc;
  readonly link: RtcLink;
  hasCertificates = true;

  constructor() {
    const platform: RtcPlatform = {
      generateCertificate: async () => {
        if (!this.hasCertificates) throw new Error("switched off");
        const value = Array.from({ length: 32 }, () => "AB").join(":");
        return Promise.resolve({ getFingerprints: () => [{ algorithm: "sha-256", value }] });
      },
      connect: (configuration) => {
        const made = new FakeConnection(configuration);
        this.connections.push(made);
        return made;
      },
    };
    this.page = new PageRtc(platform, (message, transfer = []) => {
      this.link.take(structuredClone(message, { transfer: [...transfer] }));
    });
    this.link = new RtcLink((message, transfer = []) => {
      this.page.take(structuredClone(message, { transfer: [...transfer] }));
    });
  }

  get events(): RtcEvents {
    return {
      described: (own) => this.told.push(own),
      gathered: (ufrag, candidates) => this.told.push([ufrag, candidates.map(({ kind }) => kind)]),
      changed: (state) => this.told.push(state),
    };
  }

  async connect(change: Partial<RtcSetup> = {}): Promise<[RtcPeer, FakeConnection]> {
    const port = await this.link.prepare();
    if (port === null) throw new Error("no certificate");
    const setup = {
      policy: 1,
      servers: SERVERS,
      fingerprint: new Uint8Array(32),
      remote: null,
      ...change,
    } as const;
    const peer = port.connect(setup, this.events);
    const connection = this.connections.at(-1);
    if (connection === undefined) throw new Error("no connection");
    await vi.waitFor(() => {
      expect(connection.steps).toContainEqual(["local"]);
    });
    return [peer, connection];
  }

  async open(): Promise<[RtcPeer, FakeConnection]> {
    const [peer, connection] = await this.connect();
    connection.channel.readyState = "open";
    connection.channel.onopen?.();
    return [peer, connection];
  }
}

async function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

describe("a connection at the page", () => {
  it("uses TURN alone under policy 1, and has one negotiated channel", async () => {
    const wire = new Wire();
    const [, connection] = await wire.connect();
    expect(connection.configuration).toMatchObject({
      iceTransportPolicy: "relay",
      iceServers: [{ urls: ["turn:t:1"], username: "u", credential: "c" }],
    });
    expect(connection.configuration["certificates"]).toHaveLength(1);
    expect(connection.steps[0]).toEqual(["whisp", { negotiated: true, id: 0, ordered: true }]);
    const [, direct] = await wire.connect({ policy: 2 });
    expect(direct.configuration).toMatchObject({ iceTransportPolicy: "all" });
    expect(direct.configuration["iceServers"]).toHaveLength(2);
    const [, bare] = await wire.connect({ policy: 2, servers: null });
    expect(bare.configuration["iceServers"]).toEqual([]);
  });

  it("goes through offer, answer and restart in order", async () => {
    const wire = new Wire();
    const [peer, connection] = await wire.connect();
    expect(wire.told).toEqual([{ ufrag: "ownN", pwd: "o".repeat(22) }]);
    peer.answered(REMOTE);
    peer.add([{ kind: 3, priority: 5, address: Uint8Array.of(203, 0, 113, 5), port: 9 }]);
    peer.restart(null);
    await soon();
    await soon();
    expect(connection.steps.slice(1)).toEqual([
      ["offer", false],
      ["local"],
      ["remote", "answer", "peer"],
      { candidate: "candidate:0 1 udp 5 203.0.113.5 9 typ relay raddr 0.0.0.0 rport 9", sdpMid: "0" },
      ["offer", true],
      ["local"],
    ]);
    const [, answering] = await wire.connect({ remote: REMOTE });
    expect(answering.steps.slice(1)).toEqual([["remote", "offer", "peer"], ["answer"], ["local"]]);
  });

  it("tells relayed candidates under policy 1 and no others, in batches, and their end once", async () => {
    const wire = new Wire();
    const [, connection] = await wire.connect();
    wire.told.length = 0;
    const line = (type: string, ufrag = "ownN"): { candidate: { candidate: string } } => ({
      candidate: { candidate: `candidate:1 1 udp 1 192.0.2.7 9 typ ${type} ufrag ${ufrag}` },
    });
    for (const type of ["host", "srflx", "relay"]) connection.onicecandidate?.(line(type));
    connection.onicecandidate?.(line("relay", "else"));
    connection.onicecandidate?.({ candidate: { candidate: "" } });
    connection.onicecandidate?.({ candidate: null });
    expect(wire.told).toEqual([
      ["ownN", [3]],
      ["ownN", []],
    ]);
  });

  it("tells an impostor from a line that broke", async () => {
    const impostor = new Wire();
    const [, one] = await impostor.connect();
    one.turn("connected", "failed", "failed");
    expect(impostor.told.at(-1)).toBe("tampered");
    expect(one.isClosed).toBe(true);
    const broken = new Wire();
    const [, other] = await broken.connect();
    other.turn("failed", "new", "failed");
    expect(broken.told.at(-1)).toBe("closed");
    const silent = new Wire();
    const [, third] = await silent.open();
    third.turn("disconnected");
    third.turn("failed");
    third.turn("connected", "connected", "failed"); // the whole is told of a restart that worked a little later
    third.turn("connected", "connected", "connected");
    expect(silent.told.slice(-3)).toEqual(["open", "silent", "heard"]);
    third.channel.onclose?.();
    expect(silent.told.at(-1)).toBe("closed");
    const gone = new Wire();
    const [, fourth] = await gone.open();
    fourth.turn("connected", "failed", "failed");
    expect(gone.told.at(-1)).toBe("closed");
  });

  it("keeps what the channel buffers under 1 MiB, and tells senders when to wait", async () => {
    const wire = new Wire();
    const [peer, { channel }] = await wire.open();
    const frame = new Uint8Array(256 * 1024).fill(3);
    for (let times = 0; times < 12; times++) peer.transport.send(frame);
    expect(channel.sent.length).toBe(4);
    expect(peer.transport.isFull).toBe(true);
    let isDrained = false;
    const draining = peer.transport.drain().then(() => {
      isDrained = true;
    });
    for (let times = 0; times < 2; times++) {
      await soon();
      expect(isDrained).toBe(times > 0);
      channel.bufferedAmount = 0;
      channel.onbufferedamountlow?.();
    }
    await draining;
    expect(channel.sent.length).toBe(12);
    expect(frame[0]).toBe(3); // a frame that is kept was copied
    channel.bufferedAmount = 0;
    peer.transport.send(Uint8Array.of(1), true);
    expect(new Uint8Array(channel.sent.at(-1) ?? new ArrayBuffer())).toEqual(Uint8Array.of(1));
  });

  it("hands frames on in order, those that waited first, and drops a line that floods or sends texts", async () => {
    const wire = new Wire();
    const [peer, { channel }] = await wire.open();
    const got: number[] = [];
    channel.onmessage?.({ data: Uint8Array.of(1).buffer });
    peer.deliverTo((frame) => got.push(frame[0] ?? 0));
    channel.onmessage?.({ data: Uint8Array.of(2).buffer });
    expect(got).toEqual([1, 2]);
    for (const data of ["text", new ArrayBuffer(0), new ArrayBuffer(256 * 1024 + 1), new Blob([])]) {
      const odd = new Wire();
      const [, { channel: hostile }] = await odd.open();
      hostile.onmessage?.({ data });
      expect(odd.told.at(-1)).toBe("closed");
    }
  });

  it("is dropped when the worker takes nothing of what arrives", async () => {
    const wire = new Wire();
    const [, { channel }] = await wire.open();
    vi.spyOn(wire.page, "take").mockImplementation(() => undefined); // so that `took` never comes
    const data = new ArrayBuffer(256 * 1024);
    for (let bytes = 0; bytes < MAX_UNTAKEN_BYTES; bytes += data.byteLength) {
      channel.onmessage?.({ data: data.slice(0) });
    }
    expect(wire.told.at(-1)).toBe("open");
    channel.onmessage?.({ data });
    expect(wire.told.at(-1)).toBe("closed");
  });

  it("is none where the browser has none, or does not let it", async () => {
    const wire = new Wire();
    wire.hasCertificates = false;
    expect(await wire.link.prepare()).toBeNull();
    const without = new PageRtc(null, (message) => {
      link.take(message);
    });
    const link = new RtcLink((message) => {
      without.take(message);
    });
    expect(await link.prepare()).toBeNull();
  });

  it("lets a goodbye leave before it closes, and waits half a second for that", async () => {
    for (const doesClose of [true, false]) {
      const wire = new Wire();
      const [peer, connection] = await wire.open();
      const { channel } = connection;
      channel.bufferedAmount = 1024 * 1024; // full: the goodbye waits
      peer.transport.send(Uint8Array.of(9));
      expect(channel.sent).toEqual([]);
      peer.close();
      expect(channel.sent.map((data) => [...new Uint8Array(data)])).toEqual([[9]]);
      expect([channel.readyState, connection.isClosed]).toEqual(["closed", false]);
      if (doesClose) channel.onclose?.();
      else await new Promise((resolve) => setTimeout(resolve, 550));
      expect(connection.isClosed).toBe(true);
    }
  });

  it("closes with its port, at the page too, and says nothing after", async () => {
    const wire = new Wire();
    const port = await wire.link.prepare();
    const setup = { policy: 1, servers: SERVERS, fingerprint: new Uint8Array(32), remote: null } as const;
    port?.connect(setup, wire.events);
    port?.close();
    await soon();
    const [connection] = wire.connections;
    expect(connection?.isClosed).toBe(true);
    expect(wire.told).toEqual([]);
    const [, open] = await wire.open();
    wire.page.close();
    expect(open.isClosed).toBe(true);
  });
});

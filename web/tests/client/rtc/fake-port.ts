/** WebRTC without a browser: connections do what the test says, and everything asked of them is kept. */

import type { IceCandidate } from "../../../core/content/index.ts";
import type { IceCredentials, RtcEvents, RtcPeer, RtcPort, RtcSetup } from "../../../client/rtc/port.ts";
import type { FrameHandler, Transport } from "../../../client/transport/transport.ts";

/** A way out that keeps what is sent. */
export class FakeTransport implements Transport {
  readonly sent: Uint8Array[] = [];
  readonly isFull = false;
  isClosed = false;

  send(frame: Uint8Array): void {
    this.sent.push(frame);
  }

  async drain(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.isClosed = true;
  }
}

/** One connection. */
export class FakePeer implements RtcPeer {
  readonly transport = new FakeTransport();
  readonly setup: RtcSetup;
  readonly events: RtcEvents;
  readonly answers: IceCredentials[] = [];
  readonly restarts: (IceCredentials | null)[] = [];
  readonly added: IceCandidate[] = [];
  handler: FrameHandler | null = null;
  isClosed = false;

  constructor(setup: RtcSetup, events: RtcEvents) {
    this.setup = setup;
    this.events = events;
  }

  answered(remote: IceCredentials): void {
    this.answers.push(remote);
  }

  restart(remote: IceCredentials | null): void {
    this.restarts.push(remote);
  }

  add(candidates: readonly IceCandidate[]): void {
    this.added.push(...candidates);
  }

  deliverTo(handler: FrameHandler): void {
    this.handler = handler;
  }

  close(): void {
    this.isClosed = true;
  }
}

/** One call's WebRTC. */
export class FakePort implements RtcPort {
  readonly fingerprint = new Uint8Array(32).fill(1);
  readonly peers: FakePeer[] = [];
  isClosed = false;

  connect(setup: RtcSetup, events: RtcEvents): FakePeer {
    const peer = new FakePeer(setup, events);
    this.peers.push(peer);
    return peer;
  }

  close(): void {
    this.isClosed = true;
  }

  /** The newest connection. */
  get last(): FakePeer {
    const peer = this.peers.at(-1);
    if (peer === undefined) throw new Error("no connection was made");
    return peer;
  }
}

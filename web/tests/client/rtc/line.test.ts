import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { IceCandidate } from "../../../core/content/index.ts";
import type { RtcState } from "../../../client/rtc/port.ts";
import {
  answering,
  candidates,
  HOST,
  offer,
  offered,
  OWN,
  pass,
  PEER,
  REFLEXIVE,
  RELAYED,
  SERVERS,
  settle,
  Side,
  THEIRS,
} from "./side.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the offering side", () => {
  it("offers, takes the answer, and moves when the channel is open", async () => {
    const side = new Side(true);
    side.line.start();
    expect(side.port.peers).toEqual([]); // nothing is gathered before there are credentials
    await settle();
    const { last } = side.port;
    expect(last.setup).toEqual({ policy: 1, servers: SERVERS, fingerprint: THEIRS, remote: null });
    last.events.described(OWN);
    const { token } = side.last("rtc-offer");
    expect(side.last("rtc-offer")).toEqual({ type: "rtc-offer", token, policy: 1, ...OWN });
    last.events.gathered(OWN.ufrag, [RELAYED]);
    last.events.gathered(OWN.ufrag, []);
    expect(side.said.slice(1)).toEqual([
      { type: "rtc-candidates", token, ufrag: OWN.ufrag, candidates: [RELAYED] },
      { type: "rtc-candidates", token, ufrag: OWN.ufrag, candidates: [] },
    ]);
    side.line.receive({ type: "rtc-answer", token, policy: 1, ...PEER });
    expect(last.answers).toEqual([PEER]);
    side.line.receive({ ...candidates(RELAYED), token });
    expect(last.added).toEqual([RELAYED]);
    expect(side.line.transport).toBeNull();
    last.events.changed("open");
    expect(side.moves).toEqual(["turn"]);
    expect(side.line.transport).toBe(last.transport);
    last.handler?.(Uint8Array.of(1));
    expect(side.frames).toEqual([Uint8Array.of(1)]);
  });

  it("stays on the relay without credentials, and asks again only when it could not ask", async () => {
    const side = new Side(true);
    side.servers = null;
    side.line.start();
    await pass(3600);
    expect([side.asked, side.port.peers.length, side.said.length]).toEqual([1, 0, 0]);
    const other = new Side(true);
    other.servers = "unreachable";
    other.line.start();
    await pass(29);
    expect(other.asked).toBe(1);
    await pass(2);
    expect(other.asked).toBe(2);
  });

  it("gives an attempt 15 s, and waits 30, 60, 120 … 600 s for the next", async () => {
    const side = new Side(true);
    side.line.start();
    await settle();
    const waits: number[] = [];
    for (let times = 1; times <= 7; times++) {
      side.port.last.events.described(OWN);
      await pass(13.5);
      expect(side.count("rtc-close")).toBe(times - 1);
      await pass(1.6);
      expect(side.last("rtc-close").reason).toBe(2);
      expect(side.port.last.isClosed).toBe(true);
      let waited = 0;
      while (side.port.peers.length === times) {
        await pass(1);
        waited += 1;
      }
      waits.push(Math.round(waited / 10) * 10);
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 600, 600]);
  });

  it("tries at once when the network changed", async () => {
    const side = new Side(true);
    side.line.start();
    await pass(16);
    expect(side.port.peers.length).toBe(1);
    side.line.nudge();
    await settle();
    expect(side.port.peers.length).toBe(2);
  });

  it("ignores answers that fit nothing, and offers, which are not the peer's to make", async () => {
    const side = new Side(true);
    side.line.start();
    await settle();
    side.port.last.events.described(OWN);
    const { token } = side.last("rtc-offer");
    const answer = { type: "rtc-answer", token, policy: 1, ...PEER } as const;
    side.line.receive({ ...answer, token: new Uint8Array(16) });
    side.line.receive({ ...answer, policy: 2 });
    side.line.receive({ ...candidates(RELAYED), token }); // before the answer
    side.line.receive(offer());
    await settle();
    expect([side.port.last.answers, side.port.last.added, side.port.peers.length]).toEqual([[], [], 1]);
    side.line.receive(answer);
    side.line.receive({ ...answer, ufrag: "again" });
    side.line.receive({ ...candidates(RELAYED), token, ufrag: "other" });
    expect([side.port.last.answers, side.port.last.added]).toEqual([[PEER], []]);
  });

  it("restarts ICE with a page that went silent, at most four times a minute", async () => {
    const side = await offered();
    const { last } = side.port;
    for (let times = 1; times <= 4; times++) {
      last.events.changed("silent");
      expect(side.moves.at(-1)).toBe("relay");
      expect(side.line.transport).toBeNull();
      expect(last.restarts.length).toBe(times);
      const again = { ufrag: `own${times}`, pwd: OWN.pwd };
      last.events.described(again);
      expect(side.last("rtc-offer")).toMatchObject({ token: side.last("rtc-offer").token, ...again });
      side.line.receive({
        ...side.last("rtc-offer"),
        type: "rtc-answer",
        ufrag: `pee${times}`,
        pwd: PEER.pwd,
      });
      last.events.changed("heard");
      expect(side.moves.at(-1)).toBe("turn");
    }
    expect(new Set(side.said.flatMap((c) => (c.type === "rtc-offer" ? [c.token.join()] : []))).size).toBe(1);
    last.events.changed("silent");
    expect(last.restarts.length).toBe(4);
    expect(last.isClosed).toBe(true);
    expect(side.last("rtc-close").reason).toBe(1);
  });

  it("gives a silent line 15 s to come back", async () => {
    const side = await offered();
    side.port.last.events.changed("silent");
    await pass(15.1);
    expect(side.last("rtc-close").reason).toBe(1);
    expect(side.port.last.isClosed).toBe(true);
    expect(side.moves).toEqual(["turn", "relay"]);
  });

  it("makes a new attempt, with a new token, when a terminal went silent", async () => {
    const side = await offered({ isWeb: false });
    const first = side.last("rtc-offer").token;
    await pass(31);
    side.port.last.events.changed("silent");
    expect(side.last("rtc-close")).toEqual({ type: "rtc-close", token: first, reason: 1 });
    expect(side.moves).toEqual(["turn", "relay"]);
    await pass(1.1);
    side.port.last.events.described(OWN);
    expect(side.last("rtc-offer").token).not.toEqual(first);
  });

  it("takes the peer's word that the line broke", async () => {
    const side = await offered();
    side.line.receive({ type: "rtc-close", token: side.last("rtc-offer").token, reason: 1 });
    expect(side.moves).toEqual(["turn", "relay"]);
    expect(side.count("rtc-close")).toBe(0);
    expect(side.port.last.isClosed).toBe(true);
  });
});

describe("the answering side", () => {
  it("gathers nothing before it is offered a line, and answers under the same token", async () => {
    const side = new Side(false);
    side.line.start();
    await pass(60);
    expect([side.asked, side.port.peers.length]).toEqual([0, 0]);
    side.line.receive(offer());
    await settle();
    expect(side.port.last.setup).toEqual({ policy: 1, servers: SERVERS, fingerprint: THEIRS, remote: PEER });
    side.port.last.events.described(OWN);
    expect(side.said).toEqual([{ ...offer(), type: "rtc-answer", ...OWN }]);
    side.line.receive(candidates(RELAYED));
    expect(side.port.last.added).toEqual([RELAYED]);
    side.port.last.events.changed("open");
    expect(side.moves).toEqual(["turn"]);
  });

  it("says that it cannot without credentials", async () => {
    const side = new Side(false);
    side.servers = null;
    side.line.receive(offer());
    await settle();
    expect(side.said).toEqual([{ type: "rtc-close", token: offer().token, reason: 2 }]);
    expect(side.port.peers).toEqual([]);
  });

  it("s32: leaves out candidates that aim at this machine or at no peer", async () => {
    const side = new Side(false);
    const odd = [
      [127, 0, 0, 1],
      [169, 254, 169, 254],
    ].map((address) => Uint8Array.from(address));
    const early = { ...RELAYED, address: odd[0] ?? RELAYED.address };
    side.line.receive(offer());
    side.line.receive(candidates(early));
    await settle();
    side.line.receive(candidates({ ...RELAYED, address: odd[1] ?? RELAYED.address }));
    side.line.receive(candidates({ ...RELAYED, port: 22 }));
    side.line.receive(candidates(RELAYED));
    expect(side.port.last.added).toEqual([RELAYED]);
  });

  it("ignores candidates before an offer, under another token, of another name", async () => {
    const side = new Side(false);
    side.line.receive(candidates(RELAYED));
    side.line.receive(offer());
    side.line.receive({ ...offer(), type: "rtc-answer", ...OWN });
    await settle();
    side.line.receive({ ...candidates(RELAYED), token: new Uint8Array(16) });
    side.line.receive({ ...candidates(RELAYED), ufrag: "else" });
    expect(side.port.last.added).toEqual([]);
  });

  it("ends an attempt for a candidate that is not relayed, and never sends one", async () => {
    for (const candidate of [HOST, REFLEXIVE]) {
      const side = new Side(false);
      side.line.receive(offer());
      await settle();
      side.port.last.events.described(OWN);
      side.port.last.events.gathered(OWN.ufrag, [candidate, RELAYED]);
      expect(side.last("rtc-candidates").candidates).toEqual([RELAYED]);
      side.line.receive(candidates(RELAYED, candidate));
      expect(side.port.last.added).toEqual([]);
      expect(side.port.last.isClosed).toBe(true);
      expect(side.last("rtc-close").reason).toBe(2);
    }
  });

  it("keeps candidates that come while it asks for credentials, and looks at them as closely", async () => {
    const side = new Side(false);
    side.line.receive(offer());
    side.line.receive(candidates(RELAYED));
    side.line.receive(candidates(RELAYED));
    expect(side.port.peers).toEqual([]);
    await settle();
    expect(side.port.last.added).toEqual([RELAYED, RELAYED]);
    const other = new Side(false);
    other.line.receive(offer());
    other.line.receive(candidates(HOST));
    await settle();
    expect([other.port.peers, other.last("rtc-close").reason]).toEqual([[], 2]);
  });

  it("looks at 32 candidates of a description, and sends as many", async () => {
    const side = new Side(false);
    side.line.receive(offer());
    await settle();
    side.port.last.events.described(OWN);
    const sixteen = new Array<IceCandidate>(16).fill(RELAYED);
    for (let times = 0; times < 100; times++) {
      side.line.receive(candidates(...sixteen));
      side.port.last.events.gathered(OWN.ufrag, sixteen);
    }
    expect(side.port.last.added.length).toBe(32);
    expect(side.count("rtc-candidates")).toBe(2);
  });

  it("has one attempt at a time, and six new offers a minute", async () => {
    const side = new Side(false);
    for (let times = 0; times < 50; times++) {
      side.line.receive(offer({ token: new Uint8Array(16).fill(times) }));
      await settle();
    }
    expect([side.asked, side.port.peers.length]).toEqual([1, 1]);
    for (let times = 0; times < 50; times++) {
      const token = new Uint8Array(16).fill(times);
      side.line.receive(offer({ token }));
      await settle();
      side.line.receive({ type: "rtc-close", token, reason: 2 });
    }
    expect(side.port.peers.length).toBe(6);
    await pass(61);
    side.line.receive(offer({ token: new Uint8Array(16).fill(77) }));
    await settle();
    expect(side.port.peers.length).toBe(7);
  });

  it("answers four restarts a minute, with a new name each", async () => {
    const side = await answering();
    side.line.receive(offer()); // the same name: no restart
    side.line.receive(offer({ ufrag: "new0", policy: 2 })); // another policy: none either
    expect(side.port.last.restarts).toEqual([]);
    for (let times = 0; times < 30; times++) side.line.receive(offer({ ufrag: `re${times}${times}` }));
    expect(side.port.last.restarts.length).toBe(4);
    side.port.last.events.described({ ufrag: "own1", pwd: OWN.pwd });
    expect(side.last("rtc-answer")).toMatchObject({ token: offer().token, ufrag: "own1" });
    expect(side.port.peers.length).toBe(1);
  });

  it("waits for the restart of a page, and tells a terminal at once", async () => {
    const page = await answering();
    page.port.last.events.changed("silent");
    expect([page.moves.at(-1), page.count("rtc-close")]).toEqual(["relay", 0]);
    page.port.last.events.changed("heard");
    expect(page.moves.at(-1)).toBe("turn");
    page.port.last.events.changed("silent");
    await pass(15.1);
    expect(page.last("rtc-close").reason).toBe(1);
    const terminal = await answering({ isWeb: false });
    terminal.port.last.events.changed("silent");
    expect(terminal.last("rtc-close").reason).toBe(1);
    expect(terminal.port.last.isClosed).toBe(true);
    await pass(700);
    expect(terminal.port.peers.length).toBe(1); // the next offer is the other side's to make
  });
});

describe("hostile peers, and ends", () => {
  it("ends the session when somebody else's certificate is there", async () => {
    const side = await answering();
    side.port.last.events.changed("tampered");
    expect(side.moves).toEqual(["turn", "tampered"]);
  });

  it("drops all of it when the conversation is over, also while it waits for credentials", async () => {
    const side = await offered();
    side.line.close();
    expect([side.port.isClosed, side.port.last.isClosed, side.line.transport]).toEqual([true, true, null]);
    const said = side.said.length;
    for (const state of ["silent", "closed", "open", "tampered"] satisfies RtcState[]) {
      side.port.last.events.changed(state);
    }
    side.line.receive(offer());
    side.line.requestDirect();
    side.line.receiveConsent(true);
    side.line.nudge();
    await pass(700);
    expect([side.said.length, side.port.peers.length]).toEqual([said, 1]);
    const waiting = new Side(true);
    waiting.line.start();
    waiting.line.close();
    await settle();
    expect(waiting.port.peers).toEqual([]);
  });

  it("without WebRTC says and does nothing", async () => {
    const side = new Side(false, { hasRtc: false });
    side.line.start();
    side.line.receive(offer());
    await pass(60);
    expect([side.said, side.asked]).toEqual([[], 0]);
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { agree, HOST, offer, offered, OWN, pass, PEER, REFLEXIVE, RELAYED, settle, Side } from "./side.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a direct line", () => {
  it("is refused without both consents, and nothing is gathered", async () => {
    const side = new Side(false);
    side.line.receive(offer({ policy: 2 }));
    side.line.requestDirect();
    side.line.receive(offer({ policy: 2, token: new Uint8Array(16).fill(3) }));
    await settle();
    expect(side.asked).toBe(0);
    expect(side.port.peers).toEqual([]);
    expect(side.last("rtc-close")).toEqual({
      type: "rtc-close",
      token: new Uint8Array(16).fill(3),
      reason: 3,
    });
    expect(side.count("rtc-close")).toBe(2);
  });

  it("is made beside the line there is, which goes when the peer has moved, too", async () => {
    const side = await offered();
    const older = side.port.last;
    side.line.requestDirect();
    expect(side.last("direct-consent").allowed).toBe(true);
    await settle();
    expect(side.port.peers.length).toBe(1);
    side.line.receiveConsent(true);
    await settle();
    expect(side.port.last.setup.policy).toBe(2);
    side.port.last.events.described(OWN);
    side.port.last.events.gathered(OWN.ufrag, [HOST, REFLEXIVE, RELAYED]);
    expect(side.last("rtc-candidates").candidates.length).toBe(3);
    side.line.receive({ ...side.last("rtc-offer"), type: "rtc-answer", ...PEER });
    side.port.last.events.changed("open");
    expect(side.moves).toEqual(["turn", "direct"]);
    expect(side.line.policy).toBe(2);
    older.handler?.(Uint8Array.of(1));
    expect([older.isClosed, side.frames.length]).toEqual([false, 1]);
    side.port.last.handler?.(Uint8Array.of(2));
    expect(older.isClosed).toBe(true);
  });

  it("drops the older line after a while even if the peer says nothing", async () => {
    const side = await offered();
    const older = side.port.last;
    agree(side);
    await settle();
    side.port.last.events.described(OWN);
    side.port.last.events.changed("open");
    await pass(5.1);
    expect(older.isClosed).toBe(true);
  });

  it("gives up an attempt over TURN for it", async () => {
    const side = new Side(true);
    side.line.start();
    await settle();
    const first = side.port.last;
    first.events.described(OWN);
    agree(side);
    await settle();
    expect(first.isClosed).toBe(true);
    expect(side.last("rtc-close").reason).toBe(3);
    expect(side.port.last.setup.policy).toBe(2);
  });

  it("needs no credentials, only addresses", async () => {
    const side = new Side(true);
    side.servers = null;
    agree(side);
    await settle();
    expect(side.port.last.setup).toMatchObject({ policy: 2, servers: null });
  });

  it("asks the person, unless its option says yes; at most eight times", () => {
    const side = new Side(false);
    side.line.receiveConsent(true);
    expect([side.told, side.said]).toEqual([["direct-requested"], []]);
    side.line.receiveConsent(true);
    expect(side.told.length).toBe(1);
    side.line.answerDirect(false);
    expect(side.last("direct-consent").allowed).toBe(false);
    for (let times = 0; times < 50; times++) {
      side.line.receiveConsent(true);
      side.line.receiveConsent(false);
    }
    expect(side.told.length).toBe(8);
    const open = new Side(false);
    open.allowDirect = true;
    open.line.receiveConsent(true);
    expect([open.told, open.last("direct-consent").allowed]).toEqual([[], true]);
  });

  it("is refused: by the peer, by silence, by no way, and without WebRTC", async () => {
    const refused = await offered();
    refused.line.requestDirect();
    refused.line.receiveConsent(false);
    expect(refused.told).toEqual(["direct-refused"]);
    const silent = await offered();
    silent.line.requestDirect();
    await pass(60.1);
    expect([silent.told, silent.last("direct-consent").allowed]).toEqual([["direct-refused"], false]);
    const wayless = await offered();
    agree(wayless);
    await settle();
    wayless.port.last.events.described(OWN);
    await pass(15.1);
    expect([wayless.told, wayless.moves]).toEqual([["direct-refused"], ["turn"]]); // TURN stays
    expect(wayless.last("direct-consent").allowed).toBe(false);
    const without = new Side(true, { hasRtc: false });
    without.allowDirect = true;
    without.line.requestDirect();
    without.line.receiveConsent(true);
    expect([without.told, without.said]).toEqual([
      ["direct-refused"],
      [{ type: "direct-consent", allowed: false }],
    ]);
  });

  it.each([
    [
      "the peer",
      (side: Side) => {
        side.line.receiveConsent(false);
      },
    ],
    [
      "the person here",
      (side: Side) => {
        side.line.answerDirect(false);
      },
    ],
  ])("goes when %s takes the yes back, and TURN comes after", async (_who, takeBack) => {
    const side = new Side(true);
    agree(side);
    await settle();
    side.port.last.events.described(OWN);
    side.port.last.events.changed("open");
    expect(side.moves).toEqual(["direct"]);
    const direct = side.port.last;
    takeBack(side);
    expect(direct.isClosed).toBe(true);
    expect(side.moves).toEqual(["direct", "relay"]);
    expect(side.last("rtc-close").reason).toBe(3);
    await settle();
    expect(side.port.last.setup.policy).toBe(1);
  });
});

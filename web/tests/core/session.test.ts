import { inspect } from "node:util";

import { beforeEach, describe, expect, test } from "vitest";

import type { Content } from "../../core/content/index.ts";
import { DecryptionError, LocalProtocolError, SessionEndedError } from "../../core/errors.ts";
import type { Event } from "../../core/events.ts";
import { FileKey, newFileId } from "../../core/file-key.ts";
import { GAP_SECONDS } from "../../core/inbox.ts";
import { HOLD_SECONDS } from "../../core/limits.ts";
import type { MessageRatchet } from "../../core/message-ratchet.ts";
import { MAX_UNCONFIRMED, OutboxFullError } from "../../core/outbox.ts";
import { HEARTBEAT_SECONDS, LIST_REPORT_SECONDS, MAX_OPEN_FILES, Session } from "../../core/session.ts";
import { primitives } from "../platform.ts";
import { bytes, isZeroed, keysIn, pair } from "./ratchets.ts";
import { ALICE, BOB, fromAlice, Line, START, TestExporter, text } from "./sessions.ts";

let line: Line;

beforeEach(async () => {
  line = await Line.open();
});

function delivered(first: number, upTo: number): Event {
  return { type: "delivered", sender: BOB, first, upTo };
}

function read(first: number, upTo: number): Event {
  return { type: "read", sender: BOB, first, upTo };
}

/** Lets Alice say these; takes the frames off the line. */
async function said(...bodies: string[]): Promise<Uint8Array[]> {
  for (const body of bodies) await line.say(line.alice, text(body));
  return line.bob.arriving.splice(0);
}

function offerOf(size: number): Extract<Content, { type: "file-offer" }> {
  const key = FileKey.generate(primitives);
  return { type: "file-offer", fileId: newFileId(primitives), key, size, name: "a", mediaType: "" };
}

describe("talking", () => {
  test("a text arrives, is confirmed, and is read", async () => {
    const number = await line.say(line.alice, text("hello"));
    await line.deliver();
    expect(line.bob.events).toEqual([fromAlice(1, "hello")]);
    await line.passTime(0.1);
    expect(line.alice.events).toEqual([delivered(1, 1)]);
    line.bob.session.markRead(number, line.now);
    await line.passTime(0.1);
    expect(line.alice.events.slice(1)).toEqual([read(1, 1)]);
  });

  test("a burst is confirmed by few receipts", async () => {
    for (let i = 0; i < 40; i++) await line.say(line.alice, text(String(i)));
    await line.deliver();
    await line.passTime(0.01);
    expect(line.alice.events).toEqual([delivered(1, 40)]);
    await line.say(line.alice, text("one more"));
    await line.deliver();
    await line.passTime(0.04);
    expect(line.alice.events).toHaveLength(1);
    await line.passTime(0.02);
    expect(line.alice.events.slice(1)).toEqual([delivered(41, 41)]);
  });

  test("reading implies delivery, and only what was delivered can be read", async () => {
    for (const number of [0, -1, 1, 0.5]) {
      expect(() => {
        line.bob.session.markRead(number, line.now);
      }).toThrow(LocalProtocolError);
    }
    await line.say(line.alice, text("a"));
    await line.deliver();
    line.bob.session.markRead(1, line.now);
    await line.passTime(0.1);
    expect(line.alice.events).toEqual([delivered(1, 1), read(1, 1)]);
  });

  test("uncounted contents have no number and no receipt", async () => {
    const typing = { type: "typing", active: true } as const;
    expect(await line.say(line.alice, typing)).toBe(0);
    await line.deliver();
    await line.passTime(1);
    expect(line.bob.events).toEqual([
      { type: "content-received", sender: ALICE, number: 0, content: typing },
    ]);
    expect(line.alice.events).toEqual([]);
  });

  test.each<Content>([
    { type: "heartbeat", lastNumber: 1 },
    { type: "receipt", kind: 2, upTo: 1, lost: [] },
    { type: "resume", isNewPath: true, highest: 0, holes: [] },
    { type: "bye", reason: 3, lastNumber: 0 },
    { type: "list-report", version: 1, digest: new Uint8Array(32) },
  ])("$type is for the session to send", async (content) => {
    await expect(line.alice.session.send(content, line.now)).rejects.toThrow("for the session");
  });

  test("a content out of bounds takes no number", async () => {
    await expect(line.say(line.alice, text(""))).rejects.toThrow(LocalProtocolError);
    expect(await line.say(line.alice, text("a"))).toBe(1);
  });

  test("a responder waits for the first message", async () => {
    const [, ratchet] = await pair(START);
    const exporter = new TestExporter(bytes("e"));
    const parts = { primitives, ratchet, sid: new Uint8Array(16), exporter, local: BOB, remote: ALICE };
    const session = new Session({ ...parts, now: START });
    expect(session.canSend).toBe(false);
    await expect(session.send(text("too early"), START)).rejects.toThrow(LocalProtocolError);
    expect((await session.tick(START + 30)).frames).toEqual([]);
    expect(await session.lineUp(START + 31)).toEqual([]);
    expect(session.nextDeadline(START)).toBe(START + HOLD_SECONDS);
    expect(await session.hangUp(START + 32)).toBeNull();
  });

  test("what is called at once happens in order", async () => {
    const { session } = line.alice;
    const calls = ["a", "b", "c", "d"].map(async (body) => session.send(text(body), line.now));
    const sent = await Promise.all([...calls, session.tick(line.now), session.lineUp(line.now)]);
    const numbers = sent.slice(0, 4).map((it) => (it as { number: number }).number);
    expect(numbers).toEqual([1, 2, 3, 4]);
    const frames = sent.slice(0, 4).map((it) => (it as { frame: Uint8Array }).frame);
    await Promise.all(frames.map(async (frame) => line.readOne(line.bob, frame)));
    expect(line.bob.texts).toEqual(["a", "b", "c", "d"]);
    expect(line.bob.session.refusedFrames).toBe(0);
  });
});

describe("loss and order", () => {
  test("s08 what overtakes waits for its place", async () => {
    const [first, second, third] = (await said("a", "b", "c")) as [Uint8Array, Uint8Array, Uint8Array];
    expect(await line.readOne(line.bob, third)).toEqual([]);
    expect(await line.readOne(line.bob, second)).toEqual([]);
    await line.readOne(line.bob, first);
    expect(line.bob.texts).toEqual(["a", "b", "c"]);
  });

  test("s08 a lost message is resent as the same bytes", async () => {
    const [lost] = await said("lost");
    line.now += 1;
    await line.say(line.alice, text("kept"));
    await line.deliver();
    expect(line.bob.texts).toEqual([]);
    await line.passTime(0.5);
    expect(line.bob.texts).toEqual(["lost", "kept"]);
    const resent = line.alice.events.filter((event) => event.type === "resend-frames");
    expect(resent.map((event) => event.frames)).toEqual([[lost]]);
  });

  test("s08 a lost tail is found within seconds, and a lost receipt is given again", async () => {
    await line.say(line.alice, text("lost"));
    line.drop();
    await line.passTime(2.5);
    expect(line.bob.texts).toEqual(["lost"]);
    expect(line.alice.events).toContainEqual(delivered(1, 1));
    await line.say(line.alice, text("a"));
    await line.deliver();
    line.now += 0.1;
    await line.tick(line.bob);
    expect(line.drop()).toBe(1);
    await line.passTime(5);
    expect(line.alice.events).toContainEqual(delivered(2, 2));
  });

  test("s08 a hole that stays becomes a visible gap, and is never shown as delivered or read", async () => {
    const frames = (await said("a", "b", "c", "d")) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    await line.readOne(line.bob, frames[0]);
    await line.readOne(line.bob, frames[3]);
    while (line.now < START + GAP_SECONDS + 0.1) {
      line.now += 0.1;
      await line.tick(line.bob);
      line.drop();
    }
    const gap = { type: "gap", sender: ALICE, first: 2, count: 2 };
    expect(line.bob.events).toEqual([fromAlice(1, "a"), gap, fromAlice(4, "d")]);
    line.bob.session.markRead(4, line.now);
    await line.passTime(3);
    const undelivered = { type: "undelivered", sender: BOB, first: 2, last: 3 };
    expect(line.alice.events.filter(({ type }) => type !== "read")).toEqual([
      delivered(1, 1),
      undelivered,
      delivered(4, 4),
    ]);
    expect(line.alice.events.filter(({ type }) => type === "read")).toEqual([read(1, 1), read(4, 4)]);
    expect(await line.readOne(line.bob, frames[1])).toEqual([]);
  });

  test("s08 receipts never cover what waits behind a hole", async () => {
    const [first, , third] = (await said("a", "b", "c")) as [Uint8Array, Uint8Array, Uint8Array];
    await line.readOne(line.bob, first);
    await line.readOne(line.bob, third);
    line.now += 0.06;
    await line.tick(line.bob);
    await line.deliver();
    expect(line.alice.events.filter(({ type }) => type === "delivered")).toEqual([delivered(1, 1)]);
  });

  test("the outbox stops a sender nobody confirms, and loses nothing", async () => {
    const bodies = Array.from({ length: MAX_UNCONFIRMED }, (_, i) => String(i));
    await said(...bodies);
    expect(line.alice.session.canSend).toBe(false);
    await expect(line.alice.session.send(text("too much"), line.now)).rejects.toThrow(OutboxFullError);
    await line.passTime(20);
    expect(line.bob.texts).toEqual(bodies);
    await line.say(line.alice, text("not too much any more"));
  });

  test("long texts fill the outbox by bytes", async () => {
    let sent = 0;
    for (; line.alice.session.canSend; sent++) await line.say(line.alice, text("x".repeat(32_768)));
    expect([29, 30, 31, 32]).toContain(sent);
    await line.deliver();
    await line.passTime(0.1);
    await line.say(line.alice, text("room again"));
    await line.deliver();
    expect(line.bob.texts).toHaveLength(sent + 1);
  });
});

describe("paths", () => {
  test("what is said while the line is down arrives when it is back", async () => {
    const { session } = line.alice;
    await line.say(line.alice, text("before"));
    await line.deliver();
    session.lineDown(line.now);
    expect(session.isLineUp).toBe(false);
    expect(await session.send(text("held"), line.now)).toEqual({ frame: null, number: 2 });
    expect(await session.send({ type: "typing", active: true }, line.now)).toEqual({
      frame: null,
      number: 0,
    });
    await line.passTime(30);
    expect(line.bob.texts).toEqual(["before"]);
    await line.lineUp(line.alice);
    await line.passTime(0.5);
    expect(line.bob.texts).toEqual(["before", "held"]);
    expect(line.alice.events).toContainEqual(delivered(2, 2));
  });

  test("a line that breaks while a frame is made keeps the frame", async () => {
    const { session } = line.alice;
    for (const content of [text("held"), { type: "typing", active: true } as const]) {
      if (!session.isLineUp) await session.lineUp(line.now);
      const sending = session.send(content, line.now);
      for (let step = 0; step < 6; step++) await Promise.resolve();
      session.lineDown(line.now);
      expect((await sending).frame).toBeNull();
    }
    await line.lineUp(line.alice);
    await line.passTime(0.5);
    expect(line.bob.texts).toEqual(["held"]);
  });

  test("a new path opens with a request for what the old one lost", async () => {
    await line.say(line.bob, text("one"));
    await line.deliver();
    await line.say(line.bob, text("two"));
    await line.say(line.bob, text("three"));
    line.drop();
    const [resume] = await line.alice.session.lineUp(line.now);
    const answer = await line.readOne(line.bob, resume ?? bytes(""));
    expect(answer).toMatchObject([{ type: "resend-frames", frames: { length: 2 } }]);
    await line.deliver();
    expect(line.alice.texts).toEqual(["one", "two", "three"]);
  });

  test("holes keep their time while the line is down", async () => {
    const [lost, kept] = (await said("a", "b")) as [Uint8Array, Uint8Array];
    await line.readOne(line.bob, kept);
    line.bob.session.lineDown(line.now);
    line.now += 20;
    await line.tick(line.bob);
    await line.lineUp(line.bob);
    line.now += GAP_SECONDS - 0.1;
    await line.tick(line.bob);
    expect(line.bob.events).toEqual([]);
    await line.readOne(line.bob, lost);
    expect(line.bob.texts).toEqual(["a", "b"]);
  });
});

describe("life", () => {
  test("silence is broken every fifteen seconds, and the KEM still steps", async () => {
    await line.passTime(600);
    expect([line.alice.session.isEnded, line.bob.session.isEnded]).toEqual([false, false]);
    const sentAt = line.now;
    await line.passTime(HEARTBEAT_SECONDS);
    expect(line.alice.session.heldUntil).toBeGreaterThanOrEqual(sentAt + HOLD_SECONDS);
    expect(line.alice.ratchet.epoch).toBeGreaterThanOrEqual(3);
  });

  test("s08 sixty seconds without an authentic message end it; noise is no sign of life", async () => {
    const heard = line.now;
    while (!line.bob.session.isEnded && line.now < heard + 100) {
      line.now += 1;
      await line.readOne(line.bob, Uint8Array.of(0x10, ...primitives.random(321)));
      await line.tick(line.bob);
      line.drop();
    }
    expect(line.now).toBe(heard + HOLD_SECONDS);
    expect(line.bob.events).toEqual([{ type: "ended", reason: "lost" }]);
  });

  test("a clock that runs back stands still", async () => {
    await line.passTime(10);
    const [frame] = await said("a");
    await line.tick(line.bob);
    await line.bob.session.receive(frame ?? bytes(""), START - 1000);
    expect(line.bob.session.heldUntil).toBe(line.now + HOLD_SECONDS);
  });

  test("s08 a line that drops every rekey ends the session", async () => {
    line.loses = (frame) => (frame[1] ?? 0) !== 0;
    for (let turn = 0; turn < 70; turn++) {
      for (const side of line.sides) if (!side.session.isEnded) await line.say(side, text("still talking"));
      await line.passTime(5);
    }
    for (const { session } of line.sides) expect(["pq-stalled", "lost"]).toContain(session.endReason);
    expect(line.now).toBeGreaterThanOrEqual(START + 300);
  });

  test("each side reports the list it holds every ten minutes", async () => {
    const digest = new Uint8Array(32).fill(3);
    line = await Line.open({ version: 3, digest });
    await line.passTime(LIST_REPORT_SECONDS - 1);
    expect(line.alice.events).toEqual([]);
    await line.passTime(2);
    expect(line.alice.events).toEqual([{ type: "list-reported", sender: BOB, version: 3, digest }]);
    line.bob.session.holdList({ version: 4, digest });
    await line.passTime(LIST_REPORT_SECONDS);
    expect(line.alice.events.slice(1)).toEqual([{ type: "list-reported", sender: BOB, version: 4, digest }]);
  });
});

describe("leaving", () => {
  test("hanging up ends both sides", async () => {
    await line.say(line.alice, text("bye then"));
    const bye = await line.alice.session.hangUp(line.now);
    line.bob.arriving.push(bye ?? bytes(""));
    await line.deliver();
    expect(line.alice.session.endReason).toBe("hung-up");
    expect(line.bob.events.slice(1)).toEqual([
      { type: "peer-left", sender: ALICE, reason: 1, lost: 0 },
      { type: "ended", reason: "peer-left" },
    ]);
  });

  test("a goodbye tells how much was lost", async () => {
    const frames = (await said("a", "b", "c", "d", "e")) as [Uint8Array, Uint8Array, Uint8Array];
    await line.readOne(line.bob, frames[0]);
    await line.readOne(line.bob, frames[2]);
    await line.readOne(line.bob, (await line.alice.session.hangUp(line.now, 3)) ?? bytes(""));
    expect(line.bob.events).toEqual([
      fromAlice(1, "a"),
      { type: "gap", sender: ALICE, first: 2, count: 1 },
      fromAlice(3, "c"),
      { type: "peer-left", sender: ALICE, reason: 3, lost: 2 },
      { type: "ended", reason: "peer-left" },
    ]);
  });

  test("s29 panic wipes first and hands out the goodbye that lay ready", async () => {
    await line.say(line.alice, text("a"));
    await line.deliver();
    await line.passTime(1);
    const bye = line.alice.session.panic();
    expect(line.alice.session.endReason).toBe("wiped");
    expect(await line.readOne(line.bob, bye ?? bytes(""))).toEqual([
      { type: "peer-left", sender: ALICE, reason: 2, lost: 0 },
      { type: "ended", reason: "peer-left" },
    ]);
    expect(line.alice.session.panic()).toBeNull();
  });

  test("s29 the goodbye that lies ready opens after a long lively talk", async () => {
    for (let i = 0; i < 40; i++) {
      await line.say(line.alice, text(`a${i}`));
      await line.say(line.bob, text(`b${i}`));
      await line.passTime(0.3);
    }
    await line.passTime(50);
    const events = await line.readOne(line.alice, line.bob.session.panic() ?? bytes(""));
    expect(events).toContainEqual({ type: "peer-left", sender: BOB, reason: 2, lost: 0 });
  });

  test("nothing can be sent on a line that is down", async () => {
    line.alice.session.lineDown(line.now);
    expect((await line.alice.session.tick(line.now + 30)).frames).toEqual([]);
    expect(await line.alice.session.hangUp(line.now)).toBeNull();
    await line.say(line.bob, text("so that a goodbye lies ready"));
    line.bob.session.lineDown(line.now);
    expect(line.bob.session.panic()).toBeNull();
  });

  test("after the end everything but wiping throws", async () => {
    const { session } = line.alice;
    const { now } = line;
    await session.hangUp(now);
    const offer = offerOf(1);
    for (const use of [
      async () => session.send(text("a"), now),
      async () => session.receive(bytes(""), now),
      async () => session.tick(now),
      async () => session.lineUp(now),
      async () => session.hangUp(now),
      async () => session.openOutgoing(offer),
      async () => session.openIncoming(offer),
      async () => session.opening(now),
    ]) {
      await expect(use()).rejects.toThrow(SessionEndedError);
    }
    for (const use of [
      () => session.nextDeadline(now),
      () => {
        session.lineDown(now);
      },
      () => {
        session.markRead(1, now);
      },
      () => {
        session.holdList({ version: 1, digest: new Uint8Array(32) });
      },
      () => {
        session.closeFile(offer.fileId);
      },
      () => session.exporter,
      () => session.canSend,
      () => session.heldUntil,
      () => session.isLineUp,
    ]) {
      expect(use).toThrow(SessionEndedError);
    }
    session.wipe();
    expect(session.endReason).toBe("hung-up");
  });

  test.each(["hang up", "peer left", "lost", "tampered", "panic", "wipe"])(
    "s29 after the end (%s) every key is zeroed, and files are over",
    async (ending) => {
      const { session, ratchet } = line.bob;
      const { exporter } = session;
      const sender = await session.openOutgoing(offerOf(9));
      const receiver = await session.openIncoming(offerOf(9));
      await line.say(line.alice, text("a"));
      await line.deliver();
      await line.say(line.bob, text("unconfirmed"));
      const keys = keysIn(ratchet);
      expect(keys.length).toBeGreaterThan(4);
      if (ending === "hang up") await session.hangUp(line.now);
      else if (ending === "peer left") {
        await session.receive((await line.alice.session.hangUp(line.now)) ?? bytes(""), line.now);
      } else if (ending === "lost") await session.tick(line.now + 61);
      else if (ending === "tampered")
        while (!session.isEnded) await session.receive(bytes("noise"), line.now);
      else if (ending === "panic") session.panic();
      else session.wipe();
      expect(session.isEnded).toBe(true);
      expect(keys.filter((key) => !isZeroed(key))).toEqual([]);
      expect(exporter.isWiped).toBe(true);
      await expect(sender.chunk(0, bytes("plaintext"))).rejects.toThrow(SessionEndedError);
      await expect(receiver.receive(bytes(""))).rejects.toThrow(SessionEndedError);
    },
  );

  test("s29 a wipe ends what is under way and what waits for its turn", async () => {
    const { session } = line.alice;
    const waiting: Promise<unknown>[] = [1, 2, 3].map(async (n) => session.send(text(String(n)), line.now));
    waiting.push(
      session.openOutgoing(offerOf(1)),
      session.receive(bytes("x"), line.now),
      session.tick(line.now),
    );
    for (let step = 0; step < 7; step++) await Promise.resolve();
    session.wipe();
    for (const result of await Promise.allSettled(waiting)) {
      expect(result).toMatchObject({ status: "rejected", reason: { name: "SessionEndedError" } });
    }
  });

  test("s29 a wipe in the last moment keeps a frame from leaving", async () => {
    const parts = { primitives, sid: new Uint8Array(16), local: BOB, remote: ALICE, now: START };
    const ratchet: MessageRatchet = {
      canSend: true,
      encrypt: async () => {
        queueMicrotask(() => {
          session.wipe();
        });
        return Promise.resolve(new Uint8Array(300));
      },
      decrypt: async () => Promise.reject(new Error("not here")),
      owesMessage: () => false,
      nextDeadline: () => null,
      expire: () => undefined,
      wipe: () => undefined,
    };
    const session = new Session({ ...parts, ratchet, exporter: new TestExporter(bytes("e")) });
    await expect(session.send(text("a"), START)).rejects.toThrow(SessionEndedError);
  });

  test("s28 a session shows nothing and cannot be stored", () => {
    const { session } = line.alice;
    expect(inspect(session, { showHidden: true, depth: 9 })).toBe("Session(<redacted>)");
    expect(() => JSON.stringify(session)).toThrow(LocalProtocolError);
    expect(inspect(session.exporter)).toBe("TestExporter(<redacted>)");
  });
});

describe("files", () => {
  test("open, close, and are bounded", async () => {
    const { session } = line.alice;
    const offers = Array.from({ length: MAX_OPEN_FILES }, () => offerOf(5));
    const [first, second] = offers as [(typeof offers)[0], (typeof offers)[0]];
    const senders = await Promise.all(offers.map(async (offer) => session.openOutgoing(offer)));
    await expect(session.openOutgoing(offerOf(5))).rejects.toThrow(LocalProtocolError);
    session.closeFile(first.fileId);
    await expect(senders[0]?.chunk(0, bytes("plain"))).rejects.toThrow(SessionEndedError);
    await session.openOutgoing(offerOf(5));
    await expect(session.openOutgoing(second)).rejects.toThrow(LocalProtocolError);
    const receiver = await line.bob.session.openIncoming(second);
    const frame = (await senders[1]?.chunk(0, bytes("plain"))) ?? bytes("");
    expect(await receiver.receive(frame)).toEqual(bytes("plain"));
    const ack = { type: "file-ack", fileId: second.fileId, chunk: 1 } as const;
    await line.say(line.bob, ack);
    await line.deliver();
    expect(line.alice.events).toEqual([{ type: "content-received", sender: BOB, number: 0, content: ack }]);
  });

  test("one of another session does not open", async () => {
    const offer = offerOf(5);
    const other = await Line.open();
    const frame = await (await line.alice.session.openOutgoing(offer)).chunk(0, bytes("plain"));
    const receiver = await other.bob.session.openIncoming(offer);
    await expect(receiver.receive(frame)).rejects.toThrow(DecryptionError);
  });
});

/** What a network or a peer may do to a session, and what it does not achieve. */

import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";

import { type Content, encodeContent, MAX_NUMBER } from "../../core/content/index.ts";
import { concat } from "../../core/encoding.ts";
import type { Gap } from "../../core/events.ts";
import { GAP_SECONDS, Inbox, MAX_HELD } from "../../core/inbox.ts";
import { MAX_BROKEN_CONTENTS } from "../../core/session.ts";
import { primitives } from "../platform.ts";
import { bytes, digest } from "./ratchets.ts";
import { ALICE, fromAlice, Line, text } from "./sessions.ts";

const BROKEN = Uint8Array.of(2, 0, 0, 0, 0, 9);

let line: Line;

beforeEach(async () => {
  line = await Line.open();
});

function counted(body: string, number: number): Uint8Array {
  return encodeContent(text(body), number);
}

async function frameOf(body: string): Promise<Uint8Array> {
  await line.say(line.alice, text(body));
  return line.bob.arriving.pop() ?? bytes("");
}

test("s05 replayed frames change nothing", async () => {
  const frame = await frameOf("once");
  await line.readOne(line.bob, frame);
  const before = digest(line.bob.ratchet);
  for (let copy = 0; copy < 300; copy++) expect(await line.readOne(line.bob, frame)).toEqual([]);
  expect(line.bob.texts).toEqual(["once"]);
  expect([line.bob.session.repeatedFrames, line.bob.session.refusedFrames]).toEqual([300, 0]);
  expect(digest(line.bob.ratchet)).toBe(before);
});

test("s05 a goodbye of one session does not end another, nor one that is reflected", async () => {
  const other = await Line.open();
  const bye = (await line.alice.session.hangUp(line.now)) ?? bytes("");
  expect(await other.readOne(other.bob, bye)).toEqual([]);
  expect(await other.readOne(other.alice, bye)).toEqual([]);
  await other.say(other.alice, text("a"));
  expect(await other.readOne(other.alice, other.bob.arriving.pop() ?? bytes(""))).toEqual([]);
  expect(other.alice.session.refusedFrames).toBe(2);
  expect(other.bob.session.refusedFrames).toBe(1);
});

test("s11 s29 altered frames change nothing, and a hundred end it", async () => {
  const frame = await frameOf("true");
  const altered = frame.slice();
  altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
  const before = digest(line.bob.ratchet);
  for (let failure = 0; failure < 99; failure++) expect(await line.readOne(line.bob, altered)).toEqual([]);
  expect(digest(line.bob.ratchet)).toBe(before);
  await line.readOne(line.bob, frame);
  expect(line.bob.texts).toEqual(["true"]);
  expect(await line.readOne(line.bob, bytes(""))).toEqual([{ type: "ended", reason: "tampered" }]);
  expect(line.bob.session.endReason).toBe("tampered");
});

test("s11 receive throws nothing, whatever frame comes", async () => {
  const sample = await frameOf("sample");
  const frames = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc
      .tuple(fc.nat(sample.length - 1), fc.nat(255))
      .map(([at, byte]) => sample.map((b, i) => (i === at ? byte : b))),
    fc.nat(sample.length).map((length) => sample.subarray(0, length)),
  );
  await fc.assert(
    fc.asyncProperty(frames, async (frame) => {
      if (line.bob.session.isEnded) return;
      for (const event of await line.readOne(line.bob, frame)) {
        expect(event.type === "ended" || event === fromAlice(1, "sample") || "number" in event).toBe(true);
      }
    }),
    { numRuns: 90 },
  );
});

test("s11 a malformed content is counted and fills its place", async () => {
  const refused = { type: "content-refused", sender: ALICE, number: 1 };
  expect(await line.sayRaw(Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0xff))).toEqual([refused]);
  expect(await line.sayRaw(counted("next", 2))).toEqual([fromAlice(2, "next")]);
  expect(await line.sayRaw(BROKEN)).toEqual([]);
  expect(await line.sayRaw(Uint8Array.of(1, 0))).toEqual([]);
  const unpadded = await line.alice.ratchet.encrypt(new Uint8Array(256), line.now);
  expect(await line.readOne(line.bob, unpadded)).toEqual([]);
  expect(line.bob.session.brokenContents).toBe(4);
});

test("s11 an authentic peer that sends anything at all makes nothing throw", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 60 }),
      fc.constantFrom(0x03, 0x20, 0x21, 0x22, 0x31),
      async (body, kind) => {
        if (line.bob.session.isEnded || line.bob.session.brokenContents > 90) line = await Line.open();
        await line.sayRaw(concat(Uint8Array.of(kind, 0, 0, 0, 0), body));
        await line.tick(line.bob);
        line.drop();
      },
    ),
    { numRuns: 150 },
  );
});

test("s11 a peer that keeps breaking the protocol is left", async () => {
  for (let broken = 1; broken < MAX_BROKEN_CONTENTS; broken++) expect(await line.sayRaw(BROKEN)).toEqual([]);
  expect(await line.sayRaw(BROKEN)).toEqual([{ type: "ended", reason: "protocol" }]);
});

test("s05 a number is served once, whatever the peer says", async () => {
  expect(await line.sayRaw(counted("second", 2))).toEqual([]);
  expect(await line.sayRaw(counted("other second", 2))).toEqual([]);
  expect(await line.sayRaw(counted("first", 1))).toEqual([fromAlice(1, "first"), fromAlice(2, "second")]);
  for (const number of [1, 2]) expect(await line.sayRaw(counted("again", number))).toEqual([]);
});

test("contents of a newer version are skipped and keep their place", async () => {
  const unknown = { type: "unknown-content", sender: ALICE };
  expect(await line.sayRaw(Uint8Array.of(0xf0, 0, 0, 0, 1, 7))).toEqual([
    { ...unknown, number: 1, code: 0xf0 },
  ]);
  expect(await line.sayRaw(Uint8Array.of(0xf1, 0, 0, 0, 0, 7))).toEqual([
    { ...unknown, number: 0, code: 0xf1 },
  ]);
  expect(await line.sayRaw(counted("next", 2))).toEqual([fromAlice(2, "next")]);
  expect(line.bob.session.brokenContents).toBe(0);
});

test("s08 a receipt for what was never said is refused", async () => {
  await line.say(line.bob, text("only one"));
  await line.deliver();
  const claims: Content[] = [
    { type: "receipt", kind: 1, upTo: 2, lost: [] },
    { type: "resume", isNewPath: false, highest: 2, holes: [2] },
  ];
  for (const claim of claims) expect(await line.sayRaw(encodeContent(claim, 0))).toEqual([]);
  expect(line.bob.session.brokenContents).toBe(2);
});

test("s12 a flood behind a hole stays bounded", async () => {
  for (let number = 2; number < 600; number++) await line.sayRaw(counted("x", number));
  expect(line.bob.events.filter((event): event is Gap => event.type === "gap")).toEqual([
    { type: "gap", sender: ALICE, first: 1, count: 1 },
  ]);
  expect(line.bob.received.map(({ number }) => number)).toEqual(Array.from({ length: 598 }, (_, i) => i + 2));
});

test("s12 an inbox holds 256 contents and 1 MiB at most", () => {
  const few = new Inbox(ALICE);
  for (let number = 2; number < 60; number++) {
    few.receive(number, { type: "content-refused", sender: ALICE, number }, 32_000, 0);
    expect(few.held * 32_000).toBeLessThanOrEqual(1024 * 1024);
  }
  const many = new Inbox(ALICE);
  for (let number = 2; number < 1000; number += 2) {
    many.receive(number, { type: "content-refused", sender: ALICE, number }, 1, 0);
    expect(many.held).toBeLessThanOrEqual(MAX_HELD);
  }
  const counting = new Inbox(ALICE);
  for (let number = 1; number < 2000; number++) counting.learn(number, number);
  expect(counting.missing).toBe(1999);
  expect(counting.ask(5000)?.holes).toHaveLength(64);
});

test("s12 a number far ahead costs no memory", async () => {
  await line.sayRaw(counted("far", MAX_NUMBER));
  line.now += 1;
  await line.tick(line.bob);
  line.now += GAP_SECONDS;
  await line.tick(line.bob);
  expect(line.bob.events).toEqual([
    { type: "gap", sender: ALICE, first: 1, count: MAX_NUMBER - 1 },
    fromAlice(MAX_NUMBER, "far"),
  ]);
});

test("s12 a peer that announces new paths all the time pulls little", async () => {
  for (let number = 0; number < 50; number++) await line.say(line.bob, text("x".repeat(1000)));
  line.drop();
  let pulled = 0;
  for (let turn = 0; turn < 200; turn++) {
    line.now += 0.01;
    const [resume] = await line.alice.session.lineUp(line.now);
    for (const event of await line.bob.session.receive(resume ?? bytes(""), line.now)) {
      if (event.type === "resend-frames") pulled += event.frames.length;
    }
  }
  expect(pulled).toBeGreaterThan(50);
  expect(pulled).toBeLessThanOrEqual(12 * 50);
});

test("s11 noise ends a session after a hundred frames and not before", async () => {
  for (let failure = 0; failure < 99; failure++) {
    expect(await line.readOne(line.bob, Uint8Array.of(0x10, ...primitives.random(321)))).toEqual([]);
  }
  expect(await line.readOne(line.bob, bytes(""))).toEqual([{ type: "ended", reason: "tampered" }]);
  expect(line.bob.session.refusedFrames).toBe(99);
});

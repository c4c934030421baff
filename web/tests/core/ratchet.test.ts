import { inspect } from "node:util";

import { describe, expect, test } from "vitest";

import { decodeEnvelope, encodeHeader, MAX_MESSAGE_BYTES } from "../../core/envelope.ts";
import {
  DecryptionError,
  LocalProtocolError,
  MalformedError,
  MessageKeyGoneError,
  RatchetEndedError,
  SessionEndedError,
} from "../../core/errors.ts";
import type { Primitives } from "../../core/primitives.ts";
import type { Ratchet } from "../../core/ratchet.ts";
import { concat } from "../../core/encoding.ts";
import { primitives } from "../platform.ts";
import { bytes, digest, handshake, isZeroed, keysIn, pair, talk, tell } from "./ratchets.ts";

/** Primitives that call `before` ahead of every operation. */
function watched(before: () => void): Primitives {
  return new Proxy<Primitives>(primitives, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]): unknown => {
        before();
        return Reflect.apply(member, target, args);
      };
    },
  });
}

async function refusal(ratchet: Ratchet, frame: Uint8Array, now = 0): Promise<unknown> {
  return ratchet.decrypt(frame, now).then(
    () => "read",
    (error: unknown) => error,
  );
}

function altered(frame: Uint8Array, at: number): Uint8Array {
  const forged = frame.slice();
  forged[at] = (forged[at] ?? 0) ^ 0x01;
  return forged;
}

test("two people talk, one after another, at once, and one alone", async () => {
  const [a, b] = await pair();
  await expect(b.encrypt(bytes("too early"), 0)).rejects.toThrow(LocalProtocolError);
  expect([a.canSend, b.canSend]).toEqual([true, false]);
  for (let number = 0; number < 5; number++) await tell(a, b, `alone ${number}`);
  for (let number = 0; number < 5; number++) {
    await tell(b, a, "one");
    await tell(a, b, "another");
  }
  const [fromA, fromB] = [await a.encrypt(bytes("a"), 0), await b.encrypt(bytes("b"), 0)];
  expect(await b.decrypt(fromA, 0)).toEqual(bytes("a"));
  expect(await a.decrypt(fromB, 0)).toEqual(bytes("b"));
  expect(fromA.length).toBe(67);
});

test("the longest message passes and a longer one is our own fault", async () => {
  const [a, b] = await pair();
  const longest = primitives.random(MAX_MESSAGE_BYTES);
  expect(await b.decrypt(await a.encrypt(longest, 0), 0)).toEqual(longest);
  await expect(a.encrypt(new Uint8Array(MAX_MESSAGE_BYTES + 1), 0)).rejects.toThrow(LocalProtocolError);
});

test("s08 messages in any order are all read, each once, across turns and epochs", async () => {
  const [a, b] = await pair();
  await talk(a, b, 0, 55);
  const frames: Uint8Array[] = [];
  for (let number = 0; number < 40; number++)
    frames.push(await a.encrypt(bytes(String(number)), 56 + number));
  await tell(b, a, "turn", 96);
  for (let number = 40; number < 60; number++) frames.push(await a.encrypt(bytes(String(number)), 97));
  const order = frames.map((_, number) => (number * 37) % frames.length);
  for (const number of order)
    expect(await b.decrypt(frames[number] ?? bytes(""), 98)).toEqual(bytes(String(number)));
  for (const frame of frames) expect(await refusal(b, frame, 98)).toBeInstanceOf(MessageKeyGoneError);
  expect(b.failures).toBe(0);
  await talk(a, b, 100, 200);
  expect(a.epoch).toBeGreaterThan(1);
});

test("s08 a gap of 256 is bridged, and a wider one counts as failure", async () => {
  for (const [gap, isBridged] of [
    [256, true],
    [257, false],
  ] as const) {
    const [a, b] = await pair();
    for (let lost = 0; lost < gap; lost++) await a.encrypt(bytes("lost"), 0);
    const before = digest(b);
    const result = await refusal(b, await a.encrypt(bytes("after"), 0));
    expect(result === "read").toBe(isBridged);
    expect(b.failures).toBe(isBridged ? 0 : 1);
    if (!isBridged) expect(digest(b)).toBe(before);
  }
});

test("s08 a kept key is gone after 120 s, without anybody watching the deadline", async () => {
  const [a, b] = await pair();
  const late = await a.encrypt(bytes("late"), 0);
  await tell(a, b, "in time");
  const keys = keysIn(b);
  expect(b.nextDeadline(0)).toBe(20);
  await tell(b, a, "turn", 20);
  expect(b.nextDeadline(20)).toBe(120);
  expect(await refusal(b, late, 120)).toBeInstanceOf(MessageKeyGoneError);
  await tell(a, b, "in passing", 121);
  const held = new Set(keysIn(b));
  const gone = keys.filter((key) => !held.has(key));
  expect(gone.length).toBeGreaterThan(2);
  expect(gone.every(isZeroed)).toBe(true);
});

test.each([
  [4, true],
  [5, false],
])("s08 a kept key outlives four later chains of the peer: after %d", async (turns, isRead) => {
  const [a, b] = await pair();
  const late = await a.encrypt(bytes("late"), 0);
  await tell(a, b, "in time");
  for (let turn = 0; turn < turns; turn++) {
    await tell(b, a, "turn");
    await tell(a, b, "turn");
  }
  expect((await refusal(b, late)) === "read").toBe(isRead);
  expect(b.failures).toBe(0);
});

test("s12 what is remembered of a long session is bounded", async () => {
  const [a, b] = await pair();
  await talk(a, b, 0, 300, 1);
  const size = digest(a).length;
  await talk(a, b, 300, 900, 1);
  expect(a.epoch).toBeGreaterThan(8);
  expect(digest(a).length).toBeLessThanOrEqual(size + 4000);
  const [, postQuantum] = a.snapshotForTesting() as [unknown, unknown[]];
  expect(postQuantum[3]).toSatisfy((receivers: unknown[]) => receivers.length <= 3);
  expect(postQuantum[5]).toSatisfy((exchanges: unknown[]) => exchanges.length <= 2);
});

test("s11 every changed byte, truncation and extension is noticed and changes nothing", async () => {
  const frames: [Ratchet, Uint8Array][] = [];
  const [a, b] = await pair();
  frames.push([b, await a.encrypt(bytes("first"), 0)]);
  const [c, d] = await pair();
  await talk(c, d, 0, 59);
  const offer = await c.encrypt(bytes("an offer"), 60);
  frames.push([d, offer]);
  for (const [reader, frame] of frames) {
    const before = digest(reader);
    const places = Array.from({ length: 80 }, (_, place) =>
      place < 66 ? place : (place * 97) % frame.length,
    );
    const forged = places.map((place) => altered(frame, place));
    forged.push(concat(frame, bytes("x")), frame.subarray(1), new Uint8Array());
    for (const length of [1, 49, 50, 65, frame.length - 1]) forged.push(frame.subarray(0, length));
    for (const attempt of forged.slice(0, 90)) {
      const error = await refusal(reader, attempt, 60);
      expect(error instanceof MalformedError || error instanceof DecryptionError).toBe(true);
    }
    expect(digest(reader)).toBe(before);
    expect(reader.failures).toBe(forged.length);
    expect(await refusal(reader, frame, 60)).toBe("read");
  }
});

test("s11 an offer that is stripped or exchanged is noticed before anything is done with it", async () => {
  const [a, b] = await pair();
  await talk(a, b, 0, 59);
  const { header, sealed } = decodeEnvelope(await a.encrypt(bytes("offer"), 60));
  expect(header.attachment?.type).toBe("kem-offer");
  const kemKey = (await primitives.mlKemGenerate()).publicKey;
  const before = digest(b);
  for (const attachment of [null, { type: "kem-offer", kemKey } as const]) {
    const forged = concat(encodeHeader({ ...header, attachment }), sealed);
    expect(await refusal(b, forged, 60)).toBeInstanceOf(DecryptionError);
  }
  expect(digest(b)).toBe(before);
});

test("s05 frames of another session or of our own are refused", async () => {
  const [a, b] = await pair();
  const [c] = await pair();
  await tell(a, b, "hello");
  expect(await refusal(b, await c.encrypt(bytes("other"), 0))).toBeInstanceOf(DecryptionError);
  expect(await refusal(a, await a.encrypt(bytes("own"), 0))).toBeInstanceOf(DecryptionError);
});

test("s11 a hundred failures end the session as tampered, and zero its keys", async () => {
  const [a, b] = await pair();
  await tell(a, b, "hello");
  const keys = keysIn(b);
  for (let failure = 0; failure < 99; failure++) {
    expect(await refusal(b, bytes("noise"))).toBeInstanceOf(MalformedError);
  }
  expect(await refusal(b, bytes("noise"))).toMatchObject({ reason: "tampered" });
  expect(b.endReason).toBe("tampered");
  expect(keys.every(isZeroed)).toBe(true);
  await expect(b.decrypt(await a.encrypt(bytes("late"), 0), 0)).rejects.toThrow(SessionEndedError);
});

describe("what is owed", () => {
  test("an answer after 64 messages, and a turn after 20 s", async () => {
    const [a, b] = await pair();
    for (let number = 0; number < 63; number++) await tell(a, b, "x");
    expect([b.owesMessage(19), b.owesMessage(20)]).toEqual([false, true]);
    await tell(a, b, "x");
    expect(b.owesMessage(0)).toBe(true);
    await tell(b, a, "");
    expect(b.owesMessage(0)).toBe(false);
    expect(b.owesMessage(1)).toBe(false);
  });

  test("two silent people heal by what is owed alone", async () => {
    const [a, b] = await pair();
    await tell(a, b, "hello");
    for (let now = 1; now < 400; now++) {
      for (const [sender, receiver] of [
        [a, b],
        [b, a],
      ] as const) {
        if (sender.owesMessage(now)) await tell(sender, receiver, "", now);
        expect(sender.owesMessage(now)).toBe(false);
      }
    }
    expect(Math.min(a.epoch, b.epoch)).toBeGreaterThanOrEqual(5);
  });
});

describe("s08 without a new epoch", () => {
  test("five minutes in which only large frames are dropped end the session", async () => {
    const [a, b] = await pair();
    let ended: unknown = null;
    let now = 0;
    const fromLeader: number[] = [];
    for (; now < 400 && ended === null; now++) {
      for (const [sender, receiver] of [
        [a, b],
        [b, a],
      ] as const) {
        if (!sender.canSend || ended !== null) continue;
        const frame = await sender.encrypt(bytes("x"), now);
        if (frame.length > 1000) continue;
        if (sender === a) fromLeader.push(now);
        const result = await refusal(receiver, frame, now);
        if (result instanceof RatchetEndedError) ended = result.reason;
      }
    }
    expect(fromLeader.at(-1)).toBeLessThan(100); // its small frames ceased: it is late to offer
    expect([ended, now]).toEqual(["pq-stalled", 301]);
    expect(a.isEnded).toBe(true);
  });

  test("4096 messages end the session", async () => {
    const [a, b] = await pair();
    for (let number = 0; number < 4095; number++) await b.decrypt(await a.encrypt(bytes(""), 0), 0);
    const error = await refusal(b, await a.encrypt(bytes(""), 0));
    expect(error).toMatchObject({ reason: "pq-stalled" });
  });
});

describe("waiting for crypto", () => {
  /** A pair about to turn and to exchange: the most that one message can do. */
  async function rich(over: Primitives): Promise<[Ratchet, Ratchet]> {
    const [a, b] = await pair(0, handshake(), over);
    await talk(a, b, 0, 59);
    for (let lost = 0; lost < 3; lost++) await a.encrypt(bytes("lost"), 59);
    await tell(b, a, "your turn", 59);
    return [a, b];
  }

  test("s11 a platform that fails in any place leaves the state as it was", async () => {
    let left = Infinity;
    const [a, b] = await rich(
      watched(() => {
        if (left-- === 0) throw new Error("the platform failed");
      }),
    );

    /** Lets every place fail once, until there is none left to fail. */
    async function despiteFailures(actor: Ratchet, act: () => Promise<Uint8Array>): Promise<Uint8Array> {
      const before = digest(actor);
      for (let place = 0; ; place++) {
        left = place;
        try {
          const result = await act();
          left = Infinity;
          expect(place).toBeGreaterThanOrEqual(7);
          expect(digest(actor)).not.toBe(before);
          return result;
        } catch (error) {
          expect(error).toMatchObject({ message: "the platform failed" });
          expect(digest(actor)).toBe(before);
          expect(actor.failures).toBe(0);
        }
      }
    }

    const offer = await despiteFailures(a, async () => a.encrypt(bytes("offer"), 60));
    expect(decodeEnvelope(offer).header.attachment?.type).toBe("kem-offer");
    expect(await despiteFailures(b, async () => b.decrypt(offer, 60))).toEqual(bytes("offer"));
    const answer = await despiteFailures(b, async () => b.encrypt(bytes("answer"), 61));
    expect(decodeEnvelope(answer).header.attachment?.type).toBe("kem-answer");
    expect(await despiteFailures(a, async () => a.decrypt(answer, 61))).toEqual(bytes("answer"));
    await tell(a, b, "in the new epoch", 62);
    expect([a.epoch, b.epoch]).toEqual([1, 1]);
  });

  test("s29 a wipe in any place zeroes the keys at once, and what waited ends", async () => {
    for (const way of ["encrypt", "decrypt"] as const) {
      for (let place = 0; ; place++) {
        let left = Infinity;
        let wipe = (): void => undefined;
        const [a, b] = await rich(
          watched(() => {
            if (left-- === 0) wipe();
          }),
        );
        const frame = way === "decrypt" ? await a.encrypt(bytes("offer"), 60) : null;
        const actor = frame === null ? a : b;
        actor.expire(60); // so that nothing else looks whether it lives
        const keys = keysIn(actor);
        wipe = () => {
          actor.wipe();
        };
        left = place;
        const waiting = frame === null ? actor.encrypt(bytes("offer"), 60) : actor.decrypt(frame, 60);
        const [result] = await Promise.allSettled([waiting]);
        if (!actor.isEnded) break; // it has fewer places
        expect(result.status).toBe("rejected");
        expect(result.status === "rejected" && result.reason).toBeInstanceOf(SessionEndedError);
        expect(keys.length).toBeGreaterThan(4);
        expect(keys.filter((key) => !isZeroed(key))).toEqual([]);
        expect(place).toBeLessThan(100);
      }
    }
  });

  test("two operations at once are refused, not mixed: no two messages get one key", async () => {
    const [a, b] = await pair();
    const first = a.encrypt(bytes("first"), 0);
    await expect(a.encrypt(bytes("second"), 0)).rejects.toThrow(LocalProtocolError);
    expect(await b.decrypt(await first, 0)).toEqual(bytes("first"));
    await tell(a, b, "third");
    expect(b.failures).toBe(0);
  });

  test("a frame whose bytes change while it is read is refused or read as it was", async () => {
    const [a, b] = await pair();
    const frame = await a.encrypt(bytes("text"), 0);
    const reading = refusal(b, frame);
    frame.fill(0);
    expect(await reading).toSatisfy((it: unknown) => it === "read" || it instanceof DecryptionError);
  });
});

test("s28 no part of a ratchet shows its secrets or lets itself be stored", async () => {
  const [a, b] = await pair();
  await talk(a, b, 0, 70);
  for (const ratchet of [a, b]) {
    const secrets = keysIn(ratchet).filter((key) => key instanceof Uint8Array);
    expect(String(ratchet)).toBe("Ratchet(<redacted>)");
    expect(inspect(ratchet, { showHidden: true, depth: 9 })).toBe("Ratchet(<redacted>)");
    expect(() => JSON.stringify(ratchet)).toThrow(LocalProtocolError);
    const cloned = structuredClone(ratchet) as object;
    expect(Object.values(cloned)).toEqual(["Ratchet"]);
    expect(secrets.length).toBeGreaterThan(3);
  }
});

test("wiping zeroes every key, and afterwards nothing works", async () => {
  const [a, b] = await pair();
  await talk(a, b, 0, 70);
  await b.encrypt(bytes("lost"), 70);
  await tell(b, a, "kept", 70);
  for (const ratchet of [a, b]) {
    const keys = keysIn(ratchet);
    expect(keys.length).toBeGreaterThan(5);
    ratchet.wipe();
    ratchet.wipe();
    expect(keys.filter((key) => !isZeroed(key))).toEqual([]);
    expect([ratchet.isEnded, ratchet.canSend, ratchet.endReason]).toEqual([true, false, null]);
    await expect(ratchet.encrypt(bytes(""), 0)).rejects.toThrow(SessionEndedError);
    await expect(ratchet.decrypt(bytes(""), 0)).rejects.toThrow(SessionEndedError);
    expect(() => ratchet.nextDeadline(0)).toThrow(SessionEndedError);
    expect(() => ratchet.owesMessage(0)).toThrow(SessionEndedError);
    expect(() => ratchet.epoch).toThrow(SessionEndedError);
  }
});

/** A thief copies one side's whole state: what he reads of before, and how soon he reads no more. */

import { expect, test } from "vitest";

import { decodeEnvelope } from "../../core/envelope.ts";
import { MlKemPrivateKey } from "../../core/primitives.ts";
import type { Ratchet } from "../../core/ratchet.ts";
import { bytes, digest, handshake, joined, keysIn, Victim } from "./ratchets.ts";

async function pairOfVictims(): Promise<{ a: Victim; b: Victim; made: ReturnType<typeof handshake> }> {
  const made = handshake();
  return { a: await Victim.create(made, true), b: await Victim.create(made, false), made };
}

async function tell(sender: Victim, receiver: Victim, text: string, now = 0): Promise<Uint8Array> {
  const frame = await sender.encrypt(text, now);
  expect(await receiver.decrypt(frame, now)).toEqual(bytes(text));
  return frame;
}

async function talk(a: Victim, b: Victim, start: number, end: number): Promise<void> {
  for (let now = start; now < end; now += 5) {
    for (const [sender, receiver] of [
      [a, b],
      [b, a],
    ] as const) {
      await tell(sender, receiver, "hello", now);
    }
  }
}

async function reads(thief: Ratchet, frame: Uint8Array, now: number): Promise<boolean> {
  return thief.decrypt(frame, now).then(
    () => true,
    () => false,
  );
}

test("a state that is stolen is the state, and lives on by itself", async () => {
  const { a, b } = await pairOfVictims();
  await talk(a, b, 0, 70);
  const stolen = await a.steal();
  expect(digest(stolen.ratchet)).toBe(digest(a.ratchet));
  await tell(b, a, "hello", 70);
  expect(digest(stolen.ratchet)).not.toBe(digest(a.ratchet));
});

test("forward secrecy: a stolen state reads nothing from before", async () => {
  const { a, b } = await pairOfVictims();
  const frames: Uint8Array[] = [];
  for (let number = 0; number < 5; number++) frames.push(await tell(a, b, String(number)));
  await tell(b, a, "turn");
  for (let number = 0; number < 5; number++) frames.push(await tell(a, b, String(number)));
  const thief = await b.steal();
  for (const frame of frames) expect(await reads(thief.ratchet, frame, 0)).toBe(false);
});

test("forward secrecy: no key stays behind that opened a message", async () => {
  const { a, b } = await pairOfVictims();
  await tell(a, b, "hello");
  await talk(a, b, 1, 59);
  const before = keysIn(b.ratchet);
  await talk(a, b, 60, 400);
  b.ratchet.expire(400);
  const after = new Set(keysIn(b.ratchet));
  expect(before.length).toBeGreaterThanOrEqual(5);
  expect(before.filter((key) => after.has(key))).toEqual([]);
  const zeroed = before.filter((key) => key instanceof Uint8Array && key.every((byte) => byte === 0));
  expect(zeroed.length).toBe(before.filter((key) => key instanceof Uint8Array).length);
});

test("forward secrecy: a KEM key is wiped with the answer to it", async () => {
  const { a, b } = await pairOfVictims();
  await tell(a, b, "first");
  await talk(a, b, 0, 60);
  await tell(a, b, "offer", 60);
  const pending = keysIn(a.ratchet).filter((key) => key instanceof MlKemPrivateKey);
  expect(pending.map((key) => key.isWiped)).toEqual([false]);
  await tell(b, a, "answer", 61);
  expect(pending.map((key) => key.isWiped)).toEqual([true]);
});

test.each([true, false])(
  "post-compromise: one round trip shuts a passive thief out (%s)",
  async (isInitiator) => {
    const { a, b } = await pairOfVictims();
    await tell(a, b, "first");
    await talk(a, b, 0, 10);
    const [victim, peer] = isInitiator ? [a, b] : [b, a];
    await tell(victim, peer, "a key of the victim is out", 10);
    const thief = await victim.steal();

    const reply = await peer.encrypt("the thief still reads this", 10);
    await victim.decrypt(reply, 10);
    expect(await reads(thief.ratchet, reply, 10)).toBe(true);

    await tell(victim, peer, "a fresh key, unknown to the thief", 10);
    const healed = await peer.encrypt("the thief no longer reads this", 10);
    expect(await victim.decrypt(healed, 10)).toEqual(bytes("the thief no longer reads this"));
    expect(await reads(thief.ratchet, healed, 10)).toBe(false);
    // nor with a key pair of his own, or any he stole: his turn leads to another root
    await thief.ratchet.encrypt(bytes("the thief turns as well"), 10);
    expect(await reads(thief.ratchet, healed, 10)).toBe(false);
  },
);

test("post-compromise: a later break of X25519 ends with the next whole epoch", async () => {
  const { a, b, made } = await pairOfVictims();
  await tell(a, b, "first");
  await talk(a, b, 0, 50);
  const stolenAt = a.moment;
  const read = new Map<number, Set<boolean>>();
  for (let now = 50; a.ratchet.epoch < 2; now += 5) {
    for (const [sender, receiver] of [
      [a, b],
      [b, a],
    ] as const) {
      const frame = await sender.encrypt("hello", now);
      if (receiver === a) {
        // the post-quantum half as stolen, led on by all that was heard; the classical half of this moment
        const classical = await a.steal();
        const postQuantum = await a.stealAt(stolenAt);
        const thief = joined(made, true, classical, postQuantum);
        const { epoch } = decodeEnvelope(frame).header;
        const outcomes = read.get(epoch) ?? new Set<boolean>();
        read.set(epoch, outcomes.add(await reads(thief, frame, now)));
      }
      await receiver.decrypt(frame, now);
    }
  }
  expect(read.get(0)).toContain(true);
  expect(read.get(1)).toEqual(new Set([false]));
});

test("post-compromise: a stolen pending KEM key costs one more epoch", async () => {
  const { a, b, made } = await pairOfVictims();
  await tell(a, b, "first");
  await talk(a, b, 0, 60);
  const offer = await a.encrypt("offer", 60);
  expect(decodeEnvelope(offer).header.attachment?.type).toBe("kem-offer");
  let postQuantum = await a.steal();
  await b.decrypt(offer, 60);
  const read = new Set<number>();
  for (let now = 60; a.ratchet.epoch < 2 || now < 200; now += 5) {
    for (const [sender, receiver] of [
      [b, a],
      [a, b],
    ] as const) {
      const frame = await sender.encrypt("hello", now);
      if (receiver === a && !postQuantum.ratchet.isEnded) {
        const thief = joined(made, true, await a.steal(), postQuantum);
        if (await reads(thief, frame, now)) read.add(decodeEnvelope(frame).header.epoch);
        postQuantum = { ...postQuantum, ratchet: thief };
      }
      await receiver.decrypt(frame, now);
    }
  }
  expect(read).toEqual(new Set([0, 1]));
});

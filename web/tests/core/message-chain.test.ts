import { expect, test } from "vitest";

import { COUNTER_LIMIT } from "../../core/envelope.ts";
import { DecryptionError, MessageKeyGoneError, RatchetEndedError } from "../../core/errors.ts";
import { type ChainKey, MAX_SKIP, ReceivingChain, SendingChain } from "../../core/message-chain.ts";
import {
  MAX_SKIPPED_KEYS,
  SKIPPED_KEY_SECONDS,
  SkippedKeys,
  type MessageKey,
} from "../../core/skipped-keys.ts";
import { primitives } from "../platform.ts";
import { digest } from "./ratchets.ts";

function key(): ChainKey {
  return new Uint8Array(32).fill(5) as ChainKey;
}

test("both ends of a chain take the same steps, and a step that is not committed takes none", async () => {
  const sender = new SendingChain(key());
  const receiver = new ReceivingChain<string>("chain", key());
  const skipped = new SkippedKeys<string>();
  const first = await sender.prepare(primitives);
  const again = await sender.prepare(primitives);
  expect(again.messageKey).toEqual(first.messageKey);
  again.wipe();
  expect(sender.n).toBe(0);
  first.commit();
  first.commit();
  expect(sender.n).toBe(1);
  const [before, found] = [digest(receiver), await receiver.find(primitives, 0, skipped, 0)];
  expect(found.messageKey).toEqual(first.messageKey);
  expect(digest(receiver)).toBe(before);
  found.commit(skipped, 0);
  found.wipe();
  expect(receiver.n).toBe(1);
  await expect(receiver.find(primitives, 0, skipped, 0)).rejects.toThrow(MessageKeyGoneError);
});

test("s12 what is passed over is kept, 256 at once and 1024 in all, the oldest dropped and zeroed", async () => {
  const receiver = new ReceivingChain<string>("chain", key());
  const skipped = new SkippedKeys<string>();
  const [oldest] = (await receiver.passOver(primitives, 1)).passed;
  for (let n = MAX_SKIP; n < 6 * MAX_SKIP; n += MAX_SKIP + 1) {
    (await receiver.reach(primitives, n)).commit(skipped, n);
  }
  expect(skipped.size).toBe(MAX_SKIPPED_KEYS);
  expect(oldest).toHaveLength(32);
  expect(skipped.find("chain", 0, 0)).toBeNull();
  await expect(receiver.reach(primitives, receiver.n + MAX_SKIP + 1)).rejects.toThrow(DecryptionError);
});

test("a kept key opens once, for 120 s, and only in its chain", () => {
  const skipped = new SkippedKeys<number>();
  const kept = [1, 2].map((value) => new Uint8Array(32).fill(value) as MessageKey);
  skipped.keep(7, 10, kept, 0);
  expect(skipped.find(8, 10, 0)).toBeNull();
  expect(skipped.find(7, 10, SKIPPED_KEY_SECONDS - 0.1)).toEqual(kept[0]);
  expect(skipped.find(7, 10, SKIPPED_KEY_SECONDS)).toBeNull();
  skipped.take(7, 10);
  expect(skipped.find(7, 10, 0)).toBeNull();
  expect(kept[0]).toEqual(new Uint8Array(32));
  expect(skipped.nextExpiry()).toBe(SKIPPED_KEY_SECONDS);
  skipped.expire(SKIPPED_KEY_SECONDS);
  expect([skipped.size, skipped.nextExpiry()]).toEqual([0, null]);
  expect(kept[1]).toEqual(new Uint8Array(32));
});

test("a chain that runs out of numbers ends the session", async () => {
  const sender = new SendingChain(key(), COUNTER_LIMIT - 1);
  (await sender.prepare(primitives)).commit();
  const error: unknown = await sender.prepare(primitives).catch((it: unknown) => it);
  expect(error).toBeInstanceOf(RatchetEndedError);
  expect(error).toMatchObject({ reason: "exhausted" });
});

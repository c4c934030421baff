import { expect, test } from "vitest";

import type { Resume } from "../../core/content/index.ts";
import { MAX_UNCONFIRMED, Outbox, OutboxFullError } from "../../core/outbox.ts";

function resume(highest: number, holes: number[], isNewPath = false): Resume {
  return { type: "resume", isNewPath, highest, holes };
}

function filled(count: number): { outbox: Outbox; frames: Uint8Array[] } {
  const outbox = new Outbox();
  const frames = Array.from({ length: count }, (_, i) => Uint8Array.of(i));
  for (const frame of frames) {
    outbox.nextNumber();
    outbox.keep(frame, 0);
  }
  return { outbox, frames };
}

test("s12 a frame is resent every 200 ms at most, and as it was", () => {
  const { outbox, frames } = filled(2);
  expect(outbox.answer(resume(2, [1]), 0.19)).toEqual([]);
  expect(outbox.answer(resume(2, [1]), 0.2)).toEqual([frames[0]]);
  expect(outbox.answer(resume(2, [1, 2]), 0.3)).toEqual([frames[1]]);
  expect(outbox.answer(resume(2, [1, 2, 7]), 0.4)).toEqual([frames[0]]);
});

test("s12 a new path brings all after the highest, once a second", () => {
  const { outbox, frames } = filled(4);
  expect(outbox.answer(resume(2, [1], true), 0.1)).toEqual([frames[0], frames[2], frames[3]]);
  expect(outbox.answer(resume(2, [1], true), 0.2)).toEqual([]);
  expect(outbox.answer(resume(2, [1], true), 1.1)).toEqual([frames[0], frames[2], frames[3]]);
});

test("what is confirmed is forgotten, and makes room", () => {
  const { outbox } = filled(MAX_UNCONFIRMED);
  expect(outbox.isFull).toBe(true);
  expect(() => outbox.nextNumber()).toThrow(OutboxFullError);
  outbox.confirm(3, 0);
  expect([outbox.unconfirmed, outbox.nextNumber()]).toEqual([MAX_UNCONFIRMED - 3, MAX_UNCONFIRMED + 1]);
  expect(outbox.answer(resume(9, [3]), 1)).toEqual([]);
});

test("an overdue confirmation is asked for after 2 s, then ever later, 15 s at most", () => {
  const { outbox } = filled(1);
  const asked: number[] = [];
  for (let at = outbox.probeAt; at !== null && asked.length < 5; at = outbox.probeAt) {
    asked.push(at);
    outbox.probed(at, 15);
  }
  expect(asked).toEqual([2, 6, 14, 29, 44]);
  outbox.confirm(1, 50);
  expect(outbox.probeAt).toBeNull();
});

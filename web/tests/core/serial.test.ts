import { expect, test } from "vitest";

import { Serial } from "../../core/serial.ts";

test("operations run one at a time, in their order, whatever they wait for", async () => {
  const serial = new Serial();
  const log: string[] = [];
  const step = async (name: string, turns: number): Promise<string> => {
    log.push(`${name} begins`);
    for (let i = 0; i < turns; i++) await Promise.resolve();
    log.push(`${name} ends`);
    return name;
  };
  const results = await Promise.all([
    serial.run(async () => step("slow", 20)),
    serial.run(async () => step("quick", 0)),
    serial.run(() => "sync"),
  ]);
  expect(results).toEqual(["slow", "quick", "sync"]);
  expect(log).toEqual(["slow begins", "slow ends", "quick begins", "quick ends"]);
});

test("one that fails throws to its caller only", async () => {
  const serial = new Serial();
  const failed = serial.run(() => {
    throw new RangeError("no");
  });
  const next = serial.run(() => 2);
  await expect(failed).rejects.toThrow(RangeError);
  expect(await next).toBe(2);
});

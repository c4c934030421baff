/** S-32: a peer cannot aim this device at odd addresses. The table is the Python client's. */

import { expect, it } from "vitest";

import { mayKnockAt } from "../../../client/rtc/addresses.ts";
import { readCandidate } from "../../../client/rtc/description.ts";
import { RtcPolicy } from "../../../core/content/index.ts";

function may(
  address: string,
  port: number,
  withLoopback = false,
  policy: RtcPolicy = RtcPolicy.ALL,
): boolean {
  const read = readCandidate(`candidate:1 1 udp 1 ${address} ${port} typ host`);
  if (read === null) throw new Error(`${address} is no address`);
  return mayKnockAt(read.candidate, policy, withLoopback);
}

it.each([
  ["192.168.1.20", 50_000, true],
  ["10.1.2.3", 1024, true],
  ["203.0.113.9", 50_000, true],
  ["192.168.1.20", 22, false],
  ["127.0.0.1", 50_000, false],
  ["0.0.0.0", 50_000, false],
  ["169.254.169.254", 50_000, false],
  ["224.0.0.251", 5353, false],
  ["255.255.255.255", 50_000, false],
  ["240.0.0.1", 50_000, false],
  ["::", 50_000, false],
  ["::1", 50_000, false],
  ["::ffff:127.0.0.1", 50_000, false],
  ["::ffff:192.168.1.20", 50_000, false],
  ["fe80::1", 50_000, false],
  ["ff02::fb", 50_000, false],
  ["64:ff9b::1", 50_000, false],
  ["fd00::9", 50_000, true],
  ["2001:db8::9", 50_000, true],
])("s32: %s port %i: %s", (address, port, expected) => {
  expect(may(address, port)).toBe(expected);
});

it("s32: this machine only where the server is on it too, and none of its services", () => {
  expect(may("127.0.0.1", 50_000, true)).toBe(true);
  expect(may("::1", 50_000, true)).toBe(true);
  expect(may("127.0.0.1", 631, true)).toBe(false);
});

it("s32: names are asked for only where addresses may be shown", () => {
  const name = "0f9e2d3c-1111-4222-8333-444455556666.local";
  expect(may(name, 50_000)).toBe(true);
  expect(may(name, 50_000, false, RtcPolicy.RELAY_ONLY)).toBe(false);
});

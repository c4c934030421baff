import { expect, test } from "vitest";

import { fromHex } from "../../core/encoding.ts";
import { HandshakeError, HandshakeReason, MalformedError } from "../../core/errors.ts";
import { asAccountId } from "../../core/ids.ts";
import { encodeSafetyQr, safetyNumber, sessionCode, verifySafetyQr } from "../../core/safety-number.ts";
import { primitives, vectors } from "../platform.ts";

const file = vectors("safety_number") as {
  numbers: { one: string; other: string; number: string }[];
  session_codes: { exporter: string; code: string }[];
  qr: { local: string; remote: string; scanned: string; result: string }[];
};

function account(hex: string): ReturnType<typeof asAccountId> {
  return asAccountId(fromHex(hex));
}

test.each(file.numbers)("safety number %#", async ({ one, other, number }) => {
  expect(await safetyNumber(primitives, account(one), account(other))).toBe(number);
});

test.each(file.session_codes)("session code %#", async ({ exporter, code }) => {
  expect(await sessionCode(primitives, fromHex(exporter))).toBe(code);
});

test.each(file.qr)("QR code %#: $result", ({ local, remote, scanned, result }) => {
  const verify = (): void => {
    verifySafetyQr(fromHex(scanned), account(local), account(remote));
  };
  if (result === "valid") expect(verify).not.toThrow();
  else if (result === "malformed") expect(verify).toThrow(MalformedError);
  else {
    expect(result).toBe(HandshakeReason.WRONG_ACCOUNT);
    expect(verify).toThrow(HandshakeError);
  }
});

test("each scans the other's screen", () => {
  const [one, other] = [account("01".repeat(32)), account("02".repeat(32))];
  verifySafetyQr(encodeSafetyQr(one, other), other, one);
  expect(() => {
    verifySafetyQr(encodeSafetyQr(one, other), one, other);
  }).toThrow(HandshakeError);
});

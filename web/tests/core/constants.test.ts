/** Codes, reasons and limits are those of the Python twin, name by name and value by value. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { DeviceKind } from "../../core/certificate.ts";
import { CloseCode, ErrorCode } from "../../core/codes.ts";
import { HandshakeReason, RatchetEnd } from "../../core/errors.ts";
import { FrameType, LineState } from "../../core/frames.ts";
import { CancelReason, DeclineReason, ListView } from "../../core/handshake/index.ts";
import * as limits from "../../core/limits.ts";
import { PreKeyKind } from "../../core/prekey.ts";
import { SignalType } from "../../core/signals.ts";
import { RESERVED } from "../../core/username.ts";

function source(path: string): string {
  return readFileSync(new URL(`../../../src/whisp/${path}`, import.meta.url), "utf8");
}

/** The members of an enumeration in a Python module. */
function members(path: string, name: string): Record<string, number | string> {
  const body =
    new RegExp(`^class ${name}\\(.*\\):\\n((?: {4}.*\\n|\\n)+)`, "mu").exec(source(path))?.[1] ?? "";
  const found = [...body.matchAll(/^ {4}([A-Z_]+) = (?:"([^"]+)"|(\w+))$/gmu)];
  return Object.fromEntries(found.map(([, member = "", text, number]) => [member, text ?? Number(number)]));
}

test.each([
  ["wire/certificate.py", "DeviceKind", DeviceKind],
  ["wire/codes.py", "CloseCode", CloseCode],
  ["wire/codes.py", "ErrorCode", ErrorCode],
  ["wire/frames.py", "FrameType", FrameType],
  ["wire/frames.py", "LineState", LineState],
  ["wire/prekey.py", "PreKeyKind", PreKeyKind],
  ["wire/signals.py", "SignalType", SignalType],
  ["core/errors.py", "HandshakeReason", HandshakeReason],
  ["core/errors.py", "RatchetEnd", RatchetEnd],
  ["core/handshake/payloads.py", "CancelReason", CancelReason],
  ["core/handshake/payloads.py", "DeclineReason", DeclineReason],
  ["core/handshake/payloads.py", "ListView", ListView],
] as const)("%s %s", (path, name, codes) => {
  const expected = members(path, name);
  expect(Object.keys(expected).length).toBeGreaterThan(1);
  expect(codes).toEqual(expected);
});

test("limits", () => {
  const lines = [...source("wire/limits.py").matchAll(/^([A-Z_]+): Final = ([\d* ]+)$/gmu)];
  const product = (text: string): number =>
    text.split("*").reduce((value, factor) => value * Number(factor), 1);
  const expected = Object.fromEntries(lines.map(([, name = "", value = ""]) => [name, product(value)]));
  expect(Object.keys(expected).length).toBeGreaterThan(8);
  expect(limits).toMatchObject(expected);
  expect(Object.keys(limits).toSorted()).toEqual([...Object.keys(expected), "MAX_FRAME_BYTES"].toSorted());
});

test("reserved names", () => {
  const listed = /RESERVED: Final[^{]*\{([^}]*)\}/u.exec(source("wire/username.py"))?.[1] ?? "";
  expect([...RESERVED]).toEqual([...listed.matchAll(/"([a-z]+)"/gu)].map(([, name]) => name));
});

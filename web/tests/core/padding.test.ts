import fc from "fast-check";
import { expect, test } from "vitest";

import { fromHex, toHex } from "../../core/encoding.ts";
import { MalformedError } from "../../core/errors.ts";
import { pad, padme, unpad } from "../../core/padding.ts";
import { vectors } from "../platform.ts";

const file = vectors("padding") as {
  lengths: [number, number][];
  padded: { content: string; floor: number; padded: string }[];
  invalid: string[];
};

test.each(file.lengths)("padme(%d) is %d", (length, padded) => {
  expect(padme(length)).toBe(padded);
});

test.each(file.padded)("padded vector %#", ({ content, floor, padded }) => {
  expect(toHex(pad(fromHex(content), floor))).toBe(padded);
  expect(toHex(unpad(fromHex(padded)))).toBe(content);
});

test.each(file.invalid)("invalid vector %#", (padded) => {
  expect(() => unpad(fromHex(padded))).toThrow(MalformedError);
});

test("what was padded comes back, and costs at most 12 %", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.constantFrom(256, 512), (content, floor) => {
      const padded = pad(content, floor);
      expect(toHex(unpad(padded))).toBe(toHex(content));
      expect(padded.length).toBeLessThanOrEqual(Math.max(floor, Math.ceil((content.length + 1) * 1.12)));
    }),
  );
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  ascii,
  compareBytes,
  concat,
  fromAscii,
  fromHex,
  lp16,
  lp32,
  parseCode,
  Reader,
  tag,
  toHex,
  u16,
  u32,
  u64,
  u8,
} from "../../core/encoding.ts";
import { LocalProtocolError, MalformedError } from "../../core/errors.ts";

test('T("hs0") is the example of the specification', () => {
  expect(toHex(tag("hs0"))).toBe("57686973702f312068733000");
});

test("numbers come back from their layouts", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xff }),
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      fc.maxSafeNat(),
      (one, two, four, eight, safe) => {
        const reader = new Reader(concat(u8(one), u16(two), u32(four), u64(eight), u64(safe)));
        expect([reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.u53()]).toEqual([
          one,
          two,
          four,
          eight,
          safe,
        ]);
        reader.finish();
      },
    ),
  );
});

test.each([
  ["u8", u8, 256],
  ["u16", u16, 65_536],
  ["u32", u32, 2 ** 32],
  ["u64", u64, 2 ** 53],
] as const)("%s refuses what does not fit", (_, encode, beyond) => {
  for (const value of [-1, 0.5, NaN, beyond]) expect(() => encode(value)).toThrow(LocalProtocolError);
  expect(() => encode(beyond - 1)).not.toThrow();
});

test("u64 refuses big integers that do not fit", () => {
  expect(() => u64(-1n)).toThrow(LocalProtocolError);
  expect(() => u64(1n << 64n)).toThrow(LocalProtocolError);
});

test("a time of 2^53 or later is malformed", () => {
  expect(new Reader(u64((1n << 53n) - 1n)).u53()).toBe(Number.MAX_SAFE_INTEGER);
  expect(() => new Reader(u64(1n << 53n)).u53()).toThrow(MalformedError);
});

test("prefixed byte strings come back", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (one, two) => {
      const reader = new Reader(concat(lp16(one), lp32(two), one));
      expect([reader.lp16(), reader.lp32(1000), reader.rest()].map(toHex)).toEqual(
        [one, two, one].map(toHex),
      );
      reader.finish();
    }),
  );
  expect(() => lp16(new Uint8Array(65_536))).toThrow(LocalProtocolError);
});

describe("a reader", () => {
  test("refuses to run past the end, over a limit, and with bytes left", () => {
    expect(() => new Reader(new Uint8Array(3)).u32()).toThrow(MalformedError);
    expect(() => new Reader(lp16(new Uint8Array(5))).lp16(4)).toThrow(MalformedError);
    expect(() => new Reader(lp32(new Uint8Array(5))).lp32(4)).toThrow(MalformedError);
    expect(new Reader(lp16(new Uint8Array(5))).lp16(5)).toHaveLength(5);
    expect(() => {
      new Reader(new Uint8Array(1)).finish();
    }).toThrow(MalformedError);
  });

  test("gives copies, also of a Buffer, whose slices share memory", () => {
    const source = Buffer.from([1, 2, 3, 4]);
    const taken = new Reader(source.subarray(1)).take(2);
    source.fill(9);
    expect([...taken]).toEqual([2, 3]);
    expect(taken.constructor).toBe(Uint8Array);
  });

  test("takes codes that are known", () => {
    const codes = { ONE: 1, TWO: 2 } as const;
    expect(new Reader(u8(2)).code(codes)).toBe(2);
    expect(() => parseCode(codes, 3)).toThrow(MalformedError);
  });
});

test("hex and ASCII come back, and nothing else is taken", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(toHex(fromHex(toHex(bytes)))).toBe(toHex(bytes));
    }),
  );
  for (const wrong of ["0", "0g", "é0", "00 "]) expect(() => fromHex(wrong)).toThrow(MalformedError);
  expect(fromAscii(ascii("odile-1"))).toBe("odile-1");
  expect(() => ascii("é")).toThrow(LocalProtocolError);
  expect(() => fromAscii(Uint8Array.of(0x80))).toThrow(MalformedError);
});

test("byte strings are ordered as Python orders them", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4 }), fc.uint8Array({ maxLength: 4 }), (left, right) => {
      expect(Math.sign(compareBytes(left, right))).toBe(Math.sign(Buffer.compare(left, right)));
    }),
  );
});

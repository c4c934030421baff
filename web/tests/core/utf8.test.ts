import fc from "fast-check";
import { expect, test } from "vitest";

import { LocalProtocolError, MalformedError } from "../../core/errors.ts";
import { decodeUtf8, encodeUtf8 } from "../../core/utf8.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

test("texts come back, in the platform's own bytes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(Buffer.from(encodeUtf8(text)).toString("hex")).toBe(Buffer.from(text, "utf8").toString("hex"));
      expect(decodeUtf8(encodeUtf8(text))).toBe(text);
    }),
  );
});

test("bytes are taken or refused as the platform's strict decoder does", () => {
  const leads = fc.constantFrom(
    0x41,
    0x7f,
    0x80,
    0xbf,
    0xc0,
    0xc1,
    0xc2,
    0xdf,
    0xe0,
    0xed,
    0xef,
    0xf0,
    0xf4,
    0xf5,
    0xff,
  );
  const bytes = fc.array(fc.oneof(leads, fc.integer({ min: 0x80, max: 0xbf }), fc.nat(255)), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(bytes, (list) => {
      const encoded = Uint8Array.from(list);
      let expected: string | undefined;
      try {
        expected = strict.decode(encoded);
      } catch {
        expect(() => decodeUtf8(encoded)).toThrow(MalformedError);
        return;
      }
      expect(decodeUtf8(encoded)).toBe(expected);
    }),
    { numRuns: 5000 },
  );
});

test("half of a surrogate pair is refused", () => {
  for (const text of ["\ud800", "a\udc00b", "\udc00\ud800"]) {
    expect(() => encodeUtf8(text)).toThrow(LocalProtocolError);
  }
});

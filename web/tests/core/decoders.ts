/** What every decoder promises: a value that encodes to the same bytes, or MalformedError. */

import fc from "fast-check";
import { expect } from "vitest";

import { toHex } from "../../core/encoding.ts";
import { MalformedError } from "../../core/errors.ts";

/** Byte strings near valid ones: altered, cut, lengthened, and plain noise. */
function near(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    sample: fc.constantFrom(...samples),
    at: fc.nat(),
    byte: fc.nat(255),
    edits: fc.nat(2),
    resize: fc.integer({ min: -3, max: 3 }),
  });
  const altered = edit.map(({ sample, at, byte, edits, resize }) => {
    const bytes = new Uint8Array(Math.max(0, sample.length + resize));
    bytes.set(sample.subarray(0, bytes.length));
    for (let i = 0; i < edits && bytes.length > 0; i++) bytes[(at * (i + 1)) % bytes.length] = byte;
    return bytes;
  });
  return fc.oneof({ weight: 4, arbitrary: altered }, fc.uint8Array({ maxLength: 200 }));
}

/** Decodes and encodes many byte strings near `samples`; nothing but MalformedError may come of it. */
export function onlyMalformed(
  samples: readonly Uint8Array[],
  again: (encoded: Uint8Array) => Uint8Array,
  numRuns = 500,
): void {
  fc.assert(
    fc.property(near(samples), (encoded) => {
      let result: Uint8Array;
      try {
        result = again(encoded);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedError);
        return;
      }
      expect(toHex(result)).toBe(toHex(encoded));
    }),
    { numRuns },
  );
}

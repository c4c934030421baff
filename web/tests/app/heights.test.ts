import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Heights } from "../../app/heights.ts";

const KEYS = Array.from({ length: 10_000 }, (_, index) => `m${index}`);

describe("a long list", () => {
  it("draws a screenful, and room for the rest", () => {
    const heights = new Heights(50);
    heights.show(KEYS);
    const window = heights.window(250_000, 250_800, 600);
    expect(window.last - window.first).toBeLessThan(60);
    expect(window.before + window.after + (window.last - window.first) * 50).toBe(heights.total);
  });

  it("knows where a row begins once those before it were measured", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { minLength: 1, maxLength: 60 }), (measured) => {
        const heights = new Heights(50);
        heights.show(KEYS.slice(0, 80));
        for (const [index, height] of measured.entries()) heights.measure(`m${index}`, height);
        const sum = measured.reduce((total, height) => total + height, 0);
        expect(heights.top(measured.length)).toBe(sum);
        expect(heights.total).toBe(sum + (80 - measured.length) * 50);
      }),
      { numRuns: 60 },
    );
  });

  it("forgets the heights of rows that are gone", () => {
    const heights = new Heights(50);
    heights.show(KEYS.slice(0, 400));
    for (const key of KEYS.slice(0, 400)) heights.measure(key, 10);
    heights.show(KEYS.slice(399, 401));
    expect(heights.total).toBe(60);
  });
});

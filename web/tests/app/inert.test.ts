import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inert, inertLine, MAX_LINE_CHARACTERS, MAX_MARKS } from "../../app/inert.ts";

describe("foreign text", () => {
  it("keeps what people write in any script", () => {
    for (const text of ["plain", "Grüße, świat", "مرحبا", "नमस्ते", "👩‍👩‍👧 family", "a\nb"]) {
      expect(inert(text)).toEqual({ text, left: 0 });
    }
  });

  it("s31 shows what could act as a visible symbol", () => {
    expect(inert("a\u001b]52;c;x\u0007b").text).toBe("a␛]52;c;x␇b");
    expect(inert("\u009b2J").text).toBe("‹9B›2J");
    expect(inert("invoice\u202egpj.exe").text).toBe("invoice‹RLO›gpj.exe");
    expect(inert("od\u200bile").text).toBe("od‹200B›ile");
    expect(inert("\ud800").text).toBe("\ufffd");
  });

  it("bounds the marks on one letter", () => {
    const { text } = inert(`z${"\u0301".repeat(10_000)}algo`);
    expect(text).toBe(`z${"\u0301".repeat(MAX_MARKS)}‹${10_000 - MAX_MARKS} marks›algo`);
  });

  it("cuts a message and says how much is missing", () => {
    expect(inert("🦆".repeat(12), 10)).toEqual({ text: "🦆".repeat(10), left: 2 });
  });

  it("keeps both ends of a long name", () => {
    const line = inertLine(`${"n".repeat(300)}\n.exe`);
    expect(Array.from(line).length).toBeLessThanOrEqual(MAX_LINE_CHARACTERS);
    expect(line.endsWith("␊.exe")).toBe(true);
  });

  it("changes nothing when it is applied again, whatever came in", () => {
    const acting = /[\p{Cc}\u202a-\u202e\u2066-\u2069\u200b\ufeff]/u;
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const once = inert(text).text;
        expect(once.replaceAll("\n", "")).not.toMatch(acting);
        expect(inert(once).text).toBe(once);
      }),
      { numRuns: 300 },
    );
  });
});

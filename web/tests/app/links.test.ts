import { describe, expect, it } from "vitest";
import { pieces } from "../../app/links.ts";

const hrefs = (text: string): readonly string[] =>
  pieces(text).flatMap((piece) => (piece.kind === "link" ? [piece.href] : []));

describe("addresses in a text", () => {
  it("finds http and https, without the full stop after them", () => {
    expect(hrefs("See https://example.org/a?b=1, or (http://example.org).")).toEqual([
      "https://example.org/a?b=1",
      "http://example.org/",
    ]);
  });

  it("s25 makes no link of anything that could run", () => {
    for (const text of [
      "javascript:alert(1)",
      "data:text/html,<script>alert(1)</script>",
      "<a href='x'>x</a>",
      "vbscript:x",
      "file:///etc/passwd",
      "https://bank.example@elsewhere.example/",
    ]) {
      expect(hrefs(text)).toEqual([]);
    }
  });

  it("loses nothing of the text", () => {
    const text = "a https://example.org/x) b <img src=x onerror=alert(1)> https://example.org.";
    expect(
      pieces(text)
        .map((piece) => piece.text)
        .join(""),
    ).toBe(text);
  });

  it("spells out a host that looks like another", () => {
    const [link] = pieces("https://аpple.example/");
    expect(link).toMatchObject({ kind: "link", host: "xn--pple-43d.example" });
  });
});

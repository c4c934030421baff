import { Buffer } from "node:buffer";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  type Content,
  decodeBody,
  decodeContent,
  decodeHead,
  encodeContent,
  type IceCandidate,
  isCounted,
  MAX_NUMBER,
  MAX_TEXT_BYTES,
} from "../../core/content/index.ts";
import { fromHex, toHex } from "../../core/encoding.ts";
import { LocalProtocolError, MalformedError } from "../../core/errors.ts";
import { asFileId, FileKey, newFileId } from "../../core/file-key.ts";
import { primitives, vectors } from "../platform.ts";
import { onlyMalformed } from "./decoders.ts";

interface Vector {
  readonly type: string;
  readonly number: number;
  readonly fields: Record<string, unknown>;
  readonly bytes: string;
}

const file = vectors("content") as {
  valid: Vector[];
  invalid: { why: string; bytes: string }[];
  unknown: { bytes: string; type: number; number: number }[];
  unknown_bye: { bytes: string; reason: number; last_number: number };
  unknown_rtc_close: { bytes: string; token: string; reason: number };
};

/** A content as the vectors describe one: snake case, hex, pairs. */
function described(content: Content): { type: string; fields: Record<string, unknown> } {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(content)) {
    if (name !== "type")
      fields[name.replace(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`)] = plain(value);
  }
  return { type: content.type.toUpperCase().replace("-", "_"), fields };
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof FileKey) return toHex(value.expose());
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) return Object.values(value).map(plain);
  return value;
}

describe("vectors", () => {
  test.each(file.valid)("$type, $number", ({ type, number, fields, bytes }) => {
    const decoded = decodeContent(fromHex(bytes));
    expect(decoded.number).toBe(number);
    const content = decoded.content as Content;
    expect(described(content)).toEqual({ type, fields });
    expect(isCounted(content)).toBe(number > 0);
    expect(toHex(encodeContent(content, number))).toBe(bytes);
  });

  test("every type is among them", () => {
    expect(new Set(file.valid.map(({ type }) => type)).size).toBe(23);
    expect(file.invalid.length).toBeGreaterThanOrEqual(67);
  });

  test.each(file.invalid)("refused: $why", ({ bytes }) => {
    expect(() => decodeContent(fromHex(bytes))).toThrow(MalformedError);
  });

  test.each(file.unknown)("of a newer version: $type", ({ bytes, type, number }) => {
    expect(decodeContent(fromHex(bytes))).toEqual({ number, content: { type: "unknown", code: type } });
  });

  test("a goodbye for a newer reason still is one", () => {
    const { bytes, reason, last_number: lastNumber } = file.unknown_bye;
    expect(decodeBody(fromHex(bytes))).toEqual({ type: "bye", reason, lastNumber });
  });

  test("a close for a newer reason reads as one that broke", () => {
    const { bytes, reason, token } = file.unknown_rtc_close;
    expect(decodeBody(fromHex(bytes))).toEqual({ type: "rtc-close", reason, token: fromHex(token) });
  });
});

test("s11 decoders throw nothing but MalformedError", () => {
  const samples = file.valid.filter(({ bytes }) => bytes.length < 2000).map(({ bytes }) => fromHex(bytes));
  onlyMalformed(
    samples,
    (encoded) => {
      const { number, content } = decodeContent(encoded);
      // an end for an unknown reason, and a content of an unknown type, are read but not written
      if (content.type === "unknown" || content.type === "bye" || content.type === "rtc-close") {
        return encoded;
      }
      return encodeContent(content, number);
    },
    2000,
  );
});

test("a head is read of what is no content", () => {
  expect(decodeHead(fromHex("01000000070000000000ff"))).toEqual({ code: 1, number: 7 });
  expect(() => decodeHead(fromHex("01000000"))).toThrow(MalformedError);
});

test("text keeps a byte order mark, zeros and everything else a person may type", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 300 }), (body) => {
      const content = { type: "text", body, replyTo: null } as const;
      expect(decodeBody(encodeContent(content, 1))).toEqual(content);
    }),
  );
  for (const body of ["\ufeffmark", "\0", "\u{10ffff}"]) {
    expect(decodeBody(encodeContent({ type: "text", body, replyTo: null }, 1))).toMatchObject({ body });
  }
});

const id = newFileId(primitives);
const key = FileKey.generate(primitives);
const offer = { type: "file-offer", fileId: id, key, size: 1, name: "n", mediaType: "" } as const;

const rtc = { token: id, policy: 1, ufrag: "name", pwd: "p".repeat(22) } as const;

function candidates(...changes: Partial<IceCandidate>[]): Content {
  const usual: IceCandidate = { kind: 1, priority: 1, address: new Uint8Array(4), port: 1 };
  const all = changes.map((change) => ({ ...usual, ...change }));
  return { type: "rtc-candidates", token: id, ufrag: "name", candidates: all };
}

test.each<[string, Content, number]>([
  ["an edit of nothing", { type: "text-edit", number: 0, body: "a" }, 1],
  ["an edit to nothing", { type: "text-edit", number: 1, body: "" }, 1],
  ["an edit of half a number", { type: "text-edit", number: 1.5, body: "a" }, 1],
  ["a long edit", { type: "text-edit", number: 1, body: "é".repeat(MAX_TEXT_BYTES / 2 + 1) }, 1],
  ["a deletion of nothing", { type: "text-delete", number: 0 }, 1],
  ["a deletion of a number over the last", { type: "text-delete", number: MAX_NUMBER + 1 }, 1],
  ["a reaction to nothing", { type: "reaction", to: { author: 2, number: 0 }, symbol: "+" }, 1],
  ["a reaction by nobody", { type: "reaction", to: { author: 0 as 1, number: 1 }, symbol: "+" }, 1],
  ["a long reaction", { type: "reaction", to: { author: 2, number: 1 }, symbol: "+".repeat(33) }, 1],
  ["a reaction with an escape", { type: "reaction", to: { author: 2, number: 1 }, symbol: "+\u001b" }, 1],
  ["a reaction of a joiner", { type: "reaction", to: { author: 2, number: 1 }, symbol: "\u200d" }, 1],
  [
    "half a surrogate pair as a reaction",
    { type: "reaction", to: { author: 2, number: 1 }, symbol: "\ud800" },
    1,
  ],
  ["an empty text", { type: "text", body: "", replyTo: null }, 1],
  ["half a surrogate pair", { type: "text", body: "\ud800", replyTo: null }, 1],
  ["a long text", { type: "text", body: "é".repeat(MAX_TEXT_BYTES / 2 + 1), replyTo: null }, 1],
  ["a reply to nothing", { type: "text", body: "a", replyTo: { author: 1, number: 0 } }, 1],
  ["an author that is none", { type: "text", body: "a", replyTo: { author: 3 as 1, number: 1 } }, 1],
  ["a text without number", { type: "text", body: "a", replyTo: null }, 0],
  ["a number over the last", { type: "text", body: "a", replyTo: null }, MAX_NUMBER + 1],
  ["half a number", { type: "text", body: "a", replyTo: null }, 1.5],
  ["typing with a number", { type: "typing", active: true }, 1],
  ["a heartbeat of no number", { type: "heartbeat", lastNumber: NaN }, 0],
  ["a receipt of another kind", { type: "receipt", kind: 3 as 1, upTo: 1, lost: [] }, 0],
  ["a file of half a byte", { ...offer, size: 0.5 }, 1],
  ["a file over 2^48", { ...offer, size: 2 ** 48 + 1 }, 1],
  ["a short file id", { type: "file-done", fileId: new Uint8Array(8) as typeof id }, 1],
  ["a cancel for reason 5", { type: "file-cancel", fileId: id, reason: 5 as 1 }, 1],
  ["a media type with a line break", { ...offer, mediaType: "a\n" }, 1],
  [
    "a port over the last",
    { type: "line-answer", token: id, addresses: [{ ip: new Uint8Array(4), port: 65_536 }] },
    1,
  ],
  ["a policy that is none", { ...rtc, type: "rtc-offer", policy: 3 as 1 }, 1],
  ["a name that ends a line", { ...rtc, type: "rtc-answer", ufrag: "name\n" }, 1],
  ["a password of other letters", { ...rtc, type: "rtc-answer", pwd: "é".repeat(22) }, 1],
  ["a candidate at no port", candidates({ port: 0 }), 1],
  ["a candidate of no kind", candidates({ kind: 4 as 1 }), 1],
  ["a candidate at any name", candidates({ address: new Uint8Array(42).fill(0x61) }), 1],
  ["seventeen candidates", candidates(...Array.from({ length: 17 }, () => ({}))), 1],
  ["an end for no reason", { type: "rtc-close", token: id, reason: 0 as 1 }, 1],
  ["a list that is none", { type: "list-update", deviceList: new Uint8Array(100) }, 1],
])("we refuse to say %s", (_, content, number) => {
  expect(() => encodeContent(content, number)).toThrow(LocalProtocolError);
});

test("what is decoded shares no memory with what it came from", () => {
  const encoded = Buffer.from(encodeContent({ type: "line-offer", token: id, addresses: [] }, 1));
  const content = decodeBody(encoded);
  encoded.fill(0);
  expect(content).toEqual({ type: "line-offer", token: id, addresses: [] });
});

test("a file's key and id have their lengths, and the key shows nothing", () => {
  expect(() => new FileKey(new Uint8Array(31))).toThrow(LocalProtocolError);
  expect(() => asFileId(new Uint8Array(15))).toThrow(LocalProtocolError);
  expect(String(key)).toBe("FileKey(<redacted>)");
  expect(() => JSON.stringify(offer)).toThrow(LocalProtocolError);
  expect(() => structuredClone(offer)).not.toThrow();
  expect(Object.keys(structuredClone(offer).key)).toEqual(["kind"]);
});

import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { ascii, concat, fromHex, toHex } from "../../core/encoding.ts";
import { LocalProtocolError, MalformedError } from "../../core/errors.ts";
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeFrame,
  type Frame,
  FrameType,
  SessionToken,
} from "../../core/frames.ts";
import { canonical, isReserved } from "../../core/username.ts";
import { vectors } from "../platform.ts";
import { onlyMalformed } from "./decoders.ts";

type Side = "client" | "server";
const file = vectors("frames") as {
  valid: {
    from: Side | "both";
    type: keyof typeof FrameType;
    fields: Record<string, string | number>;
    bytes: string;
    zeros?: number;
  }[];
  invalid: { from: Side; why: string; bytes: string; zeros?: number }[];
  usernames: { name: string; canonical: string | null; reserved: boolean }[];
};

const DECODERS: Record<Side, (encoded: Uint8Array) => Frame> = {
  client: decodeClientFrame,
  server: decodeServerFrame,
};

function whole(entry: { bytes: string; zeros?: number }): Uint8Array {
  return concat(fromHex(entry.bytes), new Uint8Array(entry.zeros ?? 0));
}

/** The fields of a decoded frame in the words of the vectors. */
function shown(frame: Frame): Record<string, string | number> {
  switch (frame.type) {
    case FrameType.HELLO:
      return { ...frame.version, token: toHex(ascii(frame.token.expose())) };
    case FrameType.WELCOME:
      return { ...frame.version };
    case FrameType.PRE_KEYS:
      return { count: frame.records.length, records: toHex(concat(...frame.records)) };
    case FrameType.PRE_KEYS_LEFT:
      return { count: frame.count };
    case FrameType.SIGNAL:
      return { device: toHex(frame.device), signal: toHex(frame.signal) };
    case FrameType.RING:
      return { device: toHex(frame.device), username: frame.username, offer: toHex(frame.offer) };
    case FrameType.ROUTE:
      return { call_id: toHex(frame.callId), device: toHex(frame.device), route: toHex(frame.route) };
    case FrameType.LINE:
      return { call_id: toHex(frame.callId), device: toHex(frame.device), state: frame.state };
    case FrameType.HANG_UP:
      return { call_id: toHex(frame.callId) };
    case FrameType.RELAY:
      return { route: toHex(frame.route), payload: toHex(frame.payload) };
  }
}

/** The fields as the vectors give them, with the zeros in the last one, and the token as hex. */
function expected(entry: (typeof file.valid)[number]): Record<string, string | number> {
  const fields = { ...entry.fields };
  if (typeof fields["token"] === "string") fields["token"] = toHex(ascii(fields["token"]));
  const last = Object.keys(fields).at(-1) ?? "";
  if (entry.zeros !== undefined) fields[last] = String(fields[last]) + "00".repeat(entry.zeros);
  return fields;
}

describe("vectors", () => {
  test.each(file.valid)("valid $type %#", (entry) => {
    const encoded = whole(entry);
    for (const side of ["client", "server"] as const) {
      if (entry.from !== side && entry.from !== "both") {
        expect(() => DECODERS[side](encoded)).toThrow(MalformedError);
        continue;
      }
      const frame = DECODERS[side](encoded);
      expect(frame.type).toBe(FrameType[entry.type]);
      expect(shown(frame)).toEqual(expected(entry));
      expect(toHex(encodeFrame(frame)) === toHex(encoded)).toBe(true);
    }
  });

  test.each(file.invalid)("s11 invalid from $from: $why", (entry) => {
    expect(() => DECODERS[entry.from](whole(entry))).toThrow(MalformedError);
  });

  test.each(file.usernames)("s21 username $name", (entry) => {
    if (entry.canonical === null) {
      expect(() => canonical(entry.name)).toThrow(MalformedError);
      return;
    }
    const form = canonical(entry.name);
    expect(form).toBe(entry.canonical);
    expect(isReserved(form)).toBe(entry.reserved);
  });
});

test("s11 decoders give a frame that encodes to the same bytes, or say that it is malformed", () => {
  const heads = file.valid.map((entry) => fromHex(entry.bytes).slice(0, 60));
  for (const decode of Object.values(DECODERS)) {
    onlyMalformed(heads, (encoded) => encodeFrame(decode(encoded)));
  }
});

test("no name but its canonical form decodes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 34 }), (name) => {
      let form: string;
      try {
        form = canonical(name);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedError);
        return;
      }
      expect(form).toMatch(/^[a-z0-9-]{3,32}$/u);
      expect(form).toBe(name.toLowerCase());
      expect(canonical(form)).toBe(form);
    }),
  );
});

test("a token never shows", () => {
  const hello: Frame = {
    type: FrameType.HELLO,
    version: { major: 1, minor: 0 },
    token: new SessionToken("secret-token"),
  };
  expect(inspect(hello, { showHidden: true })).not.toContain("secret-token");
  expect(String(hello.token)).toBe("SessionToken(<redacted>)");
  expect(() => JSON.stringify(hello)).toThrow(LocalProtocolError);
  expect(toHex(encodeFrame(hello))).toBe(`010100000c${toHex(ascii("secret-token"))}`);
});

import { describe, expect, test } from "vitest";

import { fromHex, toHex } from "../../core/encoding.ts";
import { DecryptionError, MalformedError } from "../../core/errors.ts";
import { authenticate, expand, extract, hashTranscript, openSealed, seal } from "../../core/key-schedule.ts";
import type { Primitives } from "../../core/primitives.ts";
import { primitives, vectors, withoutCurves } from "../platform.ts";

const file = vectors("key_schedule") as {
  extract: { salt: string; ikm: string; prk: string }[];
  expand: { prk: string; label: string; context: string; length: number; out: string }[];
  hash: { label: string; message: string; out: string }[];
  seal: { prk: string; label: string; th: string; plaintext: string; sealed: string }[];
  seal_invalid: { prk: string; label: string; th: string; sealed: string }[];
  dh_zero: { private: string; public: string }[];
};

describe.each<[string, Primitives]>([
  ["the platform's primitives", primitives],
  ["@noble's curves", withoutCurves],
])("%s", (_, platform) => {
  test.each(file.extract)("extract %#", async ({ salt, ikm, prk }) => {
    expect(toHex(await extract(platform, fromHex(salt), fromHex(ikm)))).toBe(prk);
  });

  test.each(file.expand)("expand %#", async ({ prk, label, context, length, out }) => {
    expect(toHex(await expand(platform, fromHex(prk), label, fromHex(context), length))).toBe(out);
  });

  test.each(file.hash)("hash %#", async ({ label, message, out }) => {
    expect(toHex(await hashTranscript(platform, label, fromHex(message)))).toBe(out);
  });

  test.each(file.seal)("seal %#", async ({ prk, label, th, plaintext, sealed }) => {
    const made = await seal(platform, fromHex(prk), label, fromHex(th), fromHex(plaintext));
    expect(toHex(made)).toBe(sealed);
    expect(toHex(await openSealed(platform, fromHex(prk), label, fromHex(th), made))).toBe(plaintext);
  });

  test.each(file.seal_invalid)("a seal that does not open %#", async ({ prk, label, th, sealed }) => {
    await expect(openSealed(platform, fromHex(prk), label, fromHex(th), fromHex(sealed))).rejects.toThrow(
      DecryptionError,
    );
  });

  test.each(file.dh_zero)("a point that yields zero %#", async (entry) => {
    const key = await platform.x25519Import(fromHex(entry.private));
    await expect(platform.x25519Agree(key, fromHex(entry.public))).rejects.toThrow(MalformedError);
  });
});

test("authenticate is HMAC-SHA-256 (RFC 4231, test case 2)", async () => {
  const mac = await authenticate(
    primitives,
    Buffer.from("Jefe"),
    Buffer.from("what do ya want for nothing?"),
  );
  expect(toHex(mac)).toBe("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
});

import { createHash, createHmac, webcrypto } from "node:crypto";
import { describe, expect, test } from "vitest";

import { toHex } from "../../core/encoding.ts";
import { ForgedError, LocalProtocolError, MalformedError, SessionEndedError } from "../../core/errors.ts";
import type { Primitives } from "../../core/primitives.ts";
import { type SubtlePart, WebCryptoPrimitives } from "../../core/webcrypto.ts";
import { fillRandom, primitives, withoutCurves } from "../platform.ts";

const message = primitives.random(100);
const BOTH: [string, Primitives, Primitives][] = [
  ["platform, then @noble", primitives, withoutCurves],
  ["@noble, then platform", withoutCurves, primitives],
];

test("the two sets of primitives under test are two", () => {
  expect(primitives.platformCurves).toEqual({ x25519: true, ed25519: true });
  expect(withoutCurves.platformCurves).toEqual({ x25519: false, ed25519: false });
});

test("a platform whose X25519 is wrong is not used for it", async () => {
  const wrong: SubtlePart = Object.create(webcrypto.subtle, {
    importKey: { value: webcrypto.subtle.importKey.bind(webcrypto.subtle) },
    sign: { value: webcrypto.subtle.sign.bind(webcrypto.subtle) },
    verify: { value: async () => Promise.resolve(true) },
    deriveBits: { value: async () => Promise.resolve(new ArrayBuffer(32)) },
  }) as SubtlePart;
  const created = await WebCryptoPrimitives.create(wrong, fillRandom);
  expect(created.platformCurves).toEqual({ x25519: false, ed25519: false });
});

describe.each(BOTH)("%s", (_, one, other) => {
  test("agree on X25519", async () => {
    const local = await one.x25519Generate();
    const remote = await other.x25519Generate();
    const secret = await one.x25519Agree(local, remote.publicKey);
    expect(toHex(secret)).toBe(toHex(await other.x25519Agree(remote, local.publicKey)));
    const again = await other.x25519Import(local.expose());
    expect(toHex(again.publicKey)).toBe(toHex(local.publicKey));
  });

  test("take each other's Ed25519 signatures", async () => {
    const key = await one.ed25519Generate();
    const signature = await one.ed25519Sign(key, message);
    await other.ed25519Verify(key.publicKey, message, signature);
    const altered = Uint8Array.from(signature);
    altered[0] = (altered[0] ?? 0) ^ 1;
    for (const wrong of [altered, signature.slice(1), new Uint8Array(64)]) {
      await expect(other.ed25519Verify(key.publicKey, message, wrong)).rejects.toThrow(ForgedError);
    }
    await expect(other.ed25519Verify(key.publicKey, message.slice(1), signature)).rejects.toThrow(
      ForgedError,
    );
    await expect(other.ed25519Verify(new Uint8Array(32).fill(255), message, signature)).rejects.toThrow(
      ForgedError,
    );
    await expect(other.ed25519Verify(key.publicKey.slice(1), message, signature)).rejects.toThrow(
      MalformedError,
    );
  });

  test("a wiped key refuses, also where the platform holds a copy", async () => {
    const agreement = await one.x25519Generate();
    await one.x25519Agree(agreement, agreement.publicKey);
    agreement.wipe();
    await expect(one.x25519Agree(agreement, agreement.publicKey)).rejects.toThrow(SessionEndedError);
    const signing = await one.ed25519Generate();
    await one.ed25519Sign(signing, message);
    signing.wipe();
    await expect(one.ed25519Sign(signing, message)).rejects.toThrow(SessionEndedError);
  });
});

describe("ML-KEM-768", () => {
  test("carries a secret", async () => {
    const key = await primitives.mlKemGenerate();
    const { sharedSecret, ciphertext } = await primitives.mlKemEncapsulate(key.publicKey);
    expect(key.publicKey).toHaveLength(1184);
    expect(ciphertext).toHaveLength(1088);
    expect(toHex(await primitives.mlKemDecapsulate(key, ciphertext))).toBe(toHex(sharedSecret));
    ciphertext[3] = (ciphertext[3] ?? 0) ^ 1;
    expect(toHex(await primitives.mlKemDecapsulate(key, ciphertext))).not.toBe(toHex(sharedSecret));
    key.wipe();
    await expect(primitives.mlKemDecapsulate(key, ciphertext)).rejects.toThrow(SessionEndedError);
  });

  test("refuses encapsulation keys out of range, and wrong lengths", async () => {
    const key = await primitives.mlKemGenerate();
    await primitives.mlKemCheck(key.publicKey);
    const top = Uint8Array.from(key.publicKey);
    top.set([0x01, 0xfd, 0xcf], 300); // two coefficients of 3329: 0xd01
    top.set([0x01, 0x0d, 0x00], 300);
    await expect(primitives.mlKemCheck(top)).rejects.toThrow(MalformedError);
    top.set([0x00, 0x10, 0xd0], 300);
    await expect(primitives.mlKemCheck(top)).rejects.toThrow(MalformedError);
    await expect(primitives.mlKemEncapsulate(top)).rejects.toThrow(MalformedError);
    top.set([0x00, 0x0d, 0xd0], 300); // 3328 and 3328
    await primitives.mlKemEncapsulate(top);
    await expect(primitives.mlKemCheck(top.slice(1))).rejects.toThrow(MalformedError);
    await expect(primitives.mlKemDecapsulate(key, new Uint8Array(1087))).rejects.toThrow(MalformedError);
    await expect(primitives.mlKemImport(new Uint8Array(63))).rejects.toThrow(MalformedError);
  });
});

test.each([0, 55, 64, 4095, 4096, 10_000])("SHA-256 of %d bytes is the same on both ways", async (length) => {
  const data = primitives.random(length);
  expect(toHex(await primitives.sha256(data))).toBe(createHash("sha256").update(data).digest("hex"));
  const mac = createHmac("sha256", message).update(data).digest("hex");
  expect(toHex(await primitives.hmacSha256(message, data))).toBe(mac);
});

test("random gives as many bytes as asked for, beyond what the platform gives at once", () => {
  const bytes = primitives.random(150_000);
  expect(bytes).toHaveLength(150_000);
  expect(bytes.slice(-64).some((byte) => byte !== 0)).toBe(true);
});

test("an AES key of another length is our own mistake", async () => {
  const nonce = new Uint8Array(12);
  await expect(primitives.aesGcmSeal(new Uint8Array(16), nonce, nonce, nonce)).rejects.toThrow(
    LocalProtocolError,
  );
});

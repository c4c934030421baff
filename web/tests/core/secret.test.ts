import { inspect } from "node:util";
import { expect, test } from "vitest";

import { LocalProtocolError, SessionEndedError } from "../../core/errors.ts";
import { isEqual, Secret } from "../../core/secret.ts";
import { primitives } from "../platform.ts";

class RootKey extends Secret {
  readonly kind = "RootKey";
}

class ChainKey extends Secret {
  readonly kind = "ChainKey";
}

const BYTES = Uint8Array.from({ length: 32 }, (_, i) => i + 100);

test("no way of printing a secret shows it", async () => {
  for (const secret of [new RootKey(BYTES), await primitives.x25519Import(BYTES)]) {
    const shown = [String(secret), inspect(secret, { showHidden: true, depth: 9 })];
    for (const text of shown) expect(text).toBe(`${secret.kind}(<redacted>)`);
    expect(() => JSON.stringify({ secret })).toThrow(LocalProtocolError);
    expect(inspect(structuredClone(secret))).not.toMatch(/100, 101|6465/u);
  }
});

test("a wiped secret refuses every use, and its copy lives on", () => {
  const secret = new RootKey(BYTES);
  const copy = secret.copy();
  expect(copy).toBeInstanceOf(RootKey);
  secret.wipe();
  secret.wipe();
  expect(secret.isWiped).toBe(true);
  expect(() => secret.expose()).toThrow(SessionEndedError);
  expect(() => secret.copy()).toThrow(SessionEndedError);
  expect([...copy.expose()]).toEqual([...BYTES]);
});

test("what was exposed does not turn into zeros under the operation that uses it", () => {
  const secret = new RootKey(BYTES);
  const exposed = secret.expose();
  secret.wipe();
  expect([...exposed]).toEqual([...BYTES]);
});

test("a secret does not share memory with what it was made of", () => {
  const source = BYTES.slice();
  const secret = new RootKey(source);
  source.fill(0);
  expect([...secret.expose()]).toEqual([...BYTES]);
});

test("secrets are equal by kind and bytes", () => {
  expect(new RootKey(BYTES).equals(new RootKey(BYTES))).toBe(true);
  expect(new RootKey(BYTES).equals(new ChainKey(BYTES))).toBe(false);
  expect(new RootKey(BYTES).equals(new RootKey(BYTES.slice(1)))).toBe(false);
});

test("isEqual compares every byte and the length", () => {
  expect(isEqual(BYTES, BYTES.slice())).toBe(true);
  expect(isEqual(BYTES, BYTES.slice(0, 31))).toBe(false);
  for (let i = 0; i < BYTES.length; i++) {
    const other = BYTES.slice();
    other[i] = 0;
    expect(isEqual(BYTES, other)).toBe(false);
  }
});

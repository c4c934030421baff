/** What the tests take from Node: its WebCrypto as `Primitives`, and the vectors beside the specification. */

import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";

import { WebCryptoPrimitives } from "../core/webcrypto.ts";

/** Fills with Node's random bytes. */
export function fillRandom(array: Uint8Array<ArrayBuffer>): void {
  webcrypto.getRandomValues(array);
}

/** The primitives of this platform. */
export const primitives = await WebCryptoPrimitives.create(webcrypto.subtle, fillRandom);

/** The content of spec/vectors/`name`.json; the file's description says its shape. */
export function vectors(name: string): unknown {
  const file = new URL(`../../spec/vectors/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8"));
}

/** The same primitives on a platform whose WebCrypto has neither X25519 nor Ed25519, as in older browsers. */
export const withoutCurves = await WebCryptoPrimitives.create(
  new Proxy(webcrypto.subtle, {
    get(subtle, name) {
      const member: unknown = Reflect.get(subtle, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]): unknown => {
        if (args.includes("X25519") || args.includes("Ed25519")) throw new Error("not supported");
        return Reflect.apply(member, subtle, args);
      };
    },
  }),
  fillRandom,
);

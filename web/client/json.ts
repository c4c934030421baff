/** What a server answers, taken apart member by member: nothing is believed to have a shape. */

import { MalformedError } from "../core/errors.ts";
import { decodeUtf8 } from "../core/utf8.ts";
import { fromBase64 } from "./base64.ts";

/** The members of one JSON object. Unknown ones are ignored, so that minor versions can add some. */
export class Members {
  readonly #members: Readonly<Record<string, unknown>>;

  private constructor(members: Readonly<Record<string, unknown>>) {
    this.#members = members;
  }

  /** Parses an object. Throws MalformedError: not UTF-8, not JSON, or no object. */
  static parse(encoded: Uint8Array): Members {
    let value: unknown;
    try {
      value = JSON.parse(decodeUtf8(encoded));
    } catch {
      throw new MalformedError("not JSON");
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new MalformedError("not a JSON object");
    }
    return new Members(value as Record<string, unknown>);
  }

  /** Whether there is such a member. */
  has(name: string): boolean {
    return Object.hasOwn(this.#members, name);
  }

  /** A text. Throws MalformedError for anything else, as do all of these. */
  text(name: string): string {
    const value = this.#member(name);
    if (typeof value !== "string") throw new MalformedError(`${name} is no text`);
    return value;
  }

  /** A whole number from 0 to 2^53. */
  count(name: string): number {
    const value = this.#member(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw new MalformedError(`${name} is no count`);
    }
    return value;
  }

  /** A truth. */
  flag(name: string): boolean {
    const value = this.#member(name);
    if (typeof value !== "boolean") throw new MalformedError(`${name} is no truth`);
    return value;
  }

  /** Bytes, from base64. */
  bytes(name: string): Uint8Array {
    return fromBase64(this.text(name));
  }

  /** A list of at most `limit` texts. */
  texts(name: string, limit: number): string[] {
    const value = this.#member(name);
    if (!Array.isArray(value) || value.length > limit) throw new MalformedError(`${name} is no such list`);
    return value.map((item: unknown) => {
      if (typeof item !== "string") throw new MalformedError(`${name} holds what is no text`);
      return item;
    });
  }

  /** A list of at most `limit` byte strings. */
  byteStrings(name: string, limit: number): Uint8Array[] {
    return this.texts(name, limit).map(fromBase64);
  }

  #member(name: string): unknown {
    return this.has(name) ? this.#members[name] : undefined;
  }
}

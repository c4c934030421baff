/** Secret bytes in types of their own: they never show, are never stored by accident, and can be dropped. */

import { LocalProtocolError, SessionEndedError } from "./errors.ts";

/** Compares two byte strings in constant time; only their lengths can show. */
export function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let i = 0; i < left.length; i++) difference |= (left[i] ?? 0) ^ (right[i] ?? 0);
  return difference === 0;
}

/**
 * What all objects that hold key material have in common: no way of printing them shows anything, and turning
 * one into JSON is an error. Their fields must be private (`#name`), so that no clone carries them either.
 */
export abstract class SecretState {
  /** The name of the kind; it tells kinds apart for the compiler, and survives a bundler. */
  abstract readonly kind: string;

  /** The kind and nothing else. */
  toString(): string {
    return `${this.kind}(<redacted>)`;
  }

  /** Throws LocalProtocolError: a secret is never stored. */
  toJSON(): never {
    throw new LocalProtocolError(`a ${this.kind} is never stored`);
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/**
 * Secret bytes. Subclass it, with a `kind` of its own, to give each kind of secret a type of its own.
 *
 * `wipe` zeroes the one copy held here; copies that `expose` gave to a primitive are beyond reach and live
 * until they are collected.
 */
export abstract class Secret extends SecretState {
  #value: Uint8Array | null;

  constructor(value: Uint8Array) {
    super();
    this.#value = Uint8Array.from(value);
  }

  /**
   * A copy of the bytes, for a primitive to use at once. A copy, since a `wipe` while an operation waits must
   * not turn its key into zeros. Throws SessionEndedError after `wipe`.
   */
  expose(): Uint8Array {
    if (this.#value === null) throw new SessionEndedError(`this ${this.kind} was wiped`);
    return this.#value.slice();
  }

  /** Zeroes and drops the bytes; once is enough, twice does no harm. */
  wipe(): void {
    this.#value?.fill(0);
    this.#value = null;
  }

  /** Whether the bytes are gone. */
  get isWiped(): boolean {
    return this.#value === null;
  }

  /** A secret of the same type and bytes that is wiped on its own. */
  copy(): this {
    const Kind = this.constructor as new (value: Uint8Array) => this;
    return new Kind(this.expose());
  }

  /** Whether `other` is of the same kind and bytes, in constant time. Throws SessionEndedError after `wipe`. */
  equals(other: Secret): boolean {
    return this.kind === other.kind && isEqual(this.expose(), other.expose());
  }
}

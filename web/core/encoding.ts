/**
 * Fixed binary layouts: big-endian integers, length-prefixed byte strings, nothing optional.
 *
 * Everything signed, hashed or authenticated uses these and no JSON (spec/overview.md, Notation).
 */

import { LocalProtocolError, MalformedError } from "./errors.ts";

const MAX_U16 = 0xffff;
const MAX_U32 = 0xffff_ffff;
const MAX_U64 = (1n << 64n) - 1n;

/** The bytes of an ASCII text. Throws LocalProtocolError for any other character. */
export function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) throw new LocalProtocolError("a text that is not ASCII");
    bytes[i] = code;
  }
  return bytes;
}

/** The text of ASCII bytes. Throws MalformedError for any byte above 127. */
export function fromAscii(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    if (byte > 0x7f) throw new MalformedError("a text that is not ASCII");
    text += String.fromCharCode(byte);
  }
  return text;
}

/**
 * T(label), the domain separator that opens everything signed, hashed or derived: ASCII
 * `"Whisp/1 " ‖ label ‖ 0x00`. The terminator keeps any tag from being another's prefix.
 */
export function tag(label: string): Uint8Array {
  return ascii(`Whisp/1 ${label}\0`);
}

/** Joins byte strings into a new one. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Encodes 0..2^8-1 in one byte. Throws LocalProtocolError for any other number, as do all of these. */
export function u8(value: number): Uint8Array {
  return Uint8Array.of(inRange(value, 0xff));
}

/** Encodes 0..2^16-1 in two bytes. */
export function u16(value: number): Uint8Array {
  inRange(value, MAX_U16);
  return Uint8Array.of(value >>> 8, value);
}

/** Encodes 0..2^32-1 in four bytes. */
export function u32(value: number): Uint8Array {
  inRange(value, MAX_U32);
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** Encodes 0..2^64-1 in eight bytes; a number must be an integer below 2^53. */
export function u64(value: number | bigint): Uint8Array {
  const wide = typeof value === "bigint" ? value : BigInt(inRange(value, Number.MAX_SAFE_INTEGER));
  if (wide < 0n || wide > MAX_U64) throw new LocalProtocolError("a number that does not fit 64 bits");
  const encoded = new Uint8Array(8);
  new DataView(encoded.buffer).setBigUint64(0, wide);
  return encoded;
}

/** Prefixes `data` (at most 65,535 bytes) with its u16 length. Throws LocalProtocolError beyond that. */
export function lp16(data: Uint8Array): Uint8Array {
  if (data.length > MAX_U16) throw new LocalProtocolError(`${data.length} bytes do not fit a 16-bit length`);
  return concat(u16(data.length), data);
}

/** Prefixes `data` with its u32 length. */
export function lp32(data: Uint8Array): Uint8Array {
  return concat(u32(data.length), data);
}

/** Lower-case hex; also the key under which maps and sets find byte strings. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The bytes of a hex text. Throws MalformedError for anything else. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/iu.test(text)) throw new MalformedError("a text that is not hex");
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** Orders byte strings as numbers of equal length are ordered: negative, zero or positive. Not for secrets. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const shorter = Math.min(left.length, right.length);
  for (let i = 0; i < shorter; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** A table of codes, written `{ NAME: number } as const`. */
export type Codes = Readonly<Record<string, number>>;

/** The code in `table` that equals `value`. Throws MalformedError for any other value. */
export function parseCode<T extends Codes>(table: T, value: number): T[keyof T] {
  for (const code of Object.values(table)) {
    if (code === value) return code as T[keyof T];
  }
  throw new MalformedError(`${value} is not a known code`);
}

/**
 * Takes fields off the front of a byte string; every method throws MalformedError when it runs out.
 *
 * What it gives are copies. Call `finish` last: trailing bytes are an error in every layout.
 */
export class Reader {
  readonly #data: Uint8Array;
  #offset = 0;

  constructor(data: Uint8Array) {
    // a plain view: subclasses such as Node's Buffer give out shared memory where `slice` must copy
    this.#data = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }

  /** How many bytes have been taken. */
  get offset(): number {
    return this.#offset;
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#data.length - this.#offset;
  }

  /** Takes exactly `length` bytes. */
  take(length: number): Uint8Array {
    if (length > this.left) throw new MalformedError(`ends ${length - this.left} bytes early`);
    const start = this.#offset;
    this.#offset += length;
    return this.#data.slice(start, this.#offset);
  }

  /** Takes one byte as a number. */
  u8(): number {
    return this.#number(1);
  }

  /** Takes a two-byte number. */
  u16(): number {
    return this.#number(2);
  }

  /** Takes a four-byte number. */
  u32(): number {
    return this.#number(4);
  }

  /** Takes an eight-byte number of any size. */
  u64(): bigint {
    const high = BigInt(this.u32());
    return (high << 32n) | BigInt(this.u32());
  }

  /** Takes an eight-byte number that must be below 2^53: times and counts. Any larger one is malformed. */
  u53(): number {
    const wide = this.u64();
    if (wide > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedError("a number beyond 2^53");
    return Number(wide);
  }

  /** Takes one byte as a code of `table`; any other value is malformed. */
  code<T extends Codes>(table: T): T[keyof T] {
    return parseCode(table, this.u8());
  }

  /** Takes a byte string prefixed by its u16 length; refuses one longer than `limit` before taking it. */
  lp16(limit: number = MAX_U16): Uint8Array {
    return this.#limited(this.u16(), limit);
  }

  /** Takes a byte string prefixed by its u32 length; refuses one longer than `limit` before taking it. */
  lp32(limit: number): Uint8Array {
    return this.#limited(this.u32(), limit);
  }

  /** Takes all that is left, possibly nothing. */
  rest(): Uint8Array {
    return this.take(this.left);
  }

  /** Throws MalformedError if anything is left. */
  finish(): void {
    if (this.left > 0) throw new MalformedError(`has ${this.left} trailing bytes`);
  }

  #number(length: number): number {
    let value = 0;
    for (const byte of this.take(length)) value = value * 256 + byte;
    return value;
  }

  #limited(length: number, limit: number): Uint8Array {
    if (length > limit) throw new MalformedError(`a field of ${length} bytes is over its limit of ${limit}`);
    return this.take(length);
  }
}

function inRange(value: number, most: number): number {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new LocalProtocolError(`a number that is not between 0 and ${most}`);
  }
  return value;
}

/** Pairs of ratchets for tests, what they say to each other, and a thief who copies one. */

import { expect } from "vitest";

import { DoubleRatchet, type RootKey } from "../../core/double-ratchet.ts";
import { toHex } from "../../core/encoding.ts";
import { KemRatchet, type PqRootKey } from "../../core/kem-ratchet.ts";
import type { ChainKey } from "../../core/message-chain.ts";
import { Direction } from "../../core/message-seal.ts";
import {
  type Encapsulation,
  type MlKemPrivateKey,
  type Primitives,
  PrivateKey,
  type X25519PrivateKey,
} from "../../core/primitives.ts";
import { Ratchet, type RatchetSecrets } from "../../core/ratchet.ts";
import { primitives } from "../platform.ts";

/** What a handshake would have made. */
export interface Handshake {
  readonly secrets: RatchetSecrets;
  /** EK_b, private. */
  readonly ratchetKey: Uint8Array;
}

/** The outcome of a handshake that has just ended. */
export function handshake(): Handshake {
  const [rootKey, pqRoot, pqChainA, pqChainB, ratchetKey] = Array.from({ length: 5 }, () =>
    primitives.random(32),
  );
  return {
    secrets: { sid: primitives.random(16), rootKey, pqRoot, pqChainA, pqChainB },
    ratchetKey,
  } as Handshake;
}

/** The ratchets of an initiator and a responder whose handshake has just ended. */
export async function pair(
  now = 0,
  made = handshake(),
  over: Primitives = primitives,
): Promise<[Ratchet, Ratchet]> {
  const key = await primitives.x25519Import(made.ratchetKey);
  return [
    Ratchet.initiator(over, made.secrets, key.publicKey, now),
    Ratchet.responder(over, made.secrets, key, now),
  ];
}

/** The bytes of an ASCII text. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Sends one message that arrives and is read; gives its frame. */
export async function tell(sender: Ratchet, receiver: Ratchet, text: string, now = 0): Promise<Uint8Array> {
  const frame = await sender.encrypt(bytes(text), now);
  expect(await receiver.decrypt(frame, now)).toEqual(bytes(text));
  return frame;
}

/** Lets both sides say something now and then, and send what is owed. */
export async function talk(a: Ratchet, b: Ratchet, start: number, end: number, every = 5): Promise<void> {
  const ways = [
    [a, b],
    [b, a],
  ] as const;
  for (let now = start; now < end; now += every) {
    for (const [sender, receiver] of ways) if (sender.canSend) await tell(sender, receiver, "hello", now);
    for (let round = 0; round < 3; round++) {
      for (const [sender, receiver] of ways) {
        if (sender.owesMessage(now)) await tell(sender, receiver, "", now);
      }
    }
  }
}

/** A text that is the same exactly when the state is: the snapshot with its buffers spelled out. */
export function digest(state: { snapshotForTesting(): unknown[] }): string {
  return JSON.stringify(spelled(state.snapshotForTesting()));
}

function spelled(value: unknown): unknown {
  if (value instanceof PrivateKey) return toHex(value.expose());
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(spelled);
  return value === Infinity ? "never" : value;
}

/** The live buffers of keys in a state, to see later whether they were zeroed. Public values are left out. */
export function keysIn(state: { snapshotForTesting(): unknown[] }): (Uint8Array | PrivateKey)[] {
  const keys: (Uint8Array | PrivateKey)[] = [];
  const open: unknown[] = [state.snapshotForTesting()];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (Array.isArray(value)) open.push(...(value as unknown[]).map((item) => item ?? 0));
    else if (value instanceof PrivateKey || (value instanceof Uint8Array && value.length === 32))
      keys.push(value);
  }
  return keys;
}

/** Whether a key is gone from memory, as far as can be seen. */
export function isZeroed(key: Uint8Array | PrivateKey): boolean {
  return key instanceof PrivateKey ? key.isWiped : key.every((byte) => byte === 0);
}

/** Primitives that keep, or give again, what was drawn at random. */
export class Recorded implements Primitives {
  readonly random = (length: number): Uint8Array => primitives.random(length);
  readonly sha256 = primitives.sha256.bind(primitives);
  readonly hmacSha256 = primitives.hmacSha256.bind(primitives);
  readonly hkdfExtract = primitives.hkdfExtract.bind(primitives);
  readonly hkdfExpand = primitives.hkdfExpand.bind(primitives);
  readonly pbkdf2Sha512 = primitives.pbkdf2Sha512.bind(primitives);
  readonly aesGcmSeal = primitives.aesGcmSeal.bind(primitives);
  readonly aesGcmOpen = primitives.aesGcmOpen.bind(primitives);
  readonly x25519Import = primitives.x25519Import.bind(primitives);
  readonly x25519Agree = primitives.x25519Agree.bind(primitives);
  readonly ed25519Generate = primitives.ed25519Generate.bind(primitives);
  readonly ed25519Import = primitives.ed25519Import.bind(primitives);
  readonly ed25519Sign = primitives.ed25519Sign.bind(primitives);
  readonly ed25519Verify = primitives.ed25519Verify.bind(primitives);
  readonly mlKemImport = primitives.mlKemImport.bind(primitives);
  readonly mlKemCheck = primitives.mlKemCheck.bind(primitives);
  readonly mlKemDecapsulate = primitives.mlKemDecapsulate.bind(primitives);

  /** What was or will be drawn, in order; a kind that runs out is drawn afresh. */
  readonly ratchetKeys: Uint8Array[] = [];
  readonly kemSeeds: Uint8Array[] = [];
  readonly encapsulations: Encapsulation[] = [];
  #at = { ratchetKeys: 0, kemSeeds: 0, encapsulations: 0 };

  /** Draws afresh from now on. */
  forget(): void {
    this.ratchetKeys.length = this.kemSeeds.length = this.encapsulations.length = 0;
    this.#at = { ratchetKeys: 0, kemSeeds: 0, encapsulations: 0 };
  }

  async x25519Generate(): Promise<X25519PrivateKey> {
    return primitives.x25519Import((this.ratchetKeys[this.#at.ratchetKeys++] ??= primitives.random(32)));
  }

  async mlKemGenerate(): Promise<MlKemPrivateKey> {
    return primitives.mlKemImport((this.kemSeeds[this.#at.kemSeeds++] ??= primitives.random(64)));
  }

  async mlKemEncapsulate(publicKey: Uint8Array): Promise<Encapsulation> {
    await primitives.mlKemCheck(publicKey);
    const drawn = (this.encapsulations[this.#at.encapsulations++] ??=
      await primitives.mlKemEncapsulate(publicKey));
    return { sharedSecret: drawn.sharedSecret.slice(), ciphertext: drawn.ciphertext.slice() };
  }
}

/** A ratchet with both its halves in reach. */
export interface Opened {
  readonly ratchet: Ratchet;
  readonly classical: DoubleRatchet;
  readonly postQuantum: KemRatchet;
}

type Operation = (ratchet: Ratchet) => Promise<unknown>;

/**
 * One side of a session that can be stolen from: whatever it did is written down, so that the same state can
 * be made again. No code of the ratchet knows of it.
 */
export class Victim {
  readonly #made: Handshake;
  readonly #isInitiator: boolean;
  readonly #recorded: Recorded;
  readonly #opened: Opened;
  readonly #log: Operation[] = [];

  private constructor(made: Handshake, isInitiator: boolean, recorded: Recorded, opened: Opened) {
    this.#made = made;
    this.#isInitiator = isInitiator;
    this.#recorded = recorded;
    this.#opened = opened;
  }

  static async create(made: Handshake, isInitiator: boolean): Promise<Victim> {
    const recorded = new Recorded();
    return new Victim(made, isInitiator, recorded, await open(made, isInitiator, recorded));
  }

  get ratchet(): Ratchet {
    return this.#opened.ratchet;
  }

  /** How much has happened so far; `stealAt` goes back there. */
  get moment(): number {
    return this.#log.length;
  }

  async encrypt(text: string, now: number): Promise<Uint8Array> {
    return (await this.#do(async (ratchet) => ratchet.encrypt(bytes(text), now))) as Uint8Array;
  }

  async decrypt(frame: Uint8Array, now: number): Promise<Uint8Array> {
    return (await this.#do(async (ratchet) => ratchet.decrypt(frame, now))) as Uint8Array;
  }

  /** A copy of all that the victim holds now, which lives on by itself. */
  async steal(): Promise<Opened> {
    const stolen = await this.stealAt(this.moment);
    expect(digest(stolen.ratchet)).toBe(digest(this.ratchet));
    return stolen;
  }

  /** A copy of all that the victim held when so much had happened. Its own randomness is fresh. */
  async stealAt(moment: number): Promise<Opened> {
    const again = new Recorded();
    again.ratchetKeys.push(...this.#recorded.ratchetKeys);
    again.kemSeeds.push(...this.#recorded.kemSeeds);
    again.encapsulations.push(...this.#recorded.encapsulations);
    const stolen = await open(this.#made, this.#isInitiator, again);
    for (const operation of this.#log.slice(0, moment)) await operation(stolen.ratchet);
    again.forget();
    return stolen;
  }

  async #do(operation: Operation): Promise<unknown> {
    this.#log.push(operation);
    return operation(this.ratchet);
  }
}

/** The ratchet that a thief puts together of two stolen halves. */
export function joined(
  made: Handshake,
  isInitiator: boolean,
  classical: Opened,
  postQuantum: Opened,
): Ratchet {
  const direction = isInitiator ? Direction.FROM_INITIATOR : Direction.FROM_RESPONDER;
  return new Ratchet(primitives, made.secrets.sid, direction, classical.classical, postQuantum.postQuantum);
}

async function open(made: Handshake, isInitiator: boolean, over: Primitives): Promise<Opened> {
  const { sid, rootKey, pqRoot, pqChainA, pqChainB } = made.secrets;
  const key = await primitives.x25519Import(made.ratchetKey);
  const direction = isInitiator ? Direction.FROM_INITIATOR : Direction.FROM_RESPONDER;
  const root = rootKey.slice() as RootKey;
  const classical = isInitiator
    ? DoubleRatchet.initiator(over, root, key.publicKey, 0)
    : DoubleRatchet.responder(over, root, key);
  const keys = {
    rootKey: pqRoot.slice() as PqRootKey,
    fromInitiator: pqChainA.slice() as ChainKey,
    fromResponder: pqChainB.slice() as ChainKey,
  };
  const postQuantum = new KemRatchet(over, direction, keys, 0);
  return { ratchet: new Ratchet(over, sid, direction, classical, postQuantum), classical, postQuantum };
}

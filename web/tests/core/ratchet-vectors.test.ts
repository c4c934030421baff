/** spec/vectors/ratchet.json: this ratchet gives every frame to the byte, and refuses every invalid one. */

import { describe, expect, test } from "vitest";

import { deriveRoot, type RootKey } from "../../core/double-ratchet.ts";
import { fromHex, toHex } from "../../core/encoding.ts";
import { decodeEnvelope, encodeHeader } from "../../core/envelope.ts";
import {
  DecryptionError,
  MalformedError,
  MessageKeyGoneError,
  RatchetEndedError,
} from "../../core/errors.ts";
import { deriveEpoch, type PqRootKey } from "../../core/kem-ratchet.ts";
import { Direction, MessageSeal } from "../../core/message-seal.ts";
import { Ratchet } from "../../core/ratchet.ts";
import type { MessageKey } from "../../core/skipped-keys.ts";
import { primitives, vectors } from "../platform.ts";
import { digest, isZeroed, keysIn, Recorded } from "./ratchets.ts";

type Side = "initiator" | "responder";

interface Send {
  readonly number: number;
  readonly event: "send";
  readonly by: Side;
  readonly at: number;
  readonly plaintext: string;
  readonly classical_key: string;
  readonly post_quantum_key: string;
  readonly frame: string;
}

interface Receive {
  readonly number: number;
  readonly event: "receive";
  readonly of: number;
  readonly at: number;
}

interface Epoch {
  readonly epoch: number;
  readonly leader: Side;
  readonly [value: string]: unknown;
}

interface Invalid {
  readonly comment: string;
  readonly to: Side;
  readonly after: number;
  readonly at: number;
  readonly expect: "malformed" | "refused" | "gone" | "protocol";
  readonly frame: string;
}

const file = vectors("ratchet") as {
  secrets: Record<
    "sid" | "root_key" | "pq_root" | "pq_chain_a" | "pq_chain_b" | "responder_ratchet_key",
    string
  >;
  ratchet_keys: Record<Side, string[]>;
  chains: Record<"ratchet_key" | "root_key" | "chain_key", string>[];
  epochs: (Epoch & Record<"seed" | "encapsulation_key" | "ciphertext" | "shared_secret", string>)[];
  events: (Send | Receive)[];
  invalid: Invalid[];
};

const sends = file.events.filter((event) => event.event === "send");

function sent(number: number): Send {
  const event = file.events[number];
  if (event?.event !== "send") throw new Error("a vector that was not sent");
  return event;
}

/** Both sides, fed the recorded keys, taken through the events. */
class Replay {
  readonly ratchets: Record<Side, Ratchet>;

  private constructor(ratchets: Record<Side, Ratchet>) {
    this.ratchets = ratchets;
  }

  static async create(): Promise<Replay> {
    const secrets = {
      sid: fromHex(file.secrets.sid),
      rootKey: fromHex(file.secrets.root_key),
      pqRoot: fromHex(file.secrets.pq_root),
      pqChainA: fromHex(file.secrets.pq_chain_a),
      pqChainB: fromHex(file.secrets.pq_chain_b),
    };
    const key = await primitives.x25519Import(fromHex(file.secrets.responder_ratchet_key));
    return new Replay({
      initiator: Ratchet.initiator(recordedFor("initiator"), secrets, key.publicKey, 0),
      responder: Ratchet.responder(recordedFor("responder"), secrets, key, 0),
    });
  }

  /** Checks every event up to `end`; before each, and after the last, calls `before` with its number. */
  async run(before: (number: number) => Promise<void>, end = file.events.length): Promise<void> {
    for (const event of file.events.slice(0, end)) {
      await before(event.number);
      if (event.event === "send") {
        const frame = await this.ratchets[event.by].encrypt(fromHex(event.plaintext), event.at);
        expect(toHex(frame)).toBe(event.frame);
      } else {
        const { by, frame, plaintext } = sent(event.of);
        const reader = this.ratchets[by === "initiator" ? "responder" : "initiator"];
        expect(toHex(await reader.decrypt(fromHex(frame), event.at))).toBe(plaintext);
      }
    }
    await before(end);
  }
}

function recordedFor(side: Side): Recorded {
  const recorded = new Recorded();
  recorded.ratchetKeys.push(...file.ratchet_keys[side].map(fromHex));
  for (const epoch of file.epochs) {
    if (epoch.leader === side) recorded.kemSeeds.push(fromHex(epoch.seed));
    else {
      const sharedSecret = fromHex(epoch.shared_secret);
      recorded.encapsulations.push({ sharedSecret, ciphertext: fromHex(epoch.ciphertext) });
    }
  }
  return recorded;
}

test("every frame is made to the byte, and read", async () => {
  const replay = await Replay.create();
  await replay.run(async () => Promise.resolve());
  expect(replay.ratchets.initiator.epoch).toBe(file.epochs.length);
  expect(replay.ratchets.responder.epoch).toBe(file.epochs.length);
});

describe("invalid", () => {
  const errors = { malformed: MalformedError, refused: DecryptionError, gone: MessageKeyGoneError };

  test.each(file.invalid)("s11 $expect, to $to: $comment", async (entry) => {
    const replay = await Replay.create();
    let tried = 0;
    await replay.run(async (number) => {
      if (number !== entry.after) return;
      tried++;
      const ratchet = replay.ratchets[entry.to];
      const before = digest(ratchet);
      const keys = keysIn(ratchet);
      const error: unknown = await ratchet.decrypt(fromHex(entry.frame), entry.at).catch((it: unknown) => it);
      if (entry.expect === "protocol") {
        expect(error).toBeInstanceOf(RatchetEndedError);
        expect(error).toMatchObject({ reason: "protocol" });
        expect(ratchet.isEnded).toBe(true);
        expect(keys.length).toBeGreaterThan(3);
        expect(keys.filter((key) => !isZeroed(key))).toEqual([]);
      } else {
        expect((error as Error).constructor).toBe(errors[entry.expect]);
        expect(digest(ratchet)).toBe(before);
        expect(ratchet.failures).toBe(entry.expect === "gone" ? 0 : 1);
      }
    }, entry.after);
    expect(tried).toBe(1);
  });

  test("a session that met every harmless one goes on as if it had not", async () => {
    const replay = await Replay.create();
    let tried = 0;
    await replay.run(async (number) => {
      for (const entry of file.invalid) {
        if (entry.after !== number || entry.expect === "protocol") continue;
        tried++;
        await expect(replay.ratchets[entry.to].decrypt(fromHex(entry.frame), entry.at)).rejects.toThrow();
      }
    });
    expect(tried).toBe(file.invalid.length - 2);
  });

  test("all kinds are among them", () => {
    expect(new Set(file.invalid.map((entry) => entry.expect)).size).toBe(4);
    expect(file.invalid.length).toBeGreaterThanOrEqual(30);
    expect(sends.length).toBeGreaterThanOrEqual(19);
  });
});

describe("derivations", () => {
  test("chains", async () => {
    let rootKey = fromHex(file.secrets.root_key) as RootKey;
    let before = await primitives.x25519Import(fromHex(file.secrets.responder_ratchet_key));
    for (const [number, chain] of file.chains.entries()) {
      const side = number % 2 === 0 ? "initiator" : "responder";
      const key = await primitives.x25519Import(fromHex(file.ratchet_keys[side][number >> 1] ?? ""));
      const derived = await deriveRoot(
        primitives,
        rootKey,
        await primitives.x25519Agree(key, before.publicKey),
      );
      expect(toHex(key.publicKey)).toBe(chain.ratchet_key);
      expect(toHex(derived.rootKey)).toBe(chain.root_key);
      expect(toHex(derived.chainKey)).toBe(chain.chain_key);
      rootKey = derived.rootKey;
      before = key;
    }
  });

  test("epochs", async () => {
    let rootKey = fromHex(file.secrets.pq_root) as PqRootKey;
    for (const epoch of file.epochs) {
      const key = await primitives.mlKemImport(fromHex(epoch.seed));
      expect(toHex(key.publicKey)).toBe(epoch.encapsulation_key);
      const secret = await primitives.mlKemDecapsulate(key, fromHex(epoch.ciphertext));
      expect(toHex(secret)).toBe(epoch.shared_secret);
      const digests = [
        await primitives.sha256(fromHex(epoch.encapsulation_key)),
        await primitives.sha256(fromHex(epoch.ciphertext)),
      ] as const;
      const keys = await deriveEpoch(primitives, rootKey, epoch.epoch, secret, ...digests);
      expect(toHex(keys.rootKey)).toBe(epoch["pq_root"]);
      expect(toHex(keys.fromInitiator)).toBe(epoch["pq_chain_a"]);
      expect(toHex(keys.fromResponder)).toBe(epoch["pq_chain_b"]);
      rootKey = keys.rootKey;
    }
  });

  test.each(sends)("message $number: its keys seal it, under its header and direction", async (event) => {
    const direction = event.by === "initiator" ? Direction.FROM_INITIATOR : Direction.FROM_RESPONDER;
    const seal = new MessageSeal(primitives, fromHex(file.secrets.sid), direction);
    const { header, encodedHeader, sealed } = decodeEnvelope(fromHex(event.frame));
    const keys = [fromHex(event.classical_key), fromHex(event.post_quantum_key)] as [MessageKey, MessageKey];
    expect(toHex(encodeHeader(header))).toBe(toHex(encodedHeader));
    expect(toHex(await seal.seal(...keys, encodedHeader, fromHex(event.plaintext)))).toBe(toHex(sealed));
    expect(toHex(await seal.open(...keys, encodedHeader, sealed))).toBe(event.plaintext);
    for (const key of keys) {
      const other = keys.map((it) => (it === key ? it.map((byte) => byte ^ 1) : it)) as typeof keys;
      await expect(seal.open(...other, encodedHeader, sealed)).rejects.toThrow(DecryptionError);
    }
  });
});

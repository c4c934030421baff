/**
 * Two ratchets over a link that loses, repeats, delays and reorders, at any times: what must always hold.
 *
 * S-05, S-08, S-11: what is delivered is what was sent, and once; a frame that does not open changes nothing; a
 * message in time is read; and while traffic flows, epochs follow one another.
 */

import fc from "fast-check";
import { expect, test } from "vitest";

import { toHex } from "../../core/encoding.ts";
import { decodeEnvelope } from "../../core/envelope.ts";
import { DecryptionError, MalformedError, MessageKeyGoneError } from "../../core/errors.ts";
import type { Ratchet } from "../../core/ratchet.ts";
import { chance, type Dice, dice } from "./dice.ts";
import { bytes, digest, pair } from "./ratchets.ts";

/** How the link treats frames. All but `delay`, in seconds, are probabilities. */
interface Weather {
  readonly loss: number;
  readonly repetition: number;
  /** Held for up to 200 s rather than up to `delay`. */
  readonly straggling: number;
  readonly forgery: number;
  readonly delay: number;
}

const CLEAR: Weather = { loss: 0, repetition: 0, straggling: 0, forgery: 0, delay: 0 };

interface Flight {
  readonly due: number;
  readonly order: number;
  readonly frame: Uint8Array;
  readonly text: string;
  readonly sentAt: number;
}

class Side {
  readonly ratchet: Ratchet;
  inbound: Flight[] = [];
  /** Orders of the frames read, to tell a repetition from a message lost to us. */
  readonly read = new Set<number>();
  /** The peer's ratchet keys in the order they were first read under. */
  readonly chains: string[] = [];

  constructor(ratchet: Ratchet) {
    this.ratchet = ratchet;
  }
}

/** Both sides, the weather, the time, and the checks. */
class World {
  readonly a: Side;
  readonly b: Side;
  readonly #dice: Dice;
  #weather: Weather;
  #now = 1000;
  #order = 0;
  #sent = 0;

  constructor(seed: number, weather: Weather, ratchets: readonly [Ratchet, Ratchet]) {
    this.#dice = dice(seed);
    this.#weather = weather;
    this.a = new Side(ratchets[0]);
    this.b = new Side(ratchets[1]);
  }

  /** Sends about so many messages in bursts and pauses, then lets the air clear. */
  async run(messages: number): Promise<void> {
    const first = await this.a.ratchet.encrypt(bytes("in CONFIRM"), this.#now);
    await this.b.ratchet.decrypt(first, this.#now);
    this.b.chains.push(nameOf(first));
    while (this.#sent < messages) {
      this.#now += -0.4 * Math.log(1 - this.#dice());
      if (chance(this.#dice, 0.01)) this.#now += this.#dice() * 60;
      const speaker = chance(this.#dice, 0.5) ? this.a : this.b;
      const burst = [1, 1, 1, 2, 8][Math.floor(this.#dice() * 5)] ?? 1;
      for (let message = 0; message < burst; message++) await this.#send(speaker, `message ${this.#sent}`);
      await this.#settle();
    }
    expect(Math.abs(this.a.ratchet.epoch - this.b.ratchet.epoch)).toBeLessThanOrEqual(1);
    await this.#clear();
  }

  /** In good weather a minute is enough for the next epoch, from wherever the bad left them. */
  async #clear(): Promise<void> {
    this.#weather = CLEAR;
    const before = Math.min(this.a.ratchet.epoch, this.b.ratchet.epoch);
    for (let second = 0; second < 66; second++) {
      this.#now++;
      await this.#send(this.a, "a clear");
      await this.#send(this.b, "b clear");
      await this.#settle();
    }
    expect(Math.min(this.a.ratchet.epoch, this.b.ratchet.epoch)).toBeGreaterThan(before);
  }

  async #send(sender: Side, text: string): Promise<void> {
    this.#sent++;
    const frame = await sender.ratchet.encrypt(bytes(text), this.#now);
    if (chance(this.#dice, this.#weather.loss)) return;
    const order = this.#order++;
    const copies = chance(this.#dice, this.#weather.repetition) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const longest = chance(this.#dice, this.#weather.straggling) ? 200 : this.#weather.delay;
      const due = this.#now + this.#dice() * longest;
      const receiver = sender === this.a ? this.b : this.a;
      receiver.inbound.push({ due, order, frame, text, sentAt: this.#now });
    }
  }

  /** Delivers what is due, and lets both sides do what they owe. */
  async #settle(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      for (const side of [this.a, this.b]) {
        const due = side.inbound.filter((flight) => flight.due <= this.#now);
        side.inbound = side.inbound.filter((flight) => flight.due > this.#now);
        due.sort((left, right) => left.due - right.due || left.order - right.order);
        for (const flight of due) await this.#deliver(side, flight);
        const deadline = side.ratchet.nextDeadline(this.#now);
        if (deadline !== null && deadline <= this.#now) side.ratchet.expire(this.#now);
        if (side.ratchet.owesMessage(this.#now)) {
          await this.#send(side, "");
          expect(side.ratchet.owesMessage(this.#now)).toBe(false);
        }
      }
    }
  }

  async #deliver(side: Side, flight: Flight): Promise<void> {
    if (side.ratchet.failures < 90 && chance(this.#dice, this.#weather.forgery)) {
      await this.#forge(side, flight.frame);
    }
    const before = chance(this.#dice, 0.1) ? digest(side.ratchet) : null;
    let text: Uint8Array;
    try {
      text = await side.ratchet.decrypt(flight.frame, this.#now);
    } catch (error) {
      expect(error).toBeInstanceOf(MessageKeyGoneError);
      if (before !== null) expect(digest(side.ratchet)).toBe(before);
      if (!side.read.has(flight.order)) expect(this.#isLate(side, flight)).toBe(true);
      return;
    }
    expect(side.read.has(flight.order)).toBe(false);
    expect(text).toEqual(bytes(flight.text));
    side.read.add(flight.order);
    const name = nameOf(flight.frame);
    if (!side.chains.slice(-6).includes(name)) side.chains.push(name);
  }

  /** Tries a changed frame: it must fail and change nothing. */
  async #forge(side: Side, frame: Uint8Array): Promise<void> {
    const position = Math.floor(this.#dice() * frame.length);
    const changed = frame.slice();
    changed[position] = (changed[position] ?? 0) ^ (1 + Math.floor(this.#dice() * 255));
    const forged = chance(this.#dice, 0.8) ? changed : frame.slice(0, position);
    const before = digest(side.ratchet);
    const error: unknown = await side.ratchet.decrypt(forged, this.#now).catch((refused: unknown) => refused);
    expect(error instanceof DecryptionError || error instanceof MalformedError).toBe(true);
    expect(digest(side.ratchet)).toBe(before);
  }

  /** Whether a bound allows this message to be lost: its age, four turns, or one epoch. */
  #isLate(side: Side, flight: Flight): boolean {
    const turnsSince = side.chains.length - 1 - side.chains.indexOf(nameOf(flight.frame));
    const { epoch } = decodeEnvelope(flight.frame).header;
    return this.#now - flight.sentAt >= 100 || turnsSince > 4 || epoch < side.ratchet.epoch - 1;
  }
}

function nameOf(frame: Uint8Array): string {
  return toHex(decodeEnvelope(frame).header.ratchetKey);
}

const weathers = fc.record<Weather>({
  loss: fc.constantFrom(0, 0.05, 0.2, 0.5),
  repetition: fc.constantFrom(0, 0.05, 0.3),
  straggling: fc.constantFrom(0, 0.02, 0.2),
  forgery: fc.constantFrom(0, 0.02),
  delay: fc.constantFrom(0, 0.3, 2, 10),
});

/** More with WHISP_RUNS, for a longer hunt. */
const numRuns = Number(process.env["WHISP_RUNS"] ?? 8);

test("s08 in any weather what is read is what was sent", { timeout: 30_000 * numRuns }, async () => {
  const schedules = fc.asyncProperty(
    fc.nat(),
    weathers,
    fc.integer({ min: 1, max: 400 }),
    async (seed, weather, messages) => {
      await new World(seed, weather, await pair(1000)).run(messages);
    },
  );
  await fc.assert(schedules, { numRuns });
});

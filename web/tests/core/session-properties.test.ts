/** Whatever a line does to frames: each content comes once, in the sender's order, or in a declared gap. */

import fc from "fast-check";
import { expect, test } from "vitest";

import type { Event } from "../../core/events.ts";
import { chance, dice, pick } from "./dice.ts";
import { Line, type Side, text } from "./sessions.ts";

type Who = 0 | 1;

/** What is known of one side. */
class Witnessed {
  readonly said: string[] = [];
  readonly got = new Set<number>();
  /** How many of its events were checked. */
  seen = 0;
  /** The number up to which it was served. */
  place = 0;
  marked = 0;
  delivered = 0;
  read = 0;
}

/** Watches both sides and compares all they report with what was really said and read. */
class Witness {
  readonly line: Line;
  readonly known: readonly [Witnessed, Witnessed] = [new Witnessed(), new Witnessed()];

  constructor(line: Line) {
    this.line = line;
  }

  async say(who: Who): Promise<void> {
    const { session } = this.line.sides[who];
    const { said } = this.known[who];
    if (session.isEnded || !session.canSend) return;
    const body = `${who}:${said.length + 1}`;
    const number = await this.line.say(this.line.sides[who], text(body));
    said.push(body);
    expect(number).toBe(said.length);
  }

  markRead(who: Who): void {
    const { session } = this.line.sides[who];
    const known = this.known[who];
    if (session.isEnded || known.place === 0) return;
    session.markRead(known.place, this.line.now);
    known.marked = known.place;
  }

  /** Compares what was reported since the last check: first what arrived, then what was confirmed. */
  check(): void {
    const fresh: [Who, Event][] = [];
    for (const who of [0, 1] as const) {
      const { events } = this.line.sides[who];
      for (const event of events.slice(this.known[who].seen)) fresh.push([who, event]);
      this.known[who].seen = events.length;
    }
    for (const [who, event] of fresh)
      this.#checkDelivery(this.known[who], this.known[who === 0 ? 1 : 0], event);
    for (const [who, event] of fresh)
      this.#checkReceipt(this.known[who], this.known[who === 0 ? 1 : 0], event);
  }

  /** Lets the line heal; then everything must have been delivered or declared lost. Gives the gaps. */
  async finish(): Promise<number> {
    for (const side of this.line.sides) if (!side.session.isEnded) await this.line.lineUp(side);
    await this.line.passTime(40);
    this.check();
    const isOver = this.line.sides.some((side) => side.session.isEnded);
    for (const who of [0, 1] as const) {
      const [known, other] = [this.known[who], this.known[who === 0 ? 1 : 0]];
      if (isOver) continue;
      expect(known.place).toBe(other.said.length);
      expect(other.delivered).toBe(known.place);
    }
    return this.line.sides.flatMap((side) => side.events).filter((event) => event.type === "gap").length;
  }

  #checkDelivery(known: Witnessed, other: Witnessed, event: Event): void {
    if (event.type === "ended") expect(event.reason).toBe("lost");
    if (event.type === "gap") {
      expect(event.first).toBe(known.place + 1);
      expect(event.count).toBeGreaterThan(0);
      known.place += event.count;
    } else if (event.type === "content-received" && event.number > 0) {
      expect(event.number).toBe(known.place + 1);
      expect(event.content).toEqual(text(other.said[event.number - 1] ?? "never said"));
      known.place = event.number;
      known.got.add(event.number);
    }
  }

  #checkReceipt(known: Witnessed, other: Witnessed, event: Event): void {
    if (event.type === "undelivered") {
      expect(event.first).toBe(known.delivered + 1);
      known.delivered = event.last;
    } else if (event.type === "delivered" || event.type === "read") {
      for (let number = event.first; number <= event.upTo; number++) expect(other.got.has(number)).toBe(true);
      if (event.type === "read") {
        expect(event.first).toBeGreaterThan(known.read);
        expect(event.upTo).toBeLessThanOrEqual(other.marked);
        known.read = event.upTo;
      } else {
        expect(event.first).toBe(known.delivered + 1);
        known.delivered = event.upTo;
      }
    }
  }
}

const KINDS = [
  ...[
    "say",
    "say",
    "say",
    "typing",
    "read",
    "deliver",
    "deliver",
    "deliver",
    "swap",
    "drop",
    "repeat",
    "tick",
  ],
  ...["wait", "long-wait", "path", "down", "up", "noise"],
] as const;

interface Action {
  readonly kind: (typeof KINDS)[number];
  readonly who: Who;
  readonly amount: number;
}

async function act(witness: Witness, side: Side, action: Action, past: Uint8Array[]): Promise<void> {
  const { line } = witness;
  const { kind, who, amount } = action;
  const [next] = side.arriving;
  if (kind === "say") await witness.say(who);
  else if (kind === "typing") await line.say(side, { type: "typing", active: amount % 2 === 0 });
  else if (kind === "read") witness.markRead(who);
  else if (kind === "deliver" && next !== undefined) {
    past.push(next);
    side.arriving.shift();
    await line.readOne(side, next);
  } else if (kind === "swap" && next !== undefined) {
    const cut = amount % side.arriving.length;
    side.arriving.push(...side.arriving.splice(0, cut));
  } else if (kind === "drop") side.arriving.shift();
  else if (kind === "repeat" && past.length > 0) {
    await line.readOne(side, past[amount % past.length] ?? new Uint8Array());
  } else if (kind === "tick") await line.tick(side);
  else if (kind === "wait") line.now += amount / 50;
  else if (kind === "long-wait") line.now += amount / 5;
  else if (kind === "down") side.session.lineDown(line.now);
  else if (kind === "path" || kind === "up") {
    if (kind === "path") side.arriving = [];
    await line.lineUp(side);
  } else if (kind === "noise") await line.readOne(side, Uint8Array.of(0x10, ...new Uint8Array(amount * 10)));
}

/** More with WHISP_RUNS, for a longer hunt. */
const numRuns = Number(process.env["WHISP_RUNS"] ?? 25);

test("s08 any schedule delivers in order with declared gaps", { timeout: 2000 * numRuns }, async () => {
  const actions = fc.array(
    fc.record<Action>({
      kind: fc.constantFrom(...KINDS),
      who: fc.constantFrom(0, 1),
      amount: fc.nat(50),
    }),
    { maxLength: 120 },
  );
  await fc.assert(
    fc.asyncProperty(actions, async (schedule) => {
      const witness = new Witness(await Line.open());
      const past: [Uint8Array[], Uint8Array[]] = [[], []];
      for (const action of schedule) {
        const side = witness.line.sides[action.who];
        if (side.session.isEnded) continue;
        await act(witness, side, action, past[action.who]);
        witness.check();
      }
      await witness.finish();
    }),
    { numRuns },
  );
});

/** Lets two people talk over a line that drops, delays, doubles and swaps; gives gaps and contents. */
async function talk(
  rate: number,
  seed: number,
  messages: number,
): Promise<{ gaps: number; contents: number }> {
  const roll = dice(seed);
  const witness = new Witness(await Line.open());
  const { line } = witness;
  let held: { at: number; who: Who; frame: Uint8Array }[] = [];
  for (let message = 0; message < messages; message++) {
    await witness.say(pick(roll, [0, 1]));
    const end = line.now + pick(roll, [0.01, 0.1, 0.5]);
    while (line.now < end) {
      line.now += 0.01;
      for (const who of [0, 1] as const) {
        const side = line.sides[who];
        await line.tick(side);
        for (const frame of side.arriving.splice(0)) {
          if (chance(roll, rate)) continue;
          const late = chance(roll, rate) ? roll() / 2 : 0;
          const arrival = { at: line.now + 0.02 + late, who, frame };
          held.push(arrival);
          if (chance(roll, rate)) held.push(arrival);
        }
      }
      const due = held.filter(({ at }) => at <= line.now);
      held = held.filter(({ at }) => at > line.now);
      for (const { who, frame } of due) {
        await line.readOne(line.sides[who], frame);
        witness.check();
      }
    }
  }
  expect(line.sides.some((side) => side.session.isEnded)).toBe(false);
  const gaps = await witness.finish();
  return { gaps, contents: witness.known[0].said.length + witness.known[1].said.length };
}

test.each([0.05, 0.2, 0.5])("s08 a bad line (%d) loses little, and nothing silently", async (rate) => {
  const { gaps, contents } = await talk(rate, 1, 120);
  expect(contents).toBeGreaterThan(60);
  expect(gaps).toBeLessThanOrEqual(contents * rate);
});

/**
 * Puts what one member sends into that member's order; what stays missing shows as a gap.
 *
 * A hole is asked for at once and again and again; after five seconds it is given up (spec/session.md, Order).
 */

import { MAX_HOLES, MAX_LOST_RUNS, type Resume, type Run } from "./content/index.ts";
import type { Delivery, Member } from "./events.ts";

/** Contents that wait behind a hole. An honest peer stops at 96; when full, the first hole is given up. */
export const MAX_HELD = 256;

/** Bytes of contents that wait behind a hole; when full, the first hole is given up. */
export const MAX_HELD_BYTES = 1024 * 1024;

/** How long a hole holds up what came after it: several tries, and no longer than a person waits. */
export const GAP_SECONDS = 5;

/**
 * How long the first request for a hole gets to be answered; each later one twice as long, up to a second.
 * Early tries matter: in a lively talk the ratchet drops the keys of overtaken messages after four turns.
 */
export const ASK_AGAIN_SECONDS = 0.25;
export const ASK_AGAIN_AT_MOST_SECONDS = 1;

/** How long a hole may close by itself before it is asked for: two paths overtake each other that much. */
export const REORDER_SECONDS = 0.02;

/** Missing numbers in a row, since when, and when to ask for them next. */
interface Hole extends Run {
  readonly since: number;
  readonly askAt: number;
  readonly patience: number;
}

interface Held {
  readonly delivery: Delivery;
  readonly size: number;
}

/** The counted contents of one member, delivered in order, each number once. Times are seconds. */
export class Inbox {
  readonly #sender: Member;
  readonly #held = new Map<number, Held>();
  #next = 1;
  /** The highest number the peer is known to have sent. */
  #known = 0;
  #heldBytes = 0;
  /** Ascending and apart. If there is one, the first begins at `#next`. */
  #holes: Hole[] = [];
  #lost: Run[] = [];

  constructor(sender: Member) {
    this.#sender = sender;
  }

  /** Every number up to this one was delivered or given up. */
  get delivered(): number {
    return this.#next - 1;
  }

  /** The numbers among them that were given up; with very many runs the oldest two count as one. */
  get lost(): readonly Run[] {
    return [...this.#lost];
  }

  /** How many contents are known of that have not come. */
  get missing(): number {
    return this.#holes.reduce((sum, hole) => sum + length(hole), 0);
  }

  /** How many contents wait behind a hole. */
  get held(): number {
    return this.#held.size;
  }

  /**
   * Takes the content that carries `number`, `size` bytes; gives what can be delivered now. A number that came
   * before, or was given up, is dropped.
   */
  receive(number: number, delivery: Delivery, size: number, now: number): Delivery[] {
    if (number < this.#next || this.#held.has(number)) return [];
    this.learn(number, now);
    this.#fill(number);
    this.#held.set(number, { delivery, size });
    this.#heldBytes += size;
    const delivered = this.#release();
    while (this.#held.size > 0 && (this.#held.size > MAX_HELD || this.#heldBytes > MAX_HELD_BYTES)) {
      delivered.push(...this.#giveUp());
    }
    return delivered;
  }

  /** Learns that the peer has sent all numbers up to this one. */
  learn(lastNumber: number, now: number): void {
    if (lastNumber <= this.#known) return;
    const tail = this.#holes.at(-1);
    if (tail?.last === this.#known && this.#holes.length > MAX_HELD) {
      // only a peer that counts up without sending gets here: its holes become one
      this.#holes[this.#holes.length - 1] = { ...tail, last: lastNumber };
    } else {
      this.#holes.push({
        first: this.#known + 1,
        last: lastNumber,
        since: now,
        askAt: now + REORDER_SECONDS,
        patience: ASK_AGAIN_SECONDS,
      });
    }
    this.#known = lastNumber;
  }

  /** Gives up holes whose time is over; gives the gaps and what they held up. */
  expire(now: number): Delivery[] {
    const delivered: Delivery[] = [];
    for (
      let hole = this.#holes[0];
      hole !== undefined && now >= hole.since + GAP_SECONDS;
      hole = this.#holes[0]
    ) {
      delivered.push(...this.#giveUp());
    }
    return delivered;
  }

  /** The peer has left after `lastNumber`: gives what is held, with its gaps, and how long the lost tail is. */
  finish(lastNumber: number): { readonly deliveries: Delivery[]; readonly lost: number } {
    const deliveries: Delivery[] = [];
    while (this.#held.size > 0) deliveries.push(...this.#giveUp());
    return { deliveries, lost: Math.max(lastNumber, this.#known) - this.delivered };
  }

  /** A request for holes that are due to be asked for; null if none is. */
  ask(now: number): Resume | null {
    return this.#holes.some((hole) => now >= hole.askAt) ? this.#resume(false, this.#known, now) : null;
  }

  /** The request that opens a new path; every hole gets its full time again. */
  askOnNewPath(now: number): Resume {
    const received = Math.max(this.delivered, ...this.#held.keys());
    this.#holes = this.#holes.map((hole) => ({ ...hole, since: now, patience: ASK_AGAIN_SECONDS }));
    return this.#resume(true, received, now);
  }

  /** When `ask` or `expire` next has something to do; null without holes. */
  nextDeadline(): number | null {
    const first = this.#holes[0];
    if (first === undefined) return null;
    return this.#holes.reduce((least, hole) => Math.min(least, hole.askAt), first.since + GAP_SECONDS);
  }

  #resume(isNewPath: boolean, highest: number, now: number): Resume {
    const named: number[] = [];
    this.#holes = this.#holes.map((hole) => {
      const last = Math.min(hole.last, highest, hole.first + MAX_HOLES - named.length - 1);
      if (last < hole.first) return hole;
      for (let number = hole.first; number <= last; number++) named.push(number);
      const patience = Math.min(2 * hole.patience, ASK_AGAIN_AT_MOST_SECONDS);
      return { ...hole, askAt: now + hole.patience, patience };
    });
    return { type: "resume", isNewPath, highest, holes: named };
  }

  #fill(number: number): void {
    const index = this.#holes.findIndex((hole) => hole.first <= number && number <= hole.last);
    const hole = this.#holes[index];
    if (hole === undefined) return;
    const rest = [
      { ...hole, last: number - 1 },
      { ...hole, first: number + 1 },
    ];
    this.#holes.splice(index, 1, ...rest.filter((part) => length(part) > 0));
  }

  #release(): Delivery[] {
    const released: Delivery[] = [];
    for (let held = this.#held.get(this.#next); held !== undefined; held = this.#held.get(this.#next)) {
      this.#held.delete(this.#next);
      this.#heldBytes -= held.size;
      this.#next++;
      released.push(held.delivery);
    }
    return released;
  }

  #giveUp(): Delivery[] {
    const hole = this.#holes.shift();
    if (hole === undefined) return [];
    const { first, last } = hole;
    this.#next = last + 1;
    const before = this.#lost.at(-1);
    if (before?.last === first - 1) this.#lost[this.#lost.length - 1] = { first: before.first, last };
    else this.#lost.push({ first, last });
    const [oldest, second] = this.#lost;
    if (this.#lost.length > MAX_LOST_RUNS && oldest !== undefined && second !== undefined) {
      this.#lost.splice(0, 2, { first: oldest.first, last: second.last });
    }
    const gap = { type: "gap", sender: this.#sender, first, count: length(hole) } as const;
    return [gap, ...this.#release()];
  }
}

function length(run: Run): number {
  return run.last - run.first + 1;
}

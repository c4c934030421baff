/** Two sessions with real ratchets, and a line between them that a test can break. */

import type { Content } from "../../core/content/index.ts";
import { MESSAGE_FLOOR, pad } from "../../core/padding.ts";
import type { ContentReceived, Event, Member } from "../../core/events.ts";
import { asAccountId, asDeviceId } from "../../core/ids.ts";
import { Secret } from "../../core/key-schedule.ts";
import type { Primitives } from "../../core/primitives.ts";
import type { Ratchet } from "../../core/ratchet.ts";
import { type HeldList, Session } from "../../core/session.ts";
import { primitives } from "../platform.ts";
import { handshake, pair } from "./ratchets.ts";

export const START = 1_000_000;

export const ALICE = member(0x41);
export const BOB = member(0x42);

function member(letter: number): Member {
  const account = asAccountId(new Uint8Array(32).fill(letter));
  return { account, device: asDeviceId(new Uint8Array(16).fill(letter)) };
}

/** Stands in for what the handshake exports. */
export class TestExporter extends Secret {
  readonly kind = "TestExporter";
}

/** One session, its ratchet, what it reported, and the frames on their way to it. */
export class Side {
  readonly session: Session;
  readonly ratchet: Ratchet;
  readonly events: Event[] = [];
  arriving: Uint8Array[] = [];

  constructor(session: Session, ratchet: Ratchet) {
    this.session = session;
    this.ratchet = ratchet;
  }

  /** Contents in the order they were delivered. */
  get received(): ContentReceived[] {
    return this.events.filter((event) => event.type === "content-received");
  }

  /** The bodies of the texts it was given, in order. */
  get texts(): string[] {
    return this.received.map(({ content }) => (content.type === "text" ? content.body : ""));
  }
}

/** A text as its content. */
export function text(body: string): Content {
  return { type: "text", body, replyTo: null };
}

/** The event of Alice's counted content. */
export function fromAlice(number: number, body: string): Event {
  return { type: "content-received", sender: ALICE, number, content: text(body) };
}

/** Two sides and a clock. Frames wait in `arriving` until `deliver` or a test moves them. */
export class Line {
  now = START;
  readonly alice: Side;
  readonly bob: Side;
  /** Which frames never arrive. */
  loses: (frame: Uint8Array) => boolean = () => false;

  private constructor(alice: Side, bob: Side) {
    this.alice = alice;
    this.bob = bob;
  }

  /** Both sessions as a handshake leaves them: CONFIRM's first message is read. */
  static async open(heldList?: HeldList, over: Primitives = primitives): Promise<Line> {
    const made = handshake();
    const { sid } = made.secrets;
    const ratchets = await pair(START, made, over);
    const [alice, bob] = ratchets.map((ratchet, index) => {
      const [local, remote] = index === 0 ? [ALICE, BOB] : [BOB, ALICE];
      const exporter = new TestExporter(new Uint8Array(32).fill(0x65));
      const lists = heldList === undefined ? {} : { heldList };
      const parts = { primitives: over, ratchet, sid, exporter, local, remote, now: START, ...lists };
      return new Side(new Session(parts), ratchet);
    }) as [Side, Side];
    await bob.session.receive(await alice.session.opening(START), START);
    return new Line(alice, bob);
  }

  /** Both sides, Alice first. */
  get sides(): readonly [Side, Side] {
    return [this.alice, this.bob];
  }

  /** The far end. */
  other(side: Side): Side {
    return side === this.alice ? this.bob : this.alice;
  }

  /** Sends a content, puts its frame on the line, and gives its number. */
  async say(side: Side, content: Content): Promise<number> {
    const sent = await side.session.send(content, this.now);
    if (sent.frame !== null) this.other(side).arriving.push(sent.frame);
    return sent.number;
  }

  /** Lets a side receive one frame, and puts what it resends on the line. */
  async readOne(side: Side, frame: Uint8Array): Promise<Event[]> {
    const events = await side.session.receive(frame, this.now);
    side.events.push(...events);
    for (const event of events) {
      if (event.type === "resend-frames") this.other(side).arriving.push(...event.frames);
    }
    return events;
  }

  /** Lets Alice's ratchet carry these content bytes to Bob, whatever they are. */
  async sayRaw(encoded: Uint8Array): Promise<Event[]> {
    return this.readOne(this.bob, await this.alice.ratchet.encrypt(pad(encoded, MESSAGE_FLOOR), this.now));
  }

  /** Lets a side do what is due. */
  async tick(side: Side): Promise<void> {
    if (side.session.isEnded) return;
    const due = await side.session.tick(this.now);
    side.events.push(...due.events);
    this.other(side).arriving.push(...due.frames);
  }

  /** A new path: puts what opens it on the line. */
  async lineUp(side: Side): Promise<void> {
    this.other(side).arriving.push(...(await side.session.lineUp(this.now)));
  }

  /** Moves frames until none is under way. */
  async deliver(): Promise<void> {
    while (this.sides.some((side) => side.arriving.length > 0)) {
      for (const side of this.sides) {
        for (let frame = side.arriving.shift(); frame !== undefined; frame = side.arriving.shift()) {
          if (!side.session.isEnded && !this.loses(frame)) await this.readOne(side, frame);
        }
      }
    }
  }

  /** Lets time pass, doing everything when it is due, frames arriving at once. */
  async passTime(seconds: number): Promise<void> {
    const end = this.now + seconds;
    for (let turn = 0; ; turn++) {
      if (turn > 10_000) throw new Error("a deadline that never passes");
      await this.deliver();
      const live = this.sides.filter((side) => !side.session.isEnded);
      const due = Math.min(...live.map((side) => side.session.nextDeadline(this.now)));
      if (due > end) break;
      this.now = Math.max(this.now, due);
      for (const side of live) {
        if (side.session.nextDeadline(this.now) <= this.now) await this.tick(side);
      }
    }
    this.now = end;
    await this.deliver();
  }

  /** Loses everything under way; gives how many frames that was. */
  drop(): number {
    const lost = this.alice.arriving.length + this.bob.arriving.length;
    this.alice.arriving = [];
    this.bob.arriving = [];
    return lost;
  }
}

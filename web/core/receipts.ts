/**
 * Receipts both ways: what this side owes the peer, and what the peer has confirmed.
 *
 * A receipt names only what was decrypted and delivered in order (spec/session.md, Receipts).
 */

import { type Receipt, ReceiptKind, type Run } from "./content/index.ts";
import type { Event, Member } from "./events.ts";

/** How long a receipt waits for company: not seen by a person, and one frame instead of many in a burst. */
export const RECEIPT_SECONDS = 0.05;

/** So many deliveries are confirmed at once without waiting: a quarter of what a sender may have open. */
export const RECEIPT_COUNT = 24;

/** When to tell the peer how far its contents got. Times are seconds. */
export class OwedReceipts {
  #read = 0;
  #toldDelivered = 0;
  #toldRead = 0;
  #dueAt: number | null = null;

  /** When a receipt should leave; null while none is owed. */
  get dueAt(): number | null {
    return this.#dueAt;
  }

  /** Owes a receipt for everything up to `delivered`, soon, or at once if that is much. */
  deliver(delivered: number, now: number): void {
    if (delivered - this.#toldDelivered >= RECEIPT_COUNT) this.#dueAt = now;
    else if (delivered > this.#toldDelivered) this.#owe(now);
  }

  /** Owes a receipt that the person saw everything up to `number`. */
  read(number: number, now: number): void {
    if (number <= this.#read) return;
    this.#read = number;
    this.#owe(now);
  }

  /** Owes the last receipts again: the peer may not have got them. */
  repeat(now: number): void {
    this.#toldDelivered = this.#toldRead = 0;
    this.#owe(now);
  }

  /** The receipts to send now, none if the peer was told all there is. */
  take(delivered: number, lost: readonly Run[]): Receipt[] {
    this.#dueAt = null;
    const receipts: Receipt[] = [];
    if (this.#read > this.#toldRead) receipts.push(receiptFor(ReceiptKind.READ, this.#read, lost));
    if (delivered > Math.max(this.#toldDelivered, receipts.length > 0 ? this.#read : 0)) {
      receipts.push(receiptFor(ReceiptKind.DELIVERED, delivered, lost));
    }
    this.#toldDelivered = delivered;
    this.#toldRead = this.#read;
    return receipts;
  }

  #owe(now: number): void {
    this.#dueAt ??= now + RECEIPT_SECONDS;
  }
}

/** How far the peer says our contents got, told as events, each number once for each kind. */
export class ConfirmedReceipts {
  readonly #sender: Member;
  #delivered = 0;
  #read = 0;

  constructor(sender: Member) {
    this.#sender = sender;
  }

  /** What this receipt says that none before it said. */
  receive(receipt: Receipt): Event[] {
    const { kind, upTo, lost } = receipt;
    const sender = this.#sender;
    const events: Event[] = [];
    if (upTo > this.#delivered) {
      for (const { first, last, isLost } of split(this.#delivered + 1, upTo, lost)) {
        if (isLost) events.push({ type: "undelivered", sender, first, last });
        else events.push({ type: "delivered", sender, first, upTo: last });
      }
      this.#delivered = upTo;
    }
    if (kind === ReceiptKind.READ && upTo > this.#read) {
      for (const { first, last, isLost } of split(this.#read + 1, upTo, lost)) {
        if (!isLost) events.push({ type: "read", sender, first, upTo: last });
      }
      this.#read = upTo;
    }
    return events;
  }
}

function receiptFor(kind: ReceiptKind, upTo: number, lost: readonly Run[]): Receipt {
  const below = lost
    .filter((run) => run.first <= upTo)
    .map(({ first, last }) => ({ first, last: Math.min(last, upTo) }));
  return { type: "receipt", kind, upTo, lost: below };
}

/** Cuts the numbers `first` to `last` into runs, each wholly lost or wholly not. */
function split(first: number, last: number, lost: readonly Run[]): (Run & { readonly isLost: boolean })[] {
  const parts: (Run & { readonly isLost: boolean })[] = [];
  let from = first;
  for (const run of lost) {
    if (run.last < from || run.first > last) continue;
    if (run.first > from) parts.push({ first: from, last: run.first - 1, isLost: false });
    parts.push({ first: Math.max(from, run.first), last: Math.min(last, run.last), isLost: true });
    from = run.last + 1;
  }
  if (from <= last) parts.push({ first: from, last, isLost: false });
  return parts;
}

/** Texts of a call that are edited, deleted or reacted to, by either side: the next state of it. */

import { type CallState, entryOf } from "./call-state.ts";
import { replace } from "./log.ts";
import { type Entry, NO_REACTIONS, type QuoteView, type TextEntry } from "./models.ts";

/** Returns the newest own text that can be edited, `null` if there is none. */
export function lastOwn(log: readonly Entry[]): TextEntry | null {
  const found = log.findLast((entry): entry is TextEntry => isChangeable(entry) && entry.own);
  return found ?? null;
}

/** Whether the other side can be told of a change to this entry: a text of either that came and stands. */
export function isChangeable(entry: Entry): entry is TextEntry & { readonly id: number } {
  return (
    entry.kind === "text" && entry.id !== null && entry.state !== "deleted" && entry.progress !== "failed"
  );
}

/** Edits a text. The entry is unknown, or no text, or deleted: nothing changes. */
export function edited(call: CallState, key: string | null, text: string): CallState {
  return changed(call, key, (entry) => ({ ...entry, text, state: "edited" }));
}

/** Deletes a text: nothing of it is kept, neither in its place nor above answers to it. */
export function deleted(call: CallState, key: string | null): CallState {
  const next = changed(call, key, (entry) => ({
    ...entry,
    text: "",
    quote: null,
    state: "deleted",
    reactions: NO_REACTIONS,
  }));
  if (next === call) return call;
  const entry = key === null ? null : entryOf(call, key);
  const isTheirs = entry?.kind === "text" && !entry.own;
  return isTheirs ? { ...next, unread: next.unread.filter((id) => id !== entry.id) } : next;
}

/** Sets the reaction of one side to a text; "" takes it back. */
export function reacted(
  call: CallState,
  key: string | null,
  by: "own" | "theirs",
  symbol: string,
): CallState {
  const entry = key === null ? null : entryOf(call, key);
  if (entry === null || !isChangeable(entry) || entry.reactions[by] === symbol) return call;
  const reactions = { ...entry.reactions, [by]: symbol };
  return { ...call, log: replace(call.log, { ...entry, reactions }) };
}

/** Returns the key of the text with that number, `null` if it fell out of the log. */
export function keyOf(call: CallState, own: boolean, id: number): string | null {
  const found = call.log.entries.findLast(
    (entry) => entry.kind === "text" && entry.own === own && entry.id === id,
  );
  return found?.key ?? null;
}

function changed(call: CallState, key: string | null, change: (entry: TextEntry) => TextEntry): CallState {
  const entry = key === null ? null : entryOf(call, key);
  if (entry === null || !isChangeable(entry)) return call;
  const next = change(entry);
  const entries = call.log.entries.map((one): Entry => {
    if (one.key === key) return next;
    const isQuoted = one.kind === "text" && one.quote !== null && quotes(one.quote, entry);
    return isQuoted ? { ...one, quote: { own: entry.own, id: entry.id, text: next.text } } : one;
  });
  return { ...call, log: { ...call.log, entries } };
}

function quotes(quote: QuoteView, entry: TextEntry): boolean {
  return quote.own === entry.own && quote.id === entry.id;
}

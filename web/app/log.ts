/** The log of one call as a bounded list: what falls out at the old end is counted, and gone. */

import { type Entry, MAX_ENTRIES } from "./models.ts";

export interface Log {
  readonly entries: readonly Entry[];
  readonly forgotten: number;
}

export const EMPTY_LOG: Log = { entries: [], forgotten: 0 };

/** Returns `log` with `entry` as its newest, without the oldest ones above `limit`. */
export function append(log: Log, entry: Entry, limit: number = MAX_ENTRIES): Log {
  const surplus = Math.max(0, log.entries.length + 1 - limit);
  const kept = surplus > 0 ? log.entries.slice(surplus) : log.entries;
  return { entries: [...kept, entry], forgotten: log.forgotten + surplus };
}

/** Returns `log` with the entry of the same key replaced; unchanged if it is no longer there. */
export function replace(log: Log, entry: Entry): Log {
  const index = log.entries.findLastIndex((one) => one.key === entry.key);
  return index < 0 ? log : { entries: log.entries.with(index, entry), forgotten: log.forgotten };
}

/**
 * One call as the page sees it: what is said, done and heard goes in, and the next state comes out. Nothing here
 * waits, asks or draws.
 */

import type { CallEvent, CallView as CallFacts, FileView } from "../client/messages.ts";
import { deleted, edited, keyOf, reacted } from "./call-changes.ts";
import { append, EMPTY_LOG, type Log, replace } from "./log.ts";
import {
  type CallView,
  type Entry,
  type FileEntry,
  type FileFault,
  type LineView,
  MAX_FILES_BYTES,
  NO_REACTIONS,
  type NoteEntry,
  type PeerView,
  type Progress,
  type QuoteView,
  type TextEntry,
} from "./models.ts";

/** How long a call is held without a line, seconds (spec/session.md). */
export const HOLD_SECONDS = 60;

/** A moment of transfer before a rate can be told, seconds. */
const RATE_SECONDS = 1;

/** A transfer since it last began to move. */
interface Moving {
  readonly since: number;
  readonly from: number;
}

export interface CallState {
  /** The worker's number for it. */
  readonly id: number;
  readonly peer: PeerView;
  readonly startedAt: number;
  readonly sessionCode: string;
  readonly line: LineView;
  readonly directAsk: CallView["directAsk"];
  readonly log: Log;
  /** When they were last heard to type; `null` if they stopped. */
  readonly typingSince: number | null;
  readonly lastKey: number;
  /** The highest number of theirs that was on the screen, and that came. */
  readonly readUpTo: number;
  readonly unread: readonly number[];
  /** Texts and files, either way. */
  readonly said: number;
  readonly saved: number;
  /** What to save a file as. */
  readonly safeNames: ReadonlyMap<string, string>;
  readonly moving: ReadonlyMap<string, Moving>;
  /** The browser can write a file while it arrives. */
  readonly canStream: boolean;
}

/** Begins a call. */
export function begin(facts: CallFacts, peer: PeerView, canStream: boolean, now: number): CallState {
  const fresh: CallState = {
    id: facts.id,
    peer,
    startedAt: facts.startedAt,
    sessionCode: facts.sessionCode,
    line: facts.line === "direct" ? { state: "direct" } : { state: "relayed" },
    directAsk: "none",
    log: EMPTY_LOG,
    typingSince: null,
    lastKey: 0,
    readUpTo: 0,
    unread: [],
    said: 0,
    saved: 0,
    safeNames: new Map(),
    moving: new Map(),
    canStream,
  };
  return note(fresh, peer.comparedAt === null ? "firstContact" : "sameKey", now);
}

/** What the screens draw of it. */
export function viewOf(call: CallState): CallView {
  return {
    peer: call.peer,
    startedAt: call.startedAt,
    line: call.line,
    directAsk: call.directAsk,
    log: call.log.entries,
    forgotten: call.log.forgotten,
    unread: call.unread.length,
    typing: call.typingSince !== null,
    sessionCode: call.sessionCode,
  };
}

/** Takes what the worker tells, except the end. */
export function receive(
  call: CallState,
  event: Exclude<CallEvent, { type: "ended" }>,
  now: number,
): CallState {
  switch (event.type) {
    case "text-received": {
      const { id, text, at } = event;
      const quote = event.replyTo === null ? null : quoteOf(call, event.replyTo.isOwn, event.replyTo.id);
      const [key, next] = newKey(call);
      const said: TextEntry = {
        kind: "text",
        key,
        own: false,
        id,
        text,
        at,
        progress: "delivered",
        quote,
        state: "said",
        reactions: NO_REACTIONS,
      };
      const added = add({ ...next, typingSince: null }, said);
      return id > added.readUpTo ? { ...added, unread: [...added.unread, id].slice(-1000) } : added;
    }
    case "text-edited":
      return edited({ ...call, typingSince: null }, keyOf(call, false, event.id), event.text);
    case "text-deleted":
      return deleted(call, keyOf(call, false, event.id));
    case "reacted":
      return reacted(call, keyOf(call, event.to.isOwn, event.to.id), "theirs", event.symbol);
    case "delivered":
      return progress(call, event.first, event.id, "delivered");
    case "read":
      return progress(call, event.first, event.id, "read");
    case "undelivered":
      return progress(call, event.first, event.id, "failed");
    case "typing":
      return { ...call, typingSince: event.active ? now : null };
    case "file-offered":
      return addFile(call, event.file, false, now);
    case "file-progress":
      return moved(call, event.fileId, event.done, now);
    case "file-completed":
      return completed(call, event.fileId, event.blob);
    case "file-cancelled":
      return cancelled(call, event.fileId, event.reason);
    case "gap":
      return note(call, "lost", now, event.count);
    case "line-changed":
      return lineChanged(call, event.line, event.heldUntil, now);
    case "direct-requested":
      return { ...call, directAsk: "theirs" };
    case "direct-refused": {
      const asked = call.directAsk !== "none";
      const answered: CallState = { ...call, directAsk: "none" };
      return asked ? note(answered, "stayRelayed", now) : answered;
    }
  }
}

// Texts

/** Puts an own text on its way. Returns the state and the entry's key. */
export function say(call: CallState, text: string, replyTo: string | null, now: number): [CallState, string] {
  const [key, next] = newKey(call);
  const quoted = replyTo === null ? null : entryOf(call, replyTo);
  const isQuotable = quoted?.kind === "text" && quoted.id !== null && quoted.state !== "deleted";
  const quote: QuoteView | null = isQuotable ? { own: quoted.own, id: quoted.id, text: quoted.text } : null;
  const entry: TextEntry = {
    kind: "text",
    key,
    own: true,
    id: null,
    text,
    at: now,
    progress: "waiting",
    quote,
    state: "said",
    reactions: NO_REACTIONS,
  };
  return [add(next, entry), key];
}

/** The worker took an own text under this number. */
export function sent(call: CallState, key: string, id: number): CallState {
  const entry = entryOf(call, key);
  if (entry?.kind !== "text") return call;
  return change(call, { ...entry, id, progress: call.line.state === "held" ? "waiting" : "sent" });
}

/** An own text did not leave. */
export function notSent(call: CallState, key: string): CallState {
  const entry = entryOf(call, key);
  return entry?.kind === "text" ? change(call, { ...entry, progress: "failed" }) : call;
}

/** Tries an own text again, in its place. Returns null if there is nothing to try. */
export function again(call: CallState, key: string): CallState | null {
  const entry = entryOf(call, key);
  if (entry?.kind !== "text" || entry.progress !== "failed") return null;
  return change(call, { ...entry, id: null, progress: "waiting" });
}

/** Their messages up to this number were on the screen. Returns null if that is no news. */
export function markRead(call: CallState, id: number): CallState | null {
  if (id <= call.readUpTo) return null;
  return { ...call, readUpTo: id, unread: call.unread.filter((one) => one > id) };
}

/** Stops believing in typing that nothing was heard of. */
export function typingFaded(call: CallState): CallState {
  return call.typingSince === null ? call : { ...call, typingSince: null };
}

function progress(call: CallState, first: number, last: number, to: Progress): CallState {
  const entries = call.log.entries.map((entry): Entry => {
    if (entry.kind !== "text" || !entry.own || entry.id === null) return entry;
    if (entry.id < first || entry.id > last || entry.progress === to || entry.progress === "read")
      return entry;
    return { ...entry, progress: to };
  });
  const isNews = entries.some((entry, index) => entry !== call.log.entries[index]);
  return isNews ? { ...call, log: { ...call.log, entries } } : call;
}

function quoteOf(call: CallState, own: boolean, id: number): QuoteView | null {
  const found = call.log.entries.findLast(
    (entry): entry is TextEntry => entry.kind === "text" && entry.own === own && entry.id === id,
  );
  return found === undefined ? null : { own, id, text: found.text };
}

// Files

/** Puts a file on the log that one of the two offers. */
export function addFile(call: CallState, file: FileView, own: boolean, now: number): CallState {
  const [key, next] = newKey(call);
  const entry: FileEntry = {
    kind: "file",
    key,
    own,
    fileId: file.id,
    name: file.name,
    size: file.size,
    moved: 0,
    left: null,
    at: now,
    state: "offered",
    fault: null,
    room: own ? "memory" : roomFor(call, file.size),
    content: null,
  };
  const safeNames = new Map(next.safeNames).set(file.id, file.safeName);
  return add({ ...next, safeNames }, entry);
}

/** An own file that could not even be offered. */
export function fileRefused(call: CallState, file: File, fault: FileFault, now: number): CallState {
  const [key, next] = newKey(call);
  return add(next, {
    kind: "file",
    key,
    own: true,
    fileId: key,
    name: file.name,
    size: file.size,
    moved: 0,
    left: null,
    at: now,
    state: "stopped",
    fault,
    room: "memory",
    content: null,
  });
}

/** An offer was accepted here: it moves, or waits for the line. */
export function accepted(call: CallState, fileId: string): CallState {
  const file = fileOf(call, fileId);
  if (file?.state !== "offered") return call;
  return change(call, { ...file, state: call.line.state === "held" ? "paused" : "moving" });
}

/** An offer could not be accepted into memory; it stands. */
export function noRoom(call: CallState, fileId: string): CallState {
  const file = fileOf(call, fileId);
  return file === null ? call : change(call, { ...file, state: "offered", room: withoutMemory(call) });
}

/** A transfer ended without the file. */
export function stopped(call: CallState, fileId: string, fault: FileFault): CallState {
  const file = fileOf(call, fileId);
  if (file === null || file.state === "done" || file.state === "saved" || file.state === "stopped")
    return call;
  return change(dropMoving(call, fileId), { ...file, state: "stopped", fault, left: null });
}

/** The person saved a file that is in memory. */
export function saved(call: CallState, fileId: string): CallState {
  const file = fileOf(call, fileId);
  if (file?.state !== "done") return call;
  return change({ ...call, saved: call.saved + 1 }, { ...file, state: "saved" });
}

/** Returns the file of that id, `null` if it fell out of the log. */
export function fileOf(call: CallState, fileId: string): FileEntry | null {
  const found = call.log.entries.findLast(
    (entry): entry is FileEntry => entry.kind === "file" && entry.fileId === fileId,
  );
  return found ?? null;
}

function moved(call: CallState, fileId: string, done: number, now: number): CallState {
  const file = fileOf(call, fileId);
  if (file === null || (file.state !== "moving" && file.state !== "offered" && file.state !== "paused"))
    return call;
  const known = call.moving.get(fileId);
  const start = known ?? { since: now, from: done };
  const passed = now - start.since;
  const rate = passed >= RATE_SECONDS ? (done - start.from) / passed : 0;
  const left = rate > 0 ? Math.max(0, (file.size - done) / rate) : null;
  const moving = known === undefined ? new Map(call.moving).set(fileId, start) : call.moving;
  return change({ ...call, moving }, { ...file, state: "moving", moved: Math.min(done, file.size), left });
}

function completed(call: CallState, fileId: string, blob: Blob | null): CallState {
  const file = fileOf(call, fileId);
  if (file === null) return call;
  const whole: FileEntry = {
    ...file,
    moved: file.size,
    left: null,
    fault: null,
    state: "done",
    content: blob,
  };
  const settled = dropMoving(call, fileId);
  if (file.own || blob !== null) return change(settled, whole);
  return change({ ...settled, saved: settled.saved + 1 }, { ...whole, state: "saved" });
}

function cancelled(
  call: CallState,
  fileId: string,
  reason: Extract<CallEvent, { type: "file-cancelled" }>["reason"],
): CallState {
  if (reason === "too_large") return noRoom(call, fileId);
  const own = fileOf(call, fileId)?.own ?? false;
  return stopped(call, fileId, faultOf(reason, own));
}

/** How a reason of the client is told, of an own file or one of theirs. */
export function faultOf(reason: string | null, own: boolean): FileFault {
  switch (reason ?? "") {
    case "declined":
      return own ? "theyDeclined" : "declined";
    case "cancelled":
    case "damaged":
    case "unreadable":
    case "unwritable":
    case "ended":
      return reason as FileFault;
    case "peer_cancelled":
      return "theyCancelled";
    case "disk_full":
      return "diskFull";
    default:
      return "failed";
  }
}

function roomFor(call: CallState, size: number): FileEntry["room"] {
  let taken = 0;
  for (const entry of call.log.entries) {
    if (entry.kind !== "file" || entry.own) continue;
    if (entry.content !== null || entry.state === "moving" || entry.state === "paused") taken += entry.size;
  }
  return taken + size <= MAX_FILES_BYTES ? "memory" : withoutMemory(call);
}

function withoutMemory(call: CallState): FileEntry["room"] {
  return call.canStream ? "disk" : "none";
}

function dropMoving(call: CallState, fileId: string): CallState {
  if (!call.moving.has(fileId)) return call;
  const moving = new Map(call.moving);
  moving.delete(fileId);
  return { ...call, moving };
}

// The line

function lineChanged(
  call: CallState,
  line: Extract<CallEvent, { type: "line-changed" }>["line"],
  heldUntil: number | null,
  now: number,
): CallState {
  if (line === "gone") return call;
  if (line === "held") {
    const until = heldUntil ?? now + HOLD_SECONDS;
    return pauseFiles({
      ...call,
      line: {
        state: "held",
        heldUntil: until,
        holdSeconds: Math.max(1, Math.min(HOLD_SECONDS, until - now)),
        nextTryAt: null,
        attempt: 0,
      },
      typingSince: null,
    });
  }
  const before = call.line.state;
  const back = before === "held" ? resume(call) : call;
  const directAsk = line === "direct" ? "none" : call.directAsk;
  const next: CallState = { ...back, line: { state: line }, directAsk };
  const last = lastLine(call);
  return last === line ? next : note(next, line === "direct" ? "wentDirect" : "wentRelayed", now);
}

/** The server is being tried again, at this time and as the so manieth attempt. */
export function trying(call: CallState, nextTryAt: number | null, isNew: boolean): CallState {
  if (call.line.state !== "held") return call;
  const attempt = call.line.attempt + (isNew ? 1 : 0);
  return { ...call, line: { ...call.line, nextTryAt, attempt } };
}

/** Which line the log last spoke of. */
function lastLine(call: CallState): "relayed" | "direct" {
  if (call.line.state !== "held") return call.line.state;
  const said = call.log.entries.findLast(
    (entry): entry is NoteEntry =>
      entry.kind === "note" && (entry.note === "wentDirect" || entry.note === "wentRelayed"),
  );
  return said?.note === "wentDirect" ? "direct" : "relayed";
}

function pauseFiles(call: CallState): CallState {
  return eachEntry({ ...call, moving: new Map() }, (entry) =>
    entry.kind === "file" && entry.state === "moving" ? { ...entry, state: "paused", left: null } : entry,
  );
}

function resume(call: CallState): CallState {
  return eachEntry(call, (entry) => {
    if (entry.kind === "file" && entry.state === "paused") return { ...entry, state: "moving" };
    if (entry.kind === "text" && entry.own && entry.id !== null && entry.progress === "waiting") {
      return { ...entry, progress: "sent" };
    }
    return entry;
  });
}

// The log

function note(call: CallState, what: NoteEntry["note"], now: number, count = 0): CallState {
  const [key, next] = newKey(call);
  return { ...next, log: append(next.log, { kind: "note", key, note: what, at: now, count }) };
}

function add(call: CallState, entry: TextEntry | FileEntry): CallState {
  return { ...call, said: call.said + 1, log: append(call.log, entry) };
}

function change(call: CallState, entry: Entry): CallState {
  return { ...call, log: replace(call.log, entry) };
}

function eachEntry(call: CallState, changed: (entry: Entry) => Entry): CallState {
  const entries = call.log.entries.map(changed);
  return { ...call, log: { ...call.log, entries } };
}

function newKey(call: CallState): [string, CallState] {
  const lastKey = call.lastKey + 1;
  return [`e${lastKey}`, { ...call, lastKey }];
}

/** Returns the entry of that key, `null` if it fell out of the log. */
export function entryOf(call: CallState, key: string): Entry | null {
  return call.log.entries.findLast((entry) => entry.key === key) ?? null;
}

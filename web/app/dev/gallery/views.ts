/** Fixed views of every screen, with the people of the renders. */

import type { AppView, CallView, Entry, PeerView, Stage } from "../../models.ts";
import { DEFAULT_SETTINGS, openingView } from "../../source.ts";

const at = (month: number, day: number, hour: number, minute: number, second = 0): number =>
  new Date(2026, month - 1, day, hour, minute, second).getTime() / 1000;

/** The moment at which the gallery stands still. */
export const NOW = at(11, 21, 14, 7);

const ODILE: PeerView = { name: "odile", comparedAt: at(11, 3, 10, 0), metAt: at(9, 1, 9, 0), web: true };
const SEFA: PeerView = { name: "sefa", comparedAt: null, metAt: at(8, 18, 9, 0), web: false };
const NEW: PeerView = { name: "teo", comparedAt: null, metAt: null, web: false };

/** A small picture: a grey sky over a brown shore, drawn here so that nothing is fetched. */
function picture(): Blob {
  const canvas = document.createElement("canvas");
  canvas.width = 608;
  canvas.height = 304;
  const draw = canvas.getContext("2d");
  if (draw !== null) {
    const sky = draw.createLinearGradient(0, 0, 0, 304);
    sky.addColorStop(0, "#a9b7c4");
    sky.addColorStop(0.5, "#e8cfbb");
    sky.addColorStop(0.52, "#a3a3a2");
    sky.addColorStop(1, "#51463f");
    draw.fillStyle = sky;
    draw.fillRect(0, 0, 608, 304);
  }
  const [, encoded = ""] = canvas.toDataURL("image/png").split(",");
  return new Blob([Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0))]);
}

function said(key: string, own: boolean, text: string, minute: number, more: Partial<Entry> = {}): Entry {
  const progress = own ? "read" : "delivered";
  return {
    kind: "text",
    key,
    own,
    id: Number(key.slice(1)),
    text,
    at: at(11, 21, 14, minute),
    progress,
    quote: null,
    state: "said",
    reactions: { own: "", theirs: "" },
    ...more,
  } as Entry;
}

function file(key: string, own: boolean, name: string, more: Partial<Entry>): Entry {
  return {
    kind: "file",
    key,
    own,
    fileId: key,
    name,
    size: 18_400_000,
    moved: 0,
    left: null,
    at: at(11, 21, 14, 6),
    state: "offered",
    fault: null,
    room: "memory",
    content: null,
    ...more,
  } as Entry;
}

const START: readonly Entry[] = [
  { kind: "note", key: "n1", note: "sameKey", at: NOW, count: 0 },
  said("t1", false, "I have ten minutes before my shift.", 2),
  said("t2", true, "That is plenty. Nothing with your name on it, please.", 2, { progress: "delivered" }),
];

const TALK = (): readonly Entry[] => [
  said("t1", false, "I have ten minutes before my shift.", 2),
  said("t2", true, "That is plenty. Nothing with your name on it, please.", 2),
  file("f1", false, "outfall.png", { size: 412_000, moved: 412_000, state: "done", content: picture() }),
  said("t3", true, "Is that the new pipe, or the one from the permit?", 5, {
    quote: { own: false, id: 1, text: "This morning, east side." },
  }),
  said("t4", false, "The new one. It is on no drawing.", 5),
  file("f2", false, "inspection-notes.pdf", { state: "moving", moved: 11_400_000, left: 6 }),
  said("t5", true, "Thank you. I will read it tonight.", 7, { progress: "delivered" }),
];

const FOREIGN: readonly Entry[] = [
  { kind: "note", key: "n2", note: "firstContact", at: NOW, count: 0 },
  said("t1", false, "مرحبًا، هل وصلك الملف؟", 2),
  said("t2", true, "See https://example.org/report?id=7, then https://аpple.example/ and tell me.", 3),
  said("t3", false, "invoice\u202egpj.exe, and a\u0007 bell", 4),
  said("t4", true, "line one\nline two\n\nline four", 4, { progress: "waiting" }),
  said("t5", true, "This one stayed here.", 5, { progress: "failed" }),
  { kind: "note", key: "n3", note: "lost", at: NOW, count: 3 },
  file("f3", false, "a-very-long-name-of-a-file-that-has-to-wrap-somewhere-because-it-never-ends.tar.gz", {}),
  file("f4", true, "plan.odt", { state: "offered" }),
  file("f5", false, "film.mkv", { size: 9_400_000_000, room: "disk" }),
  file("f6", false, "notes.txt", { state: "stopped", fault: "damaged" }),
  file("f7", true, "map.png", { state: "paused", moved: 7_000_000 }),
  said("t6", false, "😀", 6),
];

function many(): readonly Entry[] {
  const words = "The tide comes in twice a day and nobody asks it why it went away in the first place";
  return Array.from({ length: 10_000 }, (_, index) =>
    said(
      `m${index}`,
      index % 3 === 0,
      words.slice(0, 8 + ((index * 37) % 76)).repeat(1 + (index % 4)),
      index % 60,
    ),
  );
}

function call(more: Partial<CallView>): Stage {
  return {
    at: "call",
    call: {
      peer: ODILE,
      startedAt: NOW - 760,
      line: { state: "relayed" },
      directAsk: "none",
      log: TALK(),
      forgotten: 0,
      unread: 0,
      typing: true,
      sessionCode: "48 213 905",
      ...more,
    },
  };
}

const CONTACTS = [
  { name: "odile", presence: "online", comparedAt: NOW, newKey: false },
  { name: "teo", presence: "online", comparedAt: null, newKey: false },
  { name: "dr-hallam", presence: "recently", comparedAt: NOW, newKey: false },
  { name: "anouk", presence: "out", comparedAt: NOW, newKey: false },
  { name: "bruno-and-lena", presence: "unknown", comparedAt: null, newKey: false },
  { name: "sefa", presence: "out", comparedAt: null, newKey: true },
  { name: "kestrel-desk", presence: "out", comparedAt: NOW, newKey: false },
] as const;

const HOME: Stage = { at: "home", contacts: CONTACTS, answer: { kind: "none" } };
const HELD = { state: "held", heldUntil: NOW + 20, holdSeconds: 60, nextTryAt: NOW + 3, attempt: 2 } as const;

function view(stage: Stage, more: Partial<AppView> = {}): AppView {
  return {
    ...openingView("whisp.example.org", DEFAULT_SETTINGS),
    me: "mira",
    connection: { state: "online" },
    stage,
    ...more,
  };
}

const DIGITS = [
  "48213",
  "90566",
  "17740",
  "02958",
  "63127",
  "85409",
  "31196",
  "70483",
  "25571",
  "94038",
  "11862",
  "50347",
];
const QR = Uint8Array.from({ length: 82 }, (_, index) => (index * 89 + 7) % 256);

/** Every screen by name. */
export const SCREENS: Readonly<Record<string, () => AppView>> = {
  starting: () => openingView("whisp.example.org"),
  onboarding: () =>
    view({ at: "onboarding", answer: "none", busy: false, problem: "none", lost: false }, { me: "" }),
  "onboarding-taken": () =>
    view({ at: "onboarding", answer: "taken", busy: false, problem: "unreachable", lost: true }, { me: "" }),
  unlock: () => view({ at: "locked", reason: "start", opener: "passphrase", problem: "wrong", busy: false }),
  locked: () => view({ at: "locked", reason: "panic", opener: "passphrase", problem: "none", busy: false }),
  home: () => view(HOME),
  "home-empty": () => view({ at: "home", contacts: [], answer: { kind: "none" } }),
  "home-down": () => view(HOME, { connection: { state: "down", why: "silent", retryAt: null } }),
  notfound: () =>
    view({ at: "home", contacts: CONTACTS, answer: { kind: "notFound", name: "odlie", retryAt: NOW + 8 } }),
  declined: () =>
    view({ at: "home", contacts: CONTACTS, answer: { kind: "ringEnd", name: "odile", end: "declined" } }),
  "ring-out": () => view({ at: "ringOut", peer: ODILE, startedAt: NOW - 12 }),
  "ring-in": () => view({ at: "ringIn", peer: ODILE, endsAt: NOW + 24 }),
  "ring-in-new": () => view({ at: "ringIn", peer: NEW, endsAt: NOW + 24 }),
  "chat-start": () => view(call({ log: START, typing: false, startedAt: NOW - 38 })),
  chat: () => view(call({})),
  "chat-foreign": () => view(call({ log: FOREIGN, peer: SEFA, typing: false })),
  "chat-direct": () =>
    view(call({ line: { state: "direct" } }), { settings: { ...DEFAULT_SETTINGS, direct: true } }),
  "chat-asked": () => view(call({ directAsk: "theirs" })),
  "chat-many": () => view(call({ log: many(), forgotten: 12 })),
  offline: () => view(call({ line: HELD, typing: false })),
  "offline-short": () => view(call({ line: { ...HELD, heldUntil: NOW + 58 }, typing: false })),
  safety: () =>
    view(HOME, {
      safety: { name: "odile", digits: DIGITS, qr: QR, comparedAt: null, newKey: false, scan: "none" },
    }),
  "safety-scanned": () =>
    view(HOME, {
      safety: { name: "odile", digits: DIGITS, qr: QR, comparedAt: NOW, newKey: false, scan: "differs" },
    }),
  unusable: () => view({ at: "unusable" }, { me: "" }),
  "locked-passkey": () =>
    view({ at: "locked", reason: "locked", opener: "passkey", problem: "passkey", busy: false }),
  "locked-damaged": () =>
    view({ at: "locked", reason: "start", opener: "none", problem: "damaged", busy: false }),
  notice: () => view(HOME, { notice: { kind: "lies", name: "sefa" } }),
  updated: () => view(HOME, { updated: true }),
  keychanged: () =>
    view({ at: "stopped", name: "sefa", why: { kind: "key", compared: true, since: at(8, 18, 9, 0) } }),
  stopped: () => view({ at: "stopped", name: "odile", why: { kind: "tampered" } }),
  gone: () =>
    view({
      at: "gone",
      name: "odile",
      seconds: 760,
      messages: 14,
      saved: 0,
      theirs: "says",
      wipesWithin: 60,
    }),
  "gone-silent": () =>
    view({
      at: "gone",
      name: "odile",
      seconds: 3661,
      messages: 1,
      saved: 1,
      theirs: "silent",
      wipesWithin: 60,
    }),
  settings: () => view(HOME),
  stored: () => view(HOME),
  erased: () => view({ at: "erased", name: "mira" }),
};

import { describe, expect, it } from "vitest";
import type { CallEvent } from "../../client/messages.ts";
import type { Entry, FileEntry, TextEntry } from "../../app/models.ts";
import { MAX_FILES_BYTES } from "../../app/models.ts";
import {
  atHome,
  drawn,
  Failure,
  FACTS,
  fileView,
  happen,
  inCall,
  NOW,
  ODILE,
  RING,
  settled,
  type World,
} from "./fake-worker.ts";

const log = (world: World): readonly Entry[] => world.at("call").call.log;
const texts = (world: World): readonly TextEntry[] => log(world).filter((entry) => entry.kind === "text");
const files = (world: World): readonly FileEntry[] => log(world).filter((entry) => entry.kind === "file");
const text = (id: number, said: string): CallEvent => ({
  type: "text-received",
  id,
  text: said,
  at: NOW,
  replyTo: null,
});

describe("ringing out", () => {
  it("leads to a call that begins with what is known of the key", async () => {
    const world = await inCall();
    const { call } = world.at("call");
    expect(call.peer).toEqual({ name: "odile", comparedAt: NOW - 500, metAt: NOW - 900, web: true });
    expect(call.log).toMatchObject([{ kind: "note", note: "sameKey" }]);
    const stranger = await inCall({ contacts: () => [] });
    expect(log(stranger)).toMatchObject([{ note: "firstContact" }]);
  });

  it.each([
    ["NotFoundError", { kind: "notFound", retryAt: null }],
    ["InvalidUsernameError", { kind: "notFound", retryAt: null }],
    ["RateLimitedError", { kind: "slowed", retryAt: NOW + 8 }],
    ["DeclinedError", { kind: "ringEnd", end: "declined" }],
    ["BusyError", { kind: "ringEnd", end: "busy" }],
    ["NoAnswerError", { kind: "ringEnd", end: "noAnswer" }],
    ["RefusedIdentityError", { kind: "ringEnd", end: "identity" }],
    ["RevokedError", { kind: "ringEnd", end: "identity" }],
    ["TransportError", { kind: "ringEnd", end: "unreachable" }],
    ["SomethingNew", { kind: "ringEnd", end: "failed" }],
  ])("that fails with %s is told beside the contacts", async (name, answer) => {
    const world = await atHome({
      call: () => {
        throw new Failure(name, { retryAfter: 8 });
      },
    });
    world.source.actions.ring("odile");
    world.at("ringOut");
    await settled();
    expect(world.at("home").answer).toEqual({ name: "odile", ...answer });
  });

  it("s04 stops at a changed key, says since when the old one was known, and shows the new number", async () => {
    const world = await atHome({
      call: () => {
        throw new Failure("KeyChangedError", { reason: "odile" });
      },
      newSafetyNumber: () => ({ digits: "11111 22222", qr: new Uint8Array(3) }),
    });
    world.source.actions.ring("odile");
    world.worker.emit({ type: "key-changed", username: "odile" });
    world.worker.emit({ type: "contacts", contacts: [{ ...ODILE, verifiedAt: null, hasNewKey: true }] });
    await settled();
    expect(world.at("stopped").why).toEqual({ kind: "key", compared: true, since: NOW - 500 });
    world.source.actions.openSafety("odile");
    await settled();
    expect(world.source.view().safety).toMatchObject({ newKey: true, digits: ["11111", "22222"] });
    expect(world.worker.calls("safetyNumber")).toHaveLength(0);
    world.source.actions.acceptNewKey("odile");
    await settled();
    expect(world.worker.calls("acceptNewKey")).toEqual([["odile"]]);
    expect(world.worker.calls("markVerified")).toEqual([["odile", true]]);
    world.at("home");
  });

  it("can be stopped, and hangs up what was accepted in that moment", async () => {
    let accept: (facts: typeof FACTS) => void = () => undefined;
    const world = await atHome({
      call: async () =>
        new Promise((resolve) => {
          accept = resolve;
        }),
    });
    world.source.actions.ring("odile");
    await settled();
    world.source.actions.stopRinging();
    world.at("home");
    accept(FACTS);
    await settled();
    world.at("home");
    expect(world.worker.calls("hangUp")).toEqual([[FACTS.id]]);
  });

  it("looks someone up without ringing", async () => {
    const world = await atHome({ discover: () => true });
    world.source.actions.find("odile");
    expect(world.at("home").answer.kind).toBe("looking");
    await settled();
    expect(world.at("home")).toMatchObject({
      answer: { kind: "none" },
      contacts: [{ name: "odile", presence: "online" }],
    });
    expect(world.worker.calls("call")).toHaveLength(0);
  });
});

describe("being rung", () => {
  it("leads to a call", async () => {
    const world = await atHome({ acceptRing: () => FACTS });
    world.worker.emit({ type: "ring", ring: RING });
    expect(world.at("ringIn")).toMatchObject({
      endsAt: RING.expiresAt,
      peer: { comparedAt: ODILE.verifiedAt },
    });
    world.source.actions.accept();
    world.source.actions.accept();
    await settled();
    world.at("call");
    expect(world.worker.calls("acceptRing")).toEqual([[RING.id]]);
  });

  it("can be declined", async () => {
    const world = await atHome();
    world.worker.emit({ type: "ring", ring: RING });
    world.source.actions.decline();
    world.at("home");
    expect(world.worker.calls("declineRing")).toEqual([[RING.id, false]]);
  });

  it.each([
    ["cancelled", "cancelled"],
    ["elsewhere", "elsewhere"],
    ["timed_out", "timedOut"],
    ["failed", "failed"],
  ] as const)("that ends as %s is told", async (end, told) => {
    const world = await atHome();
    world.worker.emit({ type: "ring", ring: RING });
    world.worker.emit({ type: "ring-ended", ring: RING.id, end });
    expect(world.at("home").answer).toEqual({ kind: "ringEnd", name: "odile", end: told });
  });

  it("is told when it was over before it was accepted", async () => {
    const world = await atHome({
      acceptRing: () => {
        throw new Failure("RingOverError", { reason: "cancelled" });
      },
    });
    world.worker.emit({ type: "ring", ring: RING });
    world.source.actions.accept();
    await settled();
    expect(world.at("home").answer).toEqual({ kind: "ringEnd", name: "odile", end: "cancelled" });
  });

  it("in a call, is busy and changes nothing", async () => {
    const world = await inCall();
    const before = world.source.view();
    world.worker.emit({ type: "ring", ring: { ...RING, id: 9, caller: "teo" } });
    expect(world.source.view()).toBe(before);
    expect(world.worker.calls("declineRing")).toEqual([[9, true]]);
  });

  it("by whom one rings at the same moment is left to the client", async () => {
    const world = await atHome({ call: async () => new Promise(() => undefined) });
    world.source.actions.ring("odile");
    world.worker.emit({ type: "ring", ring: RING });
    world.at("ringOut");
    expect(world.worker.calls("declineRing")).toEqual([]);
  });
});

describe("texts", () => {
  it("wait, are sent, delivered and read", async () => {
    const world = await inCall({ sendText: (_, said) => ({ id: 4, text: said, at: NOW, replyTo: null }) });
    world.source.actions.sendText("hello", null);
    expect(texts(world)).toMatchObject([{ own: true, text: "hello", progress: "waiting", id: null }]);
    await settled();
    expect(texts(world)).toMatchObject([{ progress: "sent", id: 4 }]);
    happen(world, { type: "delivered", id: 5, first: 1 });
    expect(texts(world)).toMatchObject([{ progress: "delivered" }]);
    happen(world, { type: "read", id: 5, first: 1 });
    happen(world, { type: "delivered", id: 5, first: 1 });
    expect(texts(world)).toMatchObject([{ progress: "read" }]);
  });

  it("that did not leave can be tried again, in their place and with their quote", async () => {
    const world = await inCall({
      sendText: () => {
        throw new Failure("TransportError");
      },
    });
    happen(world, text(1, "a question"));
    world.source.actions.sendText("an answer", texts(world)[0]?.key ?? "");
    await settled();
    const [, answer] = texts(world);
    expect(answer).toMatchObject({ progress: "failed", quote: { own: false, id: 1, text: "a question" } });
    world.answers.sendText = () => ({ id: 2, text: "", at: NOW, replyTo: null });
    world.source.actions.retryText(answer?.key ?? "");
    await settled();
    expect(texts(world)[1]).toMatchObject({ key: answer?.key, progress: "sent", id: 2 });
    expect(world.worker.calls("sendText").at(-1)).toEqual([7, "an answer", { isOwn: false, id: 1 }]);
  });

  it("that the other side gave up on are not sent", async () => {
    const world = await inCall({ sendText: () => ({ id: 2, text: "", at: NOW, replyTo: null }) });
    world.source.actions.sendText("lost", null);
    await settled();
    happen(world, { type: "undelivered", id: 2, first: 2 });
    expect(texts(world)).toMatchObject([{ progress: "failed" }]);
  });

  it("are not sent when they are too long or empty", async () => {
    const world = await inCall();
    world.source.actions.sendText("é".repeat(16_385), null);
    world.source.actions.sendText("", null);
    expect(world.worker.calls("sendText")).toEqual([]);
  });

  it("carry what they answer", async () => {
    const world = await inCall({ sendText: () => ({ id: 1, text: "", at: NOW, replyTo: null }) });
    world.source.actions.sendText("mine", null);
    await settled();
    happen(world, { ...text(1, "theirs"), replyTo: { isOwn: true, id: 1 } } as CallEvent);
    happen(world, { ...text(2, "of nothing"), replyTo: { isOwn: true, id: 99 } } as CallEvent);
    expect(texts(world).slice(1)).toMatchObject([{ quote: { own: true, text: "mine" } }, { quote: null }]);
  });

  it("are read once, when they were on the screen", async () => {
    const world = await inCall();
    happen(world, text(1, "one"));
    happen(world, text(2, "two"));
    expect(world.at("call").call.unread).toBe(2);
    world.source.actions.markRead(2);
    world.source.actions.markRead(1);
    expect(world.at("call").call.unread).toBe(0);
    expect(world.worker.calls("markRead")).toEqual([[7, 2]]);
  });

  it("that flood are drawn once a frame, and the oldest go", async () => {
    const world = await inCall();
    let drawings = 0;
    world.source.subscribe(() => {
      drawings += 1;
    });
    for (let id = 1; id <= 10_500; id++) happen(world, text(id, "flood"));
    await drawn();
    expect(drawings).toBeLessThan(20);
    const { call } = world.at("call");
    expect(call.log).toHaveLength(10_000);
    expect(call.forgotten).toBe(501); // with the note at the beginning
    expect(call.unread).toBeLessThanOrEqual(1000);
  }, 20_000);

  it("of a call that was left are not shown", async () => {
    const world = await inCall();
    world.source.actions.hangUp();
    happen(world, text(1, "late"));
    await drawn();
    expect(world.at("gone").messages).toBe(0);
  });
});

describe("the line", () => {
  it("that is down holds the call, and what waits goes on when it is back", async () => {
    const world = await inCall({ sendText: () => ({ id: 1, text: "", at: NOW, replyTo: null }) });
    happen(world, { type: "file-offered", file: fileView() });
    world.source.actions.acceptFile("f1", false);
    await settled();
    happen(world, { type: "line-changed", line: "held", via: "server", heldUntil: NOW + 50 });
    expect(world.at("call").call.line).toMatchObject({ state: "held", heldUntil: NOW + 50, holdSeconds: 50 });
    world.source.actions.sendText("waits", null);
    await settled();
    expect(texts(world)).toMatchObject([{ progress: "waiting" }]);
    expect(files(world)).toMatchObject([{ state: "paused" }]);
    happen(world, { type: "line-changed", line: "relayed", via: "turn", heldUntil: null });
    expect(texts(world)).toMatchObject([{ progress: "sent" }]);
    expect(files(world)).toMatchObject([{ state: "moving" }]);
    expect(log(world).filter(({ kind }) => kind === "note")).toHaveLength(1);
  });

  it("notes each time it shows or hides an address", async () => {
    const world = await inCall();
    happen(world, { type: "line-changed", line: "direct", via: "direct", heldUntil: null });
    happen(world, { type: "line-changed", line: "held", via: "server", heldUntil: NOW + 50 });
    happen(world, { type: "line-changed", line: "relayed", via: "server", heldUntil: null });
    expect(log(world).slice(1)).toMatchObject([{ note: "wentDirect" }, { note: "wentRelayed" }]);
  });

  it("goes direct when both say yes, each time anew", async () => {
    const world = await inCall({}, { direct: true });
    world.source.actions.requestDirect();
    world.source.actions.requestDirect();
    expect(world.at("call").call.directAsk).toBe("ours");
    expect(world.worker.calls("requestDirect")).toEqual([[7]]);
    happen(world, { type: "direct-refused" });
    expect(log(world).at(-1)).toMatchObject({ note: "stayRelayed" });
    happen(world, { type: "direct-requested" });
    expect(world.at("call").call.directAsk).toBe("theirs");
    world.source.actions.answerDirect(true);
    expect(world.worker.calls("answerDirect")).toEqual([[7, true]]);
  });

  it("stays relayed unasked where a person does not want to be asked", async () => {
    const world = await inCall({}, { direct: false });
    happen(world, { type: "direct-requested" });
    expect(world.at("call").call.directAsk).toBe("none");
    expect(world.worker.calls("answerDirect")).toEqual([[7, false]]);
    expect(world.worker.calls("configure")).toEqual([[{ receipts: true, allowDirect: false }]]);
  });
});

describe("files", () => {
  it("come into memory and are saved only when asked", async () => {
    const world = await inCall();
    happen(world, { type: "file-offered", file: fileView({ name: "../a.pdf", safeName: "a.pdf" }) });
    expect(files(world)).toMatchObject([{ state: "offered", name: "../a.pdf", room: "memory" }]);
    world.source.actions.acceptFile("f1", false);
    await settled();
    expect(world.worker.calls("acceptFile")).toEqual([[7, "f1", "memory"]]);
    happen(world, { type: "file-progress", fileId: "f1", done: 100, size: 1000 });
    world.now += 2;
    happen(world, { type: "file-progress", fileId: "f1", done: 300, size: 1000 });
    expect(files(world)).toMatchObject([{ state: "moving", moved: 300, left: 7 }]);
    const blob = new Blob(["x"]);
    happen(world, { type: "file-completed", fileId: "f1", blob });
    expect(files(world)).toMatchObject([{ state: "done", moved: 1000, content: blob }]);
    expect(world.downloads).toEqual([]);
    world.source.actions.saveFile("f1");
    expect(world.downloads).toEqual([{ content: blob, name: "a.pdf" }]);
    expect(files(world)).toMatchObject([{ state: "saved" }]);
    world.source.actions.hangUp();
    expect(world.at("gone")).toMatchObject({ saved: 1, messages: 1 });
  });

  it("too large for memory go where the person says, or nowhere", async () => {
    const world = await inCall();
    happen(world, { type: "file-offered", file: fileView({ size: MAX_FILES_BYTES + 1 }) });
    expect(files(world)).toMatchObject([{ room: "disk" }]);
    world.source.actions.acceptFile("f1", true);
    await settled();
    expect(world.worker.calls("acceptFile")).toEqual([]);
    expect(files(world)).toMatchObject([{ state: "offered" }]);
    world.handle = { chosen: true };
    world.source.actions.acceptFile("f1", true);
    await settled();
    expect(world.worker.calls("acceptFile")).toEqual([[7, "f1", { handle: world.handle }]]);
    happen(world, { type: "file-completed", fileId: "f1", blob: null });
    expect(files(world)).toMatchObject([{ state: "saved", content: null }]);
  });

  it("s35 with a size that is a lie end with the worker's word, and never show more than the whole", async () => {
    const world = await inCall();
    happen(world, { type: "file-offered", file: fileView({ size: 10 }) });
    world.source.actions.acceptFile("f1", false);
    await settled();
    happen(world, { type: "file-progress", fileId: "f1", done: 5000, size: 10 });
    expect(files(world)).toMatchObject([{ moved: 10 }]);
    happen(world, { type: "file-cancelled", fileId: "f1", reason: "damaged" });
    expect(files(world)).toMatchObject([{ state: "stopped", fault: "damaged", content: null }]);
    happen(world, { type: "file-progress", fileId: "f1", done: 6000, size: 10 });
    expect(files(world)).toMatchObject([{ state: "stopped" }]);
  });

  it("count together: memory is not filled by many small ones", async () => {
    const world = await inCall();
    const half = Math.ceil(MAX_FILES_BYTES / 2) + 1;
    happen(world, { type: "file-offered", file: fileView({ id: "a", size: half }) });
    world.source.actions.acceptFile("a", false);
    await settled();
    happen(world, { type: "file-offered", file: fileView({ id: "b", size: half }) });
    expect(files(world)).toMatchObject([{ room: "memory" }, { room: "disk" }]);
  });

  it.each([
    ["declined", false, "declined"],
    ["declined", true, "theyDeclined"],
    ["cancelled", false, "cancelled"],
    ["peer_cancelled", false, "theyCancelled"],
    ["disk_full", false, "diskFull"],
    ["unreadable", true, "unreadable"],
    ["unwritable", false, "unwritable"],
    ["damaged", false, "damaged"],
    ["ended", true, "ended"],
  ] as const)("that end as %s (own: %s) say so", async (reason, own, fault) => {
    const world = await inCall({ sendFile: () => fileView() });
    if (own) world.source.actions.sendFile(new File(["x"], "notes.pdf"));
    else happen(world, { type: "file-offered", file: fileView() });
    await settled();
    happen(world, { type: "file-cancelled", fileId: "f1", reason });
    expect(files(world)).toMatchObject([{ state: "stopped", fault, own }]);
  });

  it("for which there was no memory after all stay on offer", async () => {
    const world = await inCall({
      acceptFile: () => {
        throw new Failure("FileTransferError", { reason: "too_large" });
      },
    });
    happen(world, { type: "file-offered", file: fileView() });
    world.source.actions.acceptFile("f1", false);
    await settled();
    expect(files(world)).toMatchObject([{ state: "offered", room: "disk" }]);
  });

  it("that cannot be offered are told in the log", async () => {
    const world = await inCall({
      sendFile: () => {
        throw new Failure("LocalProtocolError");
      },
    });
    world.source.actions.sendFile(new File(["x"], "n".repeat(300)));
    await settled();
    expect(files(world)).toMatchObject([{ own: true, state: "stopped", fault: "failed" }]);
  });

  it("are declined and cancelled at once", async () => {
    const world = await inCall();
    happen(world, { type: "file-offered", file: fileView() });
    world.source.actions.declineFile("f1");
    expect(files(world)).toMatchObject([{ state: "stopped", fault: "declined" }]);
    happen(world, { type: "file-offered", file: fileView({ id: "f2" }) });
    world.source.actions.acceptFile("f2", false);
    await settled();
    world.source.actions.cancelFile("f2");
    expect(world.worker.calls("cancelFile")).toEqual([[7, "f2"]]);
    expect(files(world)[1]).toMatchObject({ state: "stopped", fault: "cancelled" });
  });
});

describe("the end", () => {
  it.each([
    ["hung_up", "told"],
    ["locked", "told"],
    ["peer_hung_up", "says"],
    ["peer_locked", "locked"],
    ["lost", "silent"],
  ] as const)("%s leaves nothing", async (reason, theirs) => {
    const world = await inCall();
    happen(world, text(1, "CNRY"));
    world.now += 760;
    happen(world, { type: "ended", reason, lost: 0 });
    expect(world.at("gone")).toMatchObject({ name: "odile", theirs, seconds: 760, messages: 1 });
    expect(JSON.stringify(world.source.view())).not.toContain("CNRY");
    world.source.actions.dismiss();
    expect(world.at("home").contacts).toMatchObject([{ presence: theirs === "silent" ? "out" : "online" }]);
  });

  it.each(["revoked", "tampered", "forked", "protocol", "stalled"] as const)(
    "%s is a stop",
    async (reason) => {
      const world = await inCall();
      happen(world, { type: "ended", reason, lost: 0 });
      expect(world.at("stopped")).toEqual({ at: "stopped", name: "odile", why: { kind: reason } });
    },
  );

  it("of one's own is on the screen before the other side has heard of it", async () => {
    const world = await inCall({ hangUp: async () => new Promise(() => undefined) });
    world.source.actions.hangUp();
    expect(world.at("gone").theirs).toBe("told");
    expect(world.worker.calls("hangUp")).toEqual([[7]]);
  });
});

describe("comparing", () => {
  it("keeps the answer, and shows it in the call", async () => {
    const world = await inCall({
      contacts: () => [{ ...ODILE, verifiedAt: null }],
      safetyNumber: () => ({ digits: "11111 22222", qr: new Uint8Array(1) }),
    });
    world.source.actions.openSafety("odile");
    expect(world.source.view().safety).toMatchObject({ digits: [], comparedAt: null });
    await settled();
    expect(world.source.view().safety?.digits).toEqual(["11111", "22222"]);
    world.source.actions.compareSafety("odile", true);
    await settled();
    expect(world.worker.calls("markVerified")).toEqual([["odile", true]]);
    world.worker.emit({ type: "contacts", contacts: [{ ...ODILE, verifiedAt: NOW }] });
    expect(world.at("call").call.peer.comparedAt).toBe(NOW);
    world.source.actions.closeSafety();
    expect(world.source.view().safety).toBeNull();
  });

  it("by a scanned code counts only if it is theirs", async () => {
    const world = await atHome({ safetyNumber: () => ({ digits: "1", qr: new Uint8Array(1) }) });
    world.source.actions.openSafety("odile");
    await settled();
    world.source.actions.scanSafety("odile", new Uint8Array([1]));
    await settled();
    expect(world.source.view().safety?.scan).toBe("same");
    expect(world.worker.calls("markVerified").at(-1)).toEqual(["odile", true]);
    world.answers.verifySafetyQr = () => {
      throw new Failure("RefusedIdentityError");
    };
    world.source.actions.scanSafety("odile", new Uint8Array([2]));
    await settled();
    expect(world.source.view().safety?.scan).toBe("differs");
    expect(world.worker.calls("markVerified").at(-1)).toEqual(["odile", false]);
  });

  it("of someone unknown shows nothing", async () => {
    const world = await atHome();
    world.source.actions.openSafety("nobody");
    await settled();
    expect(world.source.view().safety).toBeNull();
  });
});

/** Rings, the call, and its files: what a person does goes to the worker, and what happens comes back as a stage. */

import type {
  CallEvent,
  CallView as CallFacts,
  ContactView as KnownContact,
  PageEvent,
  RingView,
} from "../../client/messages.ts";
import { WorkerError } from "../../client/page.ts";
import * as changes from "../call-changes.ts";
import * as call from "../call-state.ts";
import {
  type AnswerView,
  type FileFault,
  MAX_TEXT_BYTES,
  type PeerView,
  type Stage,
  type TheirWipe,
  TYPING_SECONDS,
} from "../models.ts";
import type { ChosenFile } from "./ports.ts";
import { answerOf, endOf } from "./answers.ts";
import { People } from "./people.ts";
import { faultName, noticeOf, type Stand } from "./stand.ts";

/** Names whose changed key was shown; a peer or server that shows a thousand gets no thousand pages. */
const MAX_ALARMED = 256;

/** Everything with another person in it. */
export class Calling {
  readonly #stand: Stand;
  readonly #people = new People();
  readonly #alarmed = new Set<string>();
  #call: call.CallState | null = null;
  #ring: RingView | null = null;
  #calling = 0;
  #typingTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(stand: Stand) {
    this.#stand = stand;
  }

  /** An account is open: shows its contacts. */
  async opened(): Promise<void> {
    this.#home();
    try {
      this.#know(await this.#stand.ask("contacts"));
    } catch {
      // locked meanwhile; then there is nothing to show
    }
  }

  /** Forgets everything, now. */
  wipe(): void {
    this.#endCall();
    this.#people.wipe();
    this.#alarmed.clear();
    this.#ring = null;
    this.#calling += 1;
  }

  /** Takes what concerns people. */
  receive(event: PageEvent): void {
    switch (event.type) {
      case "call":
        this.#receiveInCall(event.call, event.event);
        break;
      case "ring":
        this.#receiveRing(event.ring);
        break;
      case "ring-ended":
        this.#ringEnded(event.ring, event.end);
        break;
      case "contacts":
        this.#know(event.contacts);
        break;
      case "key-changed":
        this.#keyChanged(event.username, false);
        break;
      case "connection-changed": {
        const { retryAt, state } = event;
        this.#change((now) => call.trying(now, state === "waiting" ? retryAt : null, state === "connecting"));
        break;
      }
      case "server-warned":
      case "client-locked":
        break;
    }
  }

  // Looking and ringing out

  async find(name: string): Promise<void> {
    if (this.#stand.view.stage.at !== "home") return;
    this.#answer({ kind: "looking", name });
    const attempt = ++this.#calling;
    try {
      const online = await this.#stand.ask("discover", name);
      this.#people.saw(name, online, this.#stand.ports.now());
      if (attempt === this.#calling) this.#answer({ kind: "none" });
    } catch (error) {
      if (attempt === this.#calling) this.#answered(name, error);
    }
  }

  async ring(name: string): Promise<void> {
    const stand = this.#stand;
    const { at } = stand.view.stage;
    if (at !== "home" && at !== "gone" && at !== "stopped") return;
    const attempt = ++this.#calling;
    const peer = this.#people.peer(name, false);
    stand.show({ safety: null, stage: { at: "ringOut", peer, startedAt: stand.ports.now() } });
    try {
      const facts = await stand.ask("call", name);
      if (attempt === this.#calling && this.#mayBegin("ringOut")) this.#begin(facts);
      else stand.tell("hangUp", facts.id); // stopped in the same moment as it was accepted
    } catch (error) {
      if (attempt === this.#calling && this.#isAt("ringOut")) this.#answered(name, error);
    }
  }

  stopRinging(): void {
    if (this.#stand.view.stage.at !== "ringOut") return;
    this.#calling += 1;
    this.#stand.tell("stopCalling");
    this.#home();
  }

  // Being rung

  async accept(): Promise<void> {
    const stand = this.#stand;
    const ring = this.#ring;
    if (ring === null || stand.view.stage.at !== "ringIn") return;
    this.#ring = null; // answered once
    try {
      const facts = await stand.ask("acceptRing", ring.id);
      if (this.#mayBegin("ringIn")) this.#begin(facts);
      else stand.tell("hangUp", facts.id);
    } catch (error) {
      if (this.#isAt("ringIn")) this.#answered(ring.caller, error);
    }
  }

  decline(): void {
    const ring = this.#ring;
    this.#ring = null;
    if (ring !== null) this.#stand.tell("declineRing", ring.id, false);
    if (this.#stand.view.stage.at === "ringIn") this.#home();
  }

  // In the call

  async sendText(text: string, replyTo: string | null): Promise<void> {
    const now = this.#call;
    if (now === null || text === "" || new TextEncoder().encode(text).length > MAX_TEXT_BYTES) return;
    const [said, key] = call.say(now, text, replyTo, this.#stand.ports.now());
    this.#put(said);
    await this.#send(key);
  }

  async retryText(key: string): Promise<void> {
    const waiting = this.#call === null ? null : call.again(this.#call, key);
    if (waiting === null) return;
    this.#put(waiting);
    await this.#send(key);
  }

  editText(key: string, text: string): void {
    const now = this.#call;
    const entry = now === null ? null : call.entryOf(now, key);
    if (now === null || entry === null || !changes.isChangeable(entry) || !entry.own) return;
    if (text === "" || new TextEncoder().encode(text).length > MAX_TEXT_BYTES) return;
    this.#put(changes.edited(now, key, text));
    this.#changed(this.#stand.ask("editText", now.id, entry.id, text));
  }

  deleteText(key: string): void {
    const now = this.#call;
    const entry = now === null ? null : call.entryOf(now, key);
    if (now === null || entry === null || !changes.isChangeable(entry) || !entry.own) return;
    this.#put(changes.deleted(now, key));
    this.#changed(this.#stand.ask("deleteText", now.id, entry.id));
  }

  react(key: string, symbol: string): void {
    const now = this.#call;
    const entry = now === null ? null : call.entryOf(now, key);
    if (now === null || entry === null || !changes.isChangeable(entry)) return;
    const next = changes.reacted(now, key, "own", symbol);
    if (next === now) return;
    this.#put(next);
    this.#changed(this.#stand.ask("react", now.id, { isOwn: entry.own, id: entry.id }, symbol));
  }

  typing(active: boolean): void {
    if (this.#call !== null) this.#stand.tell("setTyping", this.#call.id, active);
  }

  markRead(id: number): void {
    const next = this.#call === null ? null : call.markRead(this.#call, id);
    if (next === null) return;
    this.#put(next);
    this.#stand.tell("markRead", next.id, id);
  }

  requestDirect(): void {
    const now = this.#call;
    if (now?.directAsk !== "none" || now.line.state !== "relayed") return;
    this.#put({ ...now, directAsk: "ours" });
    this.#stand.tell("requestDirect", now.id);
  }

  answerDirect(yes: boolean): void {
    const now = this.#call;
    if (now?.directAsk !== "theirs") return;
    this.#put({ ...now, directAsk: "none" });
    this.#stand.tell("answerDirect", now.id, yes);
  }

  /** Ends the call. What was said is gone from the screen before the other side has heard of it. */
  hangUp(): void {
    const now = this.#call;
    if (now === null) return;
    this.#stand.tell("hangUp", now.id);
    this.#gone(now, "told");
  }

  // Files

  async sendFile(file: File): Promise<void> {
    const id = this.#call?.id;
    if (id === undefined) return;
    const source = { blob: file, name: file.name === "" ? "file" : file.name, mediaType: "" };
    try {
      const view = await this.#stand.ask("sendFile", id, source);
      this.#in(id, (now, at) => call.addFile(now, view, true, at));
    } catch (error) {
      const fault = faultOfError(error, true);
      this.#in(id, (now, at) => call.fileRefused(now, file, fault, at));
    }
  }

  async acceptFile(fileId: string, stream: boolean): Promise<void> {
    const now = this.#call;
    const file = now === null ? null : call.fileOf(now, fileId);
    if (now === null || file?.state !== "offered" || file.own) return;
    let handle: ChosenFile | null = null;
    if (stream) {
      handle = await this.#choose(now.safeNames.get(fileId) ?? "file");
      if (handle === null) return; // the offer stands
    }
    this.#in(now.id, (state) => call.accepted(state, fileId));
    try {
      await this.#stand.ask("acceptFile", now.id, fileId, handle === null ? "memory" : { handle });
    } catch (error) {
      const reason = error instanceof WorkerError ? error.reason : null;
      this.#in(now.id, (state) =>
        reason === "too_large"
          ? call.noRoom(state, fileId)
          : call.stopped(state, fileId, faultOfError(error, false)),
      );
    }
  }

  declineFile(fileId: string): void {
    const id = this.#call?.id;
    if (id === undefined) return;
    this.#stand.tell("declineFile", id, fileId);
    this.#in(id, (now) => call.stopped(now, fileId, "declined"));
  }

  cancelFile(fileId: string): void {
    const id = this.#call?.id;
    if (id === undefined) return;
    this.#stand.tell("cancelFile", id, fileId);
    this.#in(id, (now) => call.stopped(now, fileId, "cancelled"));
  }

  saveFile(fileId: string): void {
    const now = this.#call;
    const file = now === null ? null : call.fileOf(now, fileId);
    if (now === null || file === null) return;
    const { content } = file;
    if (content === null) return;
    this.#stand.ports.saving.download(content, now.safeNames.get(fileId) ?? "file");
    this.#put(call.saved(now, fileId));
  }

  // People

  removeContact(name: string): void {
    this.#stand.ask("forget", name).catch((error: unknown) => {
      this.#stand.notice(noticeOf(error, this.#stand.ports.now()));
    });
    this.#home();
  }

  /** Returns what is known of a contact, `null` for someone new. */
  contact(name: string): KnownContact | null {
    return this.#people.contact(name);
  }

  /** Leaves a moment, or an answer beside the contacts. */
  dismiss(): void {
    const { at } = this.#stand.view.stage;
    if (at === "gone" || at === "stopped" || at === "home") this.#home();
  }

  /** Says so when the other side was not told of a change; the end of a call says so itself. */
  #changed(told: Promise<unknown>): void {
    told.catch((error: unknown) => {
      const fault = faultName(error);
      if (fault === "LockedError" || fault === "ConversationEndedError") return;
      this.#stand.notice(noticeOf(error, this.#stand.ports.now()));
    });
  }

  async #choose(name: string): Promise<ChosenFile | null> {
    try {
      return await this.#stand.ports.saving.choose(name);
    } catch {
      this.#stand.notice({ kind: "failed" });
      return null;
    }
  }

  // What happens

  #receiveInCall(id: number, event: CallEvent): void {
    const now = this.#call;
    if (now?.id !== id) return; // of a call that was left
    if (event.type === "ended") {
      this.#ended(now, event.reason);
      return;
    }
    if (event.type === "direct-requested" && !this.#stand.view.settings.direct) {
      this.#stand.tell("answerDirect", id, false);
      return;
    }
    const at = this.#stand.ports.now();
    this.#put(call.receive(now, event, at), true);
    if (event.type === "typing" && event.active) this.#believeTyping();
  }

  #receiveRing(ring: RingView): void {
    const { stage } = this.#stand.view;
    const isFree = stage.at === "home" || stage.at === "gone" || stage.at === "stopped";
    if (!isFree) {
      // whom one is ringing at the same moment is not busy: the client makes one call of the two
      const isCross = stage.at === "ringOut" && stage.peer.name === ring.caller;
      if (!isCross) this.#stand.tell("declineRing", ring.id, true);
      return;
    }
    this.#ring = ring;
    this.#people.saw(ring.caller, true, this.#stand.ports.now());
    const peer: PeerView = {
      name: ring.caller,
      comparedAt: ring.contact?.verifiedAt ?? null,
      metAt: ring.contact?.added ?? null,
      web: ring.isWeb,
    };
    this.#stand.show({ safety: null, stage: { at: "ringIn", peer, endsAt: ring.expiresAt } });
  }

  #ringEnded(id: number, end: Extract<PageEvent, { type: "ring-ended" }>["end"]): void {
    const ring = this.#ring;
    if (ring?.id !== id || this.#stand.view.stage.at !== "ringIn") return;
    this.#ring = null;
    if (end === "accepted" || end === "declined") return; // done here, and seen as what it led to
    this.#home({ kind: "ringEnd", name: ring.caller, end: endOf(end) });
  }

  #ended(now: call.CallState, reason: Extract<CallEvent, { type: "ended" }>["reason"]): void {
    switch (reason) {
      case "hung_up":
      case "locked":
        this.#gone(now, "told");
        break;
      case "peer_hung_up":
        this.#gone(now, "says");
        break;
      case "peer_locked":
        this.#gone(now, "locked");
        break;
      case "lost":
        this.#gone(now, "silent");
        break;
      case "revoked":
      case "tampered":
      case "forked":
      case "protocol":
      case "stalled":
        this.#endCall();
        this.#stop({ at: "stopped", name: now.peer.name, why: { kind: reason } });
        break;
    }
  }

  #gone(now: call.CallState, theirs: TheirWipe): void {
    this.#endCall();
    this.#people.saw(now.peer.name, theirs !== "silent", this.#stand.ports.now());
    this.#stop({
      at: "gone",
      name: now.peer.name,
      seconds: Math.max(0, this.#stand.ports.now() - now.startedAt),
      messages: now.said,
      saved: now.saved,
      theirs,
      wipesWithin: call.HOLD_SECONDS,
    });
  }

  #stop(stage: Stage): void {
    this.#stand.show({ safety: null, stage });
  }

  #keyChanged(name: string, asked: boolean): void {
    const known = this.contact(name);
    const { at } = this.#stand.view.stage;
    const mayShow = asked || (at === "home" && !this.#alarmed.has(name));
    if (this.#alarmed.size < MAX_ALARMED) this.#alarmed.add(name);
    if (!mayShow) return;
    const now = this.#stand.ports.now();
    const comparedAt = this.#people.comparedBefore(name);
    const why = {
      kind: "key",
      compared: comparedAt !== null,
      since: comparedAt ?? known?.added ?? now,
    } as const;
    this.#stop({ at: "stopped", name, why });
  }

  #answered(name: string, error: unknown): void {
    const fault = faultName(error);
    if (fault === "KeyChangedError") {
      this.#keyChanged(name, true);
      return;
    }
    if (fault === "LockedError") return; // the lock shows itself
    if (fault === "NotFoundError") this.#people.saw(name, false, this.#stand.ports.now());
    this.#home(answerOf(name, error, this.#stand.ports.now()));
  }

  // State

  #begin(facts: CallFacts): void {
    const { ports } = this.#stand;
    this.#people.saw(facts.peer, true, this.#stand.ports.now());
    const peer = this.#people.peer(facts.peer, facts.isWeb);
    const begun = call.begin(facts, peer, ports.saving.canStream, ports.now());
    this.#call = begun;
    this.#stand.show({ safety: null, stage: { at: "call", call: call.viewOf(begun) } });
  }

  #isAt(at: Stage["at"]): boolean {
    return this.#stand.view.stage.at === at;
  }

  #mayBegin(from: "ringOut" | "ringIn"): boolean {
    return this.#isAt(from) && this.#call === null;
  }

  async #send(key: string): Promise<void> {
    const now = this.#call;
    const entry = now === null ? null : call.entryOf(now, key);
    if (now === null || entry?.kind !== "text") return;
    try {
      const quote = entry.quote === null ? null : { isOwn: entry.quote.own, id: entry.quote.id };
      const sent = await this.#stand.ask("sendText", now.id, entry.text, quote);
      this.#in(now.id, (state) => call.sent(state, key, sent.id));
    } catch {
      this.#in(now.id, (state) => call.notSent(state, key));
    }
  }

  #believeTyping(): void {
    if (this.#typingTimer !== null) clearTimeout(this.#typingTimer);
    this.#typingTimer = setTimeout(() => {
      this.#change(call.typingFaded);
    }, TYPING_SECONDS * 1000);
  }

  #endCall(): void {
    this.#call = null;
    if (this.#typingTimer !== null) clearTimeout(this.#typingTimer);
    this.#typingTimer = null;
  }

  /** Changes the call if it is still that one. */
  #in(id: number, changed: (now: call.CallState, at: number) => call.CallState): void {
    if (this.#call?.id === id) this.#put(changed(this.#call, this.#stand.ports.now()));
  }

  #change(changed: (now: call.CallState) => call.CallState): void {
    if (this.#call !== null) this.#put(changed(this.#call));
  }

  #put(next: call.CallState, soon = false): void {
    if (next === this.#call) return;
    this.#call = next;
    const change = { stage: { at: "call", call: call.viewOf(next) } } as const;
    if (soon) this.#stand.showSoon(change);
    else this.#stand.show(change);
  }

  #know(contacts: readonly KnownContact[]): void {
    this.#people.know(contacts);
    const { stage, safety } = this.#stand.view;
    if (stage.at === "home")
      this.#stand.stage({ ...stage, contacts: this.#people.views(this.#stand.ports.now()) });
    const now = this.#call;
    if (now !== null) {
      const { comparedAt, metAt } = this.#people.peer(now.peer.name, now.peer.web);
      if (comparedAt !== now.peer.comparedAt || metAt !== now.peer.metAt) {
        this.#put({ ...now, peer: { ...now.peer, comparedAt, metAt } });
      }
    }
    if (safety !== null) {
      const known = this.contact(safety.name);
      if (known !== null) this.#stand.show({ safety: { ...safety, comparedAt: known.verifiedAt } });
    }
  }

  #home(answer: AnswerView = { kind: "none" }): void {
    this.#stand.show({
      safety: null,
      stage: { at: "home", contacts: this.#people.views(this.#stand.ports.now()), answer },
    });
  }

  #answer(answer: AnswerView): void {
    const { stage } = this.#stand.view;
    if (stage.at === "home")
      this.#stand.stage({ ...stage, contacts: this.#people.views(this.#stand.ports.now()), answer });
  }
}

function faultOfError(error: unknown, own: boolean): FileFault {
  return call.faultOf(error instanceof WorkerError ? error.reason : null, own);
}

/**
 * What the screens know: plain values to draw, and the things a person can ask for.
 *
 * Nothing here holds a key. Texts and names are as they came from outside; the components make them inert.
 * Every time is Unix seconds. A view is never changed, only replaced.
 */

export type Theme = "system" | "light" | "dark";
export type Language = "en" | "de" | "es" | "fr" | "ar";

/** What a device remembers about how it wants to be used. */
export interface SettingsView {
  readonly theme: Theme;
  /** `null` follows the browser. */
  readonly language: Language | null;
  readonly sounds: boolean;
  /** Cover everything while the window has no focus. */
  readonly blur: boolean;
  /** Direct lines may be asked for, by either side; each one is still asked about. */
  readonly direct: boolean;
  /** Single letters answer rings and reply. */
  readonly letters: boolean;
  /** Tell the other side what was read. */
  readonly receipts: boolean;
  /** Seconds without a key or a touch until it locks; `null` never. */
  readonly lockAfter: LockAfter;
}

/** What may be chosen for the time until it locks by itself, seconds. */
export const LOCK_AFTER = [60, 300, 900, 3600, null] as const;
export type LockAfter = (typeof LOCK_AFTER)[number];

/** What opens the keys of this device: whoever opens the browser, a passphrase, or a passkey. */
export type Opener = "none" | "passphrase" | "passkey";

/** An opener as a person chooses it; a passkey is asked for when it is needed. */
export type OpenerChoice =
  | { readonly kind: "none" }
  | { readonly kind: "passphrase"; readonly passphrase: string }
  | { readonly kind: "passkey" };

/** What this run has learned about someone. Nobody is looked up unasked. */
export type Presence = "online" | "recently" | "out" | "unknown";

export interface ContactView {
  readonly name: string;
  readonly presence: Presence;
  /** When safety numbers were compared; `null` if they were not. */
  readonly comparedAt: number | null;
  /** They came with another key than the one held. */
  readonly newKey: boolean;
}

/** Whom a ring or a call is with. */
export interface PeerView {
  readonly name: string;
  /** When safety numbers were compared; `null` if they were not. */
  readonly comparedAt: number | null;
  /** Since when they are a contact; `null` for someone new. */
  readonly metAt: number | null;
  /** Their device is a web page, which cannot stop a screenshot. */
  readonly web: boolean;
}

export type RingEnd =
  | "declined"
  | "busy"
  | "noAnswer"
  | "elsewhere"
  | "cancelled"
  | "timedOut"
  | "failed"
  | "unreachable"
  | "identity";

/** The answer to the last look-up or ring, beside the contacts. */
export type AnswerView =
  | { readonly kind: "none" }
  | { readonly kind: "looking"; readonly name: string }
  | { readonly kind: "notFound"; readonly name: string; readonly retryAt: number | null }
  | { readonly kind: "slowed"; readonly name: string; readonly retryAt: number }
  | { readonly kind: "ringEnd"; readonly name: string; readonly end: RingEnd };

export type ConnectionView =
  | { readonly state: "online" }
  | { readonly state: "connecting" }
  | {
      readonly state: "down";
      readonly why: "silent" | "lies" | "clock" | "version" | "replaced" | "refused";
      /** When it tries again by itself; `null` if it does not. */
      readonly retryAt: number | null;
    };

export type NameAnswer = "none" | "checking" | "free" | "taken" | "bad";

/** Why no account was made. */
export type RegisterProblem = "none" | "failed" | "unreachable" | "slowed" | "storage" | "passkey";

export type LockReason = "start" | "locked" | "panic";

/** Why it did not open. */
export type LockProblem = "none" | "wrong" | "damaged" | "inUse" | "passkey" | "failed";

/** How frames travel. `held`: the line is down, and the call is kept until `heldUntil`. */
export type LineView =
  | { readonly state: "relayed" }
  | { readonly state: "direct" }
  | {
      readonly state: "held";
      readonly heldUntil: number;
      /** How long the whole hold is, seconds; for the ring that empties. */
      readonly holdSeconds: number;
      readonly nextTryAt: number | null;
      readonly attempt: number;
    };

/** How far an own message has come. */
export type Progress = "waiting" | "sent" | "delivered" | "read" | "failed";

/** A message said earlier, shown above its answer. */
export interface QuoteView {
  readonly own: boolean;
  /** Its sender's number. */
  readonly id: number;
  /** Empty once it was deleted. */
  readonly text: string;
}

/** Each side's reaction to a text; empty for none. */
export interface ReactionsView {
  readonly own: string;
  readonly theirs: string;
}

export const NO_REACTIONS: ReactionsView = { own: "", theirs: "" };

/** What the page offers to react with; the other side may send any short symbol. */
export const REACTIONS = ["👍", "❤️", "😂", "😮", "😢", "🙏"] as const;

export interface TextEntry {
  readonly kind: "text";
  /** Unique in this call and stable. */
  readonly key: string;
  readonly own: boolean;
  /** The sender's number; `null` until an own text has one. */
  readonly id: number | null;
  readonly text: string;
  readonly at: number;
  /** Of their texts always `delivered`. */
  readonly progress: Progress;
  readonly quote: QuoteView | null;
  /** A deleted one has no text, no quote and no reactions. */
  readonly state: "said" | "edited" | "deleted";
  readonly reactions: ReactionsView;
}

export type FileState = "offered" | "moving" | "paused" | "done" | "saved" | "stopped";

export type FileFault =
  | "declined"
  | "theyDeclined"
  | "cancelled"
  | "theyCancelled"
  | "damaged"
  | "unreadable"
  | "unwritable"
  | "diskFull"
  | "failed"
  | "ended";

export interface FileEntry {
  readonly kind: "file";
  readonly key: string;
  readonly own: boolean;
  readonly fileId: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly moved: number;
  /** Seconds, when it can be told. */
  readonly left: number | null;
  readonly at: number;
  readonly state: FileState;
  readonly fault: FileFault | null;
  /** It does not fit into memory: it must be saved while it arrives, or cannot be had in this browser. */
  readonly room: "memory" | "disk" | "none";
  /** The whole file, while it is in memory. Shown inline only if its bytes are a raster image. */
  readonly content: Blob | null;
}

/** A sentence of the product's own in the log. */
export interface NoteEntry {
  readonly kind: "note";
  readonly key: string;
  readonly note:
    "sameKey" | "firstContact" | "wentDirect" | "wentRelayed" | "stayRelayed" | "screenshot" | "lost";
  readonly at: number;
  /** Of `lost`: how many messages. */
  readonly count: number;
}

export type Entry = TextEntry | FileEntry | NoteEntry;

export interface CallView {
  readonly peer: PeerView;
  readonly startedAt: number;
  readonly line: LineView;
  /** A question about a direct line: `theirs` waits for our answer, `ours` for theirs. */
  readonly directAsk: "none" | "theirs" | "ours";
  /** Oldest first, at most `MAX_ENTRIES`. */
  readonly log: readonly Entry[];
  /** How many entries fell out of memory at the old end. */
  readonly forgotten: number;
  /** How many of their messages were not on the screen yet. */
  readonly unread: number;
  readonly typing: boolean;
  /** Digits that both sides of this call can compare; empty until known. */
  readonly sessionCode: string;
}

export type TheirWipe = "told" | "says" | "locked" | "silent";

/** Why a call was ended by this device for a broken promise. */
export type StopReason =
  | { readonly kind: "key"; readonly compared: boolean; readonly since: number }
  | { readonly kind: "revoked" | "tampered" | "forked" | "protocol" | "stalled" };

/** Where a person is. Exactly one. */
export type Stage =
  | { readonly at: "starting" }
  | {
      readonly at: "onboarding";
      readonly answer: NameAnswer;
      readonly busy: boolean;
      readonly problem: RegisterProblem;
      /** Keys were here before, and the browser has lost them. */
      readonly lost: boolean;
    }
  | {
      readonly at: "locked";
      readonly reason: LockReason;
      readonly opener: Opener;
      readonly problem: LockProblem;
      readonly busy: boolean;
    }
  /** This browser keeps nothing here, so no keys can be held. */
  | { readonly at: "unusable" }
  | { readonly at: "home"; readonly contacts: readonly ContactView[]; readonly answer: AnswerView }
  | { readonly at: "ringOut"; readonly peer: PeerView; readonly startedAt: number }
  | { readonly at: "ringIn"; readonly peer: PeerView; readonly endsAt: number }
  | { readonly at: "call"; readonly call: CallView }
  | { readonly at: "stopped"; readonly name: string; readonly why: StopReason }
  | {
      readonly at: "gone";
      readonly name: string;
      readonly seconds: number;
      readonly messages: number;
      readonly saved: number;
      readonly theirs: TheirWipe;
      /** Within how many seconds a silent device wipes by itself. */
      readonly wipesWithin: number;
    }
  | { readonly at: "erased"; readonly name: string };

/** A safety number on the screen. `digits` are twelve groups of five, `qr` what the code says; empty while computed. */
export interface SafetyView {
  readonly name: string;
  readonly digits: readonly string[];
  readonly qr: Uint8Array;
  readonly comparedAt: number | null;
  readonly newKey: boolean;
  /** What came of a scanned code: it was theirs, or it was not. */
  readonly scan: "none" | "same" | "differs";
}

/** Something that happened aside, said once above everything, until it is put away. */
export type Notice =
  | { readonly kind: "failed" | "unreachable" | "storageFull" | "passkey" | "protected" }
  | { readonly kind: "slowed"; readonly retryAt: number }
  /** The server said something about someone that an honest one would not. */
  | { readonly kind: "lies"; readonly name: string };

export interface AppView {
  readonly stage: Stage;
  /** The own name; empty before there is an account. */
  readonly me: string;
  /** The server as a person names it, without a scheme. */
  readonly server: string;
  readonly connection: ConnectionView;
  readonly settings: SettingsView;
  /** What opens the keys of this device. */
  readonly opener: Opener;
  /** The opener is being changed. */
  readonly protecting: boolean;
  /** Passkeys can be asked for in this browser. */
  readonly passkeys: boolean;
  readonly notice: Notice | null;
  /** A newer build has been fetched, and comes with the next load. */
  readonly updated: boolean;
  /** Open over the stage while someone compares. */
  readonly safety: SafetyView | null;
  /** An erasure under way, or one the server did not confirm. */
  readonly erasing: "no" | "busy" | "failed";
}

/** What a person can ask for. Nothing is returned: what comes of it is seen in the next view. */
export interface Actions {
  checkName(name: string): void;
  register(name: string, opener: OpenerChoice): void;
  /** The passphrase, or "" where something else opens it. */
  unlock(passphrase: string): void;
  /** Erases what is stored here, which cannot be opened, and begins anew. */
  startAnew(): void;
  /** Wipes at once; asks nothing. */
  panic(): void;
  lock(): void;
  /** Looks for an exact name without ringing. */
  find(name: string): void;
  ring(name: string): void;
  stopRinging(): void;
  accept(): void;
  decline(): void;
  sendText(text: string, replyTo: string | null): void;
  retryText(key: string): void;
  editText(key: string, text: string): void;
  /** Deletes an own text for both. */
  deleteText(key: string): void;
  /** Reacts to a text of either side; "" takes it back. */
  react(key: string, symbol: string): void;
  typing(active: boolean): void;
  /** Everything of theirs up to this number was on the screen. */
  markRead(id: number): void;
  sendFile(file: File): void;
  /** `stream`: save it while it arrives, because it does not fit into memory. */
  acceptFile(fileId: string, stream: boolean): void;
  declineFile(fileId: string): void;
  cancelFile(fileId: string): void;
  saveFile(fileId: string): void;
  hangUp(): void;
  /** Try a dropped line, or the server, again at once. */
  tryNow(): void;
  requestDirect(): void;
  answerDirect(yes: boolean): void;
  openSafety(name: string): void;
  closeSafety(): void;
  compareSafety(name: string, matches: boolean): void;
  /** The bytes of a code that the camera saw on their screen. */
  scanSafety(name: string, bytes: Uint8Array): void;
  /** The changed key was compared and matches: keep it. */
  acceptNewKey(name: string): void;
  removeContact(name: string): void;
  /** Leave a moment (gone, stopped, erased) or an answer beside the contacts. */
  dismiss(): void;
  dismissNotice(): void;
  /** Loads the newer build. */
  update(): void;
  /** Opens the keys of this device another way from now on. */
  protect(opener: OpenerChoice): void;
  change(settings: Partial<SettingsView>): void;
  setTheme(theme: Theme): void;
  setLanguage(language: Language | null): void;
  eraseAccount(): void;
}

/** Where views come from: the client's adapter, or the gallery. */
export interface Source {
  readonly actions: Actions;
  /** The view now. */
  view(): AppView;
  /** Calls back after every change, until the returned function is called. */
  subscribe(changed: () => void): () => void;
}

/** Entries kept of one call. A flood from a peer must not fill the memory. */
export const MAX_ENTRIES = 10_000;

/** One text, bytes of UTF-8 (spec/content.md). */
export const MAX_TEXT_BYTES = 32 * 1024;

/** Fewer characters are guessed within a day even through Argon2id. */
export const MIN_PASSPHRASE = 8;

/** What files of one call may take in memory together, bytes. More than that hurts a phone. */
export const MAX_FILES_BYTES = 256 * 1024 * 1024;

/** How long typing is believed without news, seconds. */
export const TYPING_SECONDS = 6;

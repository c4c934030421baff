/** From nothing to an open account: the vault, the name, the way online; and back: lock, panic, erase. */

import type { AccountView, PageEvent, Protection, VaultState } from "../../client/messages.ts";
import { WorkerError } from "../../client/page.ts";
import type {
  ConnectionView,
  LockProblem,
  LockReason,
  Opener,
  OpenerChoice,
  RegisterProblem,
  Stage,
} from "../models.ts";
import { faultName, noticeOf, type Stand } from "./stand.ts";

/** Until the first log-in is tried again, milliseconds; doubled each time, up to the most. */
const FIRST_RETRY_MS = 1000;
const MOST_RETRY_MS = 30_000;

type Onboarding = Extract<Stage, { at: "onboarding" }>;

/** Opens and shuts. */
export class Opening {
  readonly #stand: Stand;
  readonly #opened: () => void;
  #credential: Uint8Array | null = null;
  #name = "";
  #retry: ReturnType<typeof setTimeout> | null = null;
  #retryMs = FIRST_RETRY_MS;
  #isTrying = false; // names are being asked for

  /** `opened` is called whenever an account is there to be used. */
  constructor(stand: Stand, opened: () => void) {
    this.#stand = stand;
    this.#opened = opened;
  }

  /** Looks for a vault, and opens it if nothing has to be asked. */
  async start(): Promise<void> {
    const stand = this.#stand;
    void this.#offerPasskeys();
    let state: VaultState;
    try {
      state = await stand.ask("vaultState");
    } catch {
      stand.stage({ at: "unusable" });
      return;
    }
    this.#credential = state.kind === "passkey" ? state.credential : null;
    switch (state.kind) {
      case "none":
        stand.stage(onboarding({ lost: stand.ports.memory.hadKeys() }));
        break;
      case "damaged":
        stand.stage(locked("start", "none", "damaged"));
        break;
      case "open":
        stand.show({ opener: "none" });
        await this.#open({ kind: "none" }, "start");
        break;
      case "passphrase":
      case "passkey":
        stand.show({ opener: state.kind, stage: locked("start", state.kind) });
        break;
    }
  }

  /** Opens with what the person gave. */
  async unlock(passphrase: string): Promise<void> {
    const stand = this.#stand;
    const { stage, opener } = stand.view;
    if (stage.at !== "locked" || stage.busy) return;
    stand.stage({ ...stage, problem: "none", busy: true });
    let protection: Protection;
    try {
      protection = await this.#protection(opener, passphrase);
    } catch {
      this.#refuse(stage.reason, "passkey");
      return;
    }
    await this.#open(protection, stage.reason);
  }

  /** Asks whether a name is free, before there are keys. */
  async checkName(name: string): Promise<void> {
    const stand = this.#stand;
    if (stand.view.stage.at !== "onboarding" || stand.view.stage.busy) return;
    this.#name = name;
    this.#onboarding({ answer: "checking", problem: "none" });
    try {
      await this.#memoryAccount();
      const isFree = await stand.ask("isAvailable", name);
      if (this.#name === name) this.#onboarding({ answer: isFree ? "free" : "taken" });
    } catch (error) {
      if (this.#name !== name) return;
      const fault = faultName(error);
      if (fault === "InvalidUsernameError") this.#onboarding({ answer: "bad" });
      else this.#onboarding({ answer: "none", problem: registerProblem(fault) });
    }
  }

  /** Makes keys and takes the name. What fails leaves nothing behind. */
  async register(name: string, choice: OpenerChoice): Promise<void> {
    const stand = this.#stand;
    const { stage } = stand.view;
    if (stage.at !== "onboarding" || stage.busy) return;
    this.#name = name;
    this.#onboarding({ busy: true, problem: "none" });
    let protection: Protection;
    try {
      protection = await this.#newProtection(choice, name);
    } catch {
      this.#onboarding({ busy: false, problem: "passkey" });
      return;
    }
    this.#isTrying = false;
    stand.drop(); // the one that asked for names
    stand.ports.persist();
    try {
      await stand.ask("createVault", protection);
      const account = await stand.ask("register", name);
      stand.ports.memory.noteKeys(true);
      stand.show({ opener: choice.kind });
      await this.#enter(account);
    } catch (error) {
      const fault = faultName(error);
      await stand.eraseVault().catch(() => undefined);
      const answer =
        fault === "UsernameTakenError" ? "taken" : fault === "InvalidUsernameError" ? "bad" : "none";
      const problem = answer === "none" ? registerProblem(fault) : "none";
      this.#onboarding({ busy: false, answer, problem });
    }
  }

  /** Erases what cannot be opened, and begins anew. */
  async startAnew(): Promise<void> {
    const stand = this.#stand;
    const { stage } = stand.view;
    if (stage.at !== "locked") return;
    stand.stage({ ...stage, busy: true });
    try {
      await stand.eraseVault();
      stand.ports.memory.noteKeys(false);
      stand.show({ opener: "none", me: "", stage: onboarding({}) });
    } catch (error) {
      this.#refuse(stage.reason, lockProblem(faultName(error)));
    }
  }

  /** Ends everything, now: one frame, nothing asked, nothing waited for. */
  panic(): void {
    this.#stand.drop();
    this.#shut("panic");
  }

  /** Ends calls with a word to the other side, then everything. */
  lock(): void {
    if (!isOpen(this.#stand.view.stage)) return;
    this.#stand.retire();
    this.#shut("locked");
  }

  /** Opens another way from now on. */
  async protect(choice: OpenerChoice): Promise<void> {
    const stand = this.#stand;
    if (stand.view.protecting) return;
    stand.show({ protecting: true, notice: null });
    try {
      const protection = await this.#newProtection(choice, stand.view.me);
      const credential = protection.kind === "passkey" ? protection.credential.slice() : null;
      await stand.ask("changeProtection", protection);
      this.#credential = credential;
      stand.show({ opener: choice.kind, notice: { kind: "protected" } });
    } catch (error) {
      const fromWorker = error instanceof WorkerError;
      stand.notice(fromWorker ? noticeOf(error, stand.ports.now()) : { kind: "passkey" });
    } finally {
      stand.show({ protecting: false });
    }
  }

  /** Erases the account at the server, then here. */
  async erase(): Promise<void> {
    const stand = this.#stand;
    if (stand.view.erasing === "busy") return;
    stand.show({ erasing: "busy" });
    const name = stand.view.me;
    try {
      await stand.ask("deleteAccount");
    } catch {
      stand.show({ erasing: "failed" });
      this.#login(); // erasing goes offline first
      return;
    }
    this.#stopTrying();
    await stand.eraseVault().catch(() => undefined); // it holds no account any more, and goes at the next start
    stand.drop();
    stand.ports.memory.noteKeys(false);
    stand.show({ erasing: "no", opener: "none", me: "", safety: null, stage: { at: "erased", name } });
  }

  /** From the last moment of an erased account back to the first screen. */
  afterErased(): void {
    this.#stand.stage(onboarding({}));
  }

  /** Goes online now instead of later. */
  tryNow(): void {
    const { connection } = this.#stand.view;
    if (this.#retry !== null || (connection.state === "down" && connection.why !== "silent")) this.#login();
    else this.#stand.tell("nudge");
  }

  /** Takes what concerns the account. */
  receive(event: PageEvent): void {
    const stand = this.#stand;
    switch (event.type) {
      case "connection-changed":
        if (isOpen(stand.view.stage) && !this.#isKnownDown(event)) {
          stand.show({ connection: connectionView(event) });
        }
        break;
      case "server-warned":
        stand.notice({ kind: "lies", name: event.about });
        break;
      case "client-locked":
        this.#isTrying = false;
        if (isOpen(stand.view.stage)) this.#shut("locked");
        break;
      case "call":
      case "contacts":
      case "key-changed":
      case "ring":
      case "ring-ended":
        break;
    }
  }

  // Opening

  /** A client without an account, in memory, that can ask for names. */
  async #memoryAccount(): Promise<void> {
    if (this.#isTrying) return;
    await this.#stand.ask("temporaryVault");
    this.#isTrying = true;
  }

  async #open(protection: Protection, reason: LockReason): Promise<void> {
    const stand = this.#stand;
    try {
      await this.#enter(await stand.ask("openVault", protection));
    } catch (error) {
      const fault = faultName(error);
      if (fault === "VaultMissingError") {
        stand.stage(onboarding({ lost: stand.ports.memory.hadKeys() }));
      } else this.#refuse(reason, lockProblem(fault));
    }
  }

  async #enter(account: AccountView): Promise<void> {
    const stand = this.#stand;
    if (account.username === null) {
      // keys were being made when the page went: nothing is lost with them
      await stand.eraseVault();
      stand.stage(onboarding({}));
      return;
    }
    stand.ports.memory.noteKeys(true);
    stand.show({ me: account.username, connection: { state: "connecting" }, erasing: "no", notice: null });
    this.#opened();
    this.#retryMs = FIRST_RETRY_MS;
    this.#login();
  }

  #refuse(reason: LockReason, problem: LockProblem): void {
    this.#stand.stage(locked(reason, this.#stand.view.opener, problem));
  }

  async #protection(opener: Opener, passphrase: string): Promise<Protection> {
    if (opener === "passphrase") return { kind: "passphrase", passphrase };
    if (opener === "none") return { kind: "none" };
    const credential = this.#credential;
    if (credential === null) throw new Error("no passkey is known");
    return { kind: "passkey", ...(await this.#stand.ports.passkeys.get(credential)) };
  }

  async #newProtection(choice: OpenerChoice, name: string): Promise<Protection> {
    if (choice.kind !== "passkey") return choice;
    const made = await this.#stand.ports.passkeys.create(name);
    this.#credential = made.credential.slice();
    return { kind: "passkey", ...made };
  }

  async #offerPasskeys(): Promise<void> {
    const passkeys = await this.#stand.ports.passkeys.isOffered().catch(() => false);
    if (passkeys) this.#stand.show({ passkeys });
  }

  // Online

  /** The first log-in; after it the client keeps itself online. */
  #login(): void {
    const stand = this.#stand;
    this.#stopTrying();
    stand.show({ connection: { state: "connecting" } });
    stand.ask("login").catch((error: unknown) => {
      const fault = faultName(error);
      if (!isOpen(stand.view.stage)) return;
      const why = whyDown(fault);
      const waits = why === "silent";
      const limited = error instanceof WorkerError ? (error.retryAfter ?? 0) * 1000 : 0;
      const delay = Math.max(limited, this.#retryMs);
      const retryAt = waits ? stand.ports.now() + delay / 1000 : null;
      stand.show({ connection: { state: "down", why, retryAt } });
      if (!waits) return;
      this.#retryMs = Math.min(MOST_RETRY_MS, this.#retryMs * 2);
      this.#retry = setTimeout(() => {
        this.#login();
      }, delay);
    });
  }

  /** A log-in that failed has been told with its reason; that its socket is gone may be heard after that. */
  #isKnownDown({ state, fault }: Extract<PageEvent, { type: "connection-changed" }>): boolean {
    return state === "offline" && fault === null && this.#stand.view.connection.state === "down";
  }

  #stopTrying(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }

  #shut(reason: LockReason): void {
    this.#stopTrying();
    this.#stand.show({
      stage: locked(reason, this.#stand.view.opener),
      safety: null,
      notice: null,
      erasing: "no",
      protecting: false,
      connection: { state: "connecting" },
    });
  }

  #onboarding(change: Partial<Onboarding>): void {
    const { stage } = this.#stand.view;
    if (stage.at === "onboarding") this.#stand.stage({ ...stage, ...change });
  }
}

function onboarding(more: Partial<Onboarding>): Onboarding {
  return { at: "onboarding", answer: "none", busy: false, problem: "none", lost: false, ...more };
}

function locked(reason: LockReason, opener: Opener, problem: LockProblem = "none"): Stage {
  return { at: "locked", reason, opener, problem, busy: false };
}

/** Whether an account is open in this stage. */
export function isOpen(stage: Stage): boolean {
  return ["home", "ringOut", "ringIn", "call", "stopped", "gone"].includes(stage.at);
}

/** What a change of the socket means to a person. */
export function connectionView(change: Extract<PageEvent, { type: "connection-changed" }>): ConnectionView {
  switch (change.state) {
    case "online":
      return { state: "online" };
    case "connecting":
      return { state: "connecting" };
    case "waiting":
      return { state: "down", why: whyDown(change.fault ?? ""), retryAt: change.retryAt };
    case "offline":
      if (change.fault === null) return { state: "connecting" }; // only on the way to something else
      return { state: "down", why: whyDown(change.fault), retryAt: null };
  }
}

function whyDown(fault: string): Extract<ConnectionView, { state: "down" }>["why"] {
  switch (fault) {
    case "VersionMismatchError":
      return "version";
    case "ReplacedError":
      return "replaced";
    case "ClockError":
      return "clock";
    case "ServerFaultError":
    case "RefusedIdentityError":
    case "IdentityError":
      return "lies";
    case "RevokedError":
    case "UnauthorizedError":
      return "refused";
    default:
      return "silent";
  }
}

function registerProblem(fault: string): RegisterProblem {
  switch (fault) {
    case "ServerUnreachableError":
    case "TransportError":
      return "unreachable";
    case "RateLimitedError":
      return "slowed";
    case "StorageFullError":
    case "VaultError":
    case "VaultExistsError":
    case "VaultInUseError":
      return "storage";
    default:
      return "failed";
  }
}

function lockProblem(fault: string): LockProblem {
  switch (fault) {
    case "WrongPassphraseError":
      return "wrong";
    case "WrongPasskeyError":
      return "passkey";
    case "DamagedVaultError":
      return "damaged";
    case "VaultInUseError":
      return "inUse";
    default:
      return "failed";
  }
}

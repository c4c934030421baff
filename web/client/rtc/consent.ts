/** Consent of both to a direct line, for one call: before it nothing shows either side's address. */

import type { DirectConsent } from "../../core/content/index.ts";
import type { ConversationEvent } from "../events.ts";

/** How long the one who asked waits for the other person. */
export const CONSENT_SECONDS = 60;

/** How often a peer may ask in one call before it is refused without a question to the person. */
export const MAX_QUESTIONS = 8;

/** What consent needs of its line. */
export interface ConsentHost {
  /** Consents without a question here. */
  readonly allowDirect: boolean;
  sendSoon(content: DirectConsent): void;
  tell(event: ConversationEvent): void;
  /** Both consent: a direct line may be made. */
  agreed(): void;
  /** One of them no longer does: a direct line must go. */
  withdrawn(): void;
}

/** Who has consented. */
export class Consent {
  readonly #host: ConsentHost;
  #own = false;
  #peer = false;
  #isPending = false;
  #questions = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(host: ConsentHost) {
    this.#host = host;
  }

  /** Whether both consent. */
  get isMutual(): boolean {
    return this.#own && this.#peer;
  }

  /** The person here wants a direct line. */
  request(): void {
    this.#isPending = true;
    this.#timer ??= setTimeout(() => {
      this.fail();
    }, CONSENT_SECONDS * 1000);
    this.#consent();
  }

  /** The person here answers the peer's question, or takes back an earlier yes. */
  answer(yes: boolean): void {
    if (yes) {
      this.#consent();
      return;
    }
    if (!this.#own && !this.#peer) return;
    this.#reset();
    this.#host.sendSoon({ type: "direct-consent", allowed: false });
    this.#host.withdrawn();
  }

  /** Takes what the peer says. */
  receive(allowed: boolean): void {
    if (!allowed) {
      const wasPending = this.#isPending;
      this.#reset();
      if (wasPending) this.#host.tell({ type: "direct-refused" });
      this.#host.withdrawn();
      return;
    }
    if (this.#peer) return;
    this.#peer = true;
    if (this.#own || this.#host.allowDirect) this.#consent();
    else if (++this.#questions > MAX_QUESTIONS) this.answer(false);
    else this.#host.tell({ type: "direct-requested" });
  }

  /** The direct line stands. */
  fulfil(): void {
    this.#isPending = false;
    this.#stop();
  }

  /** No way was found, or nobody answered: both may be asked again. */
  fail(): void {
    const [had, wasPending] = [this.#own, this.#isPending];
    this.#reset();
    if (had) this.#host.sendSoon({ type: "direct-consent", allowed: false });
    if (wasPending) this.#host.tell({ type: "direct-refused" });
  }

  /** The call is over. */
  close(): void {
    this.#reset();
  }

  #consent(): void {
    const isNew = !this.#own;
    this.#own = true;
    if (isNew) this.#host.sendSoon({ type: "direct-consent", allowed: true });
    if (this.isMutual) this.#host.agreed();
  }

  #reset(): void {
    this.#own = this.#peer = this.#isPending = false;
    this.#stop();
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

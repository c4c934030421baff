/** Safety numbers: shown, compared, scanned, and what follows from the answer. */

import { faultName, noticeOf, type Stand } from "./stand.ts";
import type { Calling } from "./calling.ts";

/** The comparison that is open over the stage. */
export class Comparing {
  readonly #stand: Stand;
  readonly #calling: Calling;

  constructor(stand: Stand, calling: Calling) {
    this.#stand = stand;
    this.#calling = calling;
  }

  async open(name: string): Promise<void> {
    const stand = this.#stand;
    const known = this.#calling.contact(name);
    if (known === null) return;
    const newKey = known.hasNewKey;
    stand.show({
      safety: {
        name,
        digits: [],
        qr: new Uint8Array(),
        comparedAt: known.verifiedAt,
        newKey,
        scan: "none",
      },
    });
    try {
      const number = await stand.ask(newKey ? "newSafetyNumber" : "safetyNumber", name);
      this.#change(name, { digits: number.digits.split(" "), qr: number.qr });
    } catch (error) {
      this.#fail(error);
    }
  }

  close(): void {
    this.#stand.show({ safety: null });
  }

  async compare(name: string, matches: boolean): Promise<void> {
    try {
      await this.#stand.ask("markVerified", name, matches);
    } catch (error) {
      this.#fail(error);
    }
  }

  async acceptNewKey(name: string): Promise<void> {
    try {
      await this.#stand.ask("acceptNewKey", name);
      await this.#stand.ask("markVerified", name, true);
      const { stage } = this.#stand.view;
      if (stage.at === "stopped") this.#calling.dismiss();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Only a code of this contact counts; it says no more than the digits, but cannot be misread. */
  async scan(name: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.#stand.ask("verifySafetyQr", name, bytes);
      this.#change(name, { scan: "same" });
      await this.compare(name, true);
    } catch (error) {
      if (faultName(error) !== "RefusedIdentityError") this.#fail(error);
      else {
        this.#change(name, { scan: "differs" });
        await this.compare(name, false);
      }
    }
  }

  #change(name: string, change: Partial<NonNullable<Stand["view"]["safety"]>>): void {
    const { safety } = this.#stand.view;
    if (safety?.name === name) this.#stand.show({ safety: { ...safety, ...change } });
  }

  #fail(error: unknown): void {
    if (faultName(error) === "LockedError") return;
    this.#stand.show({ safety: null, notice: noticeOf(error, this.#stand.ports.now()) });
  }
}

/** How this device wants to be used, kept by the browser. Nothing about anyone, and no secret, is ever put here. */

import { LOCK_AFTER, type LockAfter, type SettingsView } from "./models.ts";
import { DEFAULT_SETTINGS } from "./source.ts";
import { LANGUAGES } from "./words.ts";

const SETTINGS = "whisp.settings";
const HAS_KEYS = "whisp.keys";
const THEMES = ["system", "light", "dark"] as const;

/** The part of a Storage that is used here. A browser may refuse every call. */
export type Shelf = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** What one device remembers between two loads of the page: settings, and that there were keys. */
export class Memory {
  readonly #shelf: Shelf | null;

  /** `shelf` gives the browser's storage, or throws where there is none. */
  constructor(shelf: () => Shelf) {
    try {
      this.#shelf = shelf();
    } catch {
      this.#shelf = null;
    }
  }

  /** Reads the settings; what is missing or makes no sense is as it is by default. */
  settings(): SettingsView {
    const read = this.#read(SETTINGS);
    if (read === null) return DEFAULT_SETTINGS;
    let stored: unknown;
    try {
      stored = JSON.parse(read);
    } catch {
      return DEFAULT_SETTINGS;
    }
    return settingsFrom(stored);
  }

  /** Keeps the settings, if the browser lets it. */
  keep(settings: SettingsView): void {
    this.#write(SETTINGS, JSON.stringify(settings));
  }

  /** Whether keys were made here and not erased: without a vault they were lost. */
  hadKeys(): boolean {
    return this.#read(HAS_KEYS) !== null;
  }

  /** Notes that keys were made here, or are gone for good. */
  noteKeys(present: boolean): void {
    if (present) this.#write(HAS_KEYS, "1");
    else this.#write(HAS_KEYS, null);
  }

  #read(key: string): string | null {
    try {
      return this.#shelf?.getItem(key) ?? null;
    } catch {
      return null;
    }
  }

  #write(key: string, value: string | null): void {
    try {
      if (value === null) this.#shelf?.removeItem(key);
      else this.#shelf?.setItem(key, value);
    } catch {
      // full or forbidden: the settings hold until the page goes
    }
  }
}

/** Makes settings of what was stored by this version, another one, or somebody else. */
export function settingsFrom(stored: unknown): SettingsView {
  if (typeof stored !== "object" || stored === null) return DEFAULT_SETTINGS;
  const kept = stored as Readonly<Record<string, unknown>>;
  const fallback = DEFAULT_SETTINGS;
  const flag = (key: "sounds" | "blur" | "direct" | "letters" | "receipts"): boolean => {
    const value = kept[key];
    return typeof value === "boolean" ? value : fallback[key];
  };
  return {
    theme: THEMES.find((theme) => theme === kept["theme"]) ?? fallback.theme,
    language: LANGUAGES.find(([language]) => language === kept["language"])?.[0] ?? null,
    sounds: flag("sounds"),
    blur: flag("blur"),
    direct: flag("direct"),
    letters: flag("letters"),
    receipts: flag("receipts"),
    lockAfter: isLockAfter(kept["lockAfter"]) ? kept["lockAfter"] : fallback.lockAfter,
  };
}

function isLockAfter(value: unknown): value is LockAfter {
  return LOCK_AFTER.some((known) => known === value);
}

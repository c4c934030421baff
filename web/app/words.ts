/** The product's voice on the web: every sentence by its key, in the person's language. */

import { createI18n, useI18n } from "vue-i18n";
import en from "./locales/en.json";
import { clock, day, during, size, timeOfDay } from "./format.ts";
import { inertLine } from "./inert.ts";
import type { Language } from "./models.ts";

/** The languages there are, each by its own name. */
export const LANGUAGES: readonly (readonly [Language, string])[] = [
  ["en", "English"],
  ["de", "Deutsch"],
  ["es", "Español"],
  ["fr", "Français"],
  ["ar", "العربية"],
];

const LOADERS: Record<Exclude<Language, "en">, () => Promise<{ default: object }>> = {
  de: async () => import("./locales/de.json"),
  es: async () => import("./locales/es.json"),
  fr: async () => import("./locales/fr.json"),
  ar: async () => import("./locales/ar.json"),
};

/** Forms in the order the messages have them, by the names of Intl.PluralRules. */
export const FORMS: Record<Language, readonly Intl.LDMLPluralRule[]> = {
  en: ["one", "other"],
  de: ["one", "other"],
  es: ["one", "other"],
  fr: ["one", "other"],
  ar: ["zero", "one", "two", "few", "many", "other"],
};

/** Returns which form of a message `count` takes. A form a language does not write apart is its last. */
export function formOf(language: Language, count: number, forms: number): number {
  if (forms < 2) return 0;
  const index = FORMS[language].indexOf(new Intl.PluralRules(language).select(count));
  return index < 0 ? forms - 1 : Math.min(index, forms - 1);
}

type Leaves<T, P extends string = ""> = {
  [K in keyof T & string]: T[K] extends string ? `${P}${K}` : Leaves<T[K], `${P}${K}.`>;
}[keyof T & string];

/** The key of a sentence. */
export type Key = Leaves<typeof en>;

/** What is put into a sentence. `name` and `file` are foreign and made inert here. */
export type Values = Readonly<Record<string, string | number>>;

const rule =
  (language: Language) =>
  (count: number, forms: number): number =>
    formOf(language, count, forms);

/** The words, English until another language has come. */
export function createWords(): ReturnType<typeof makeI18n> {
  return makeI18n();
}

function makeI18n() {
  return createI18n({
    legacy: false,
    locale: "en",
    fallbackLocale: "en",
    messages: { en } as unknown as Record<string, never>,
    missingWarn: false,
    fallbackWarn: false,
    pluralRules: { en: rule("en"), de: rule("de"), es: rule("es"), fr: rule("fr"), ar: rule("ar") },
  });
}

export type Words = ReturnType<typeof createWords>;

/** Fetches a language and speaks it; stays with the one before if it cannot be fetched. */
export async function speak(words: Words, language: Language): Promise<void> {
  const speaker = words.global;
  if (language !== "en" && !speaker.availableLocales.includes(language)) {
    try {
      const loaded = await LOADERS[language]();
      speaker.setLocaleMessage(language, loaded.default as never);
    } catch {
      return;
    }
  }
  speaker.locale.value = language;
}

/** Returns the language to speak: the chosen one, or the first of the browser's that there is. */
export function languageFor(chosen: Language | null, wished: readonly string[]): Language {
  if (chosen !== null) return chosen;
  for (const wish of wished) {
    const found = LANGUAGES.find(([language]) => wish.toLowerCase().split("-")[0] === language);
    if (found !== undefined) return found[0];
  }
  return "en";
}

const FIRST_STRONG = "\u2068";
const POP = "\u2069";

/** The voice as components use it. */
export interface Voice {
  /** A sentence as text, for labels and titles. Names stand in isolation when the language runs the other way. */
  readonly say: (key: Key, values?: Values) => string;
  /** A sentence that counts. */
  readonly count: (key: Key, n: number, values?: Values) => string;
  readonly language: () => Language;
  readonly clock: (seconds: number) => string;
  readonly time: (at: number) => string;
  readonly day: (at: number, now: number, short?: boolean) => string;
  readonly during: (seconds: number) => string;
  readonly size: (bytes: number) => string;
}

/** Returns the voice of the app a component lives in. */
export function useVoice(): Voice {
  const { t, locale } = useI18n({ useScope: "global" });
  const language = () => locale.value as Language;
  const clean = (values: Values): Record<string, string | number> => {
    const isolate = language() === "ar";
    return Object.fromEntries(
      Object.entries(values).map(([key, value]): [string, string | number] => {
        if (typeof value === "number") return [key, value];
        const shown = key === "name" || key === "file" ? inertLine(value) : value;
        return [key, isolate ? `${FIRST_STRONG}${shown}${POP}` : shown];
      }),
    );
  };
  return {
    say: (key, values = {}) => t(key, clean(values)),
    count: (key, n, values = {}) => t(key, { ...clean(values), n }, n),
    language,
    clock,
    time: timeOfDay,
    day: (at, now, short = false) => day(at, now, language(), short),
    during: (seconds) => during(seconds, language()),
    size: (bytes) => size(bytes, language()),
  };
}

/** Dates, durations and sizes as a person reads them. Digits stay Western in every language, as codes do. */

import type { Language } from "./models.ts";

const TAGS: Record<Language, string> = {
  en: "en-GB-u-nu-latn",
  de: "de-u-nu-latn",
  es: "es-u-nu-latn",
  fr: "fr-u-nu-latn",
  ar: "ar-u-nu-latn",
};

const UNITS = ["kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** Returns the locale that dates and numbers are written in. */
export function tagOf(language: Language): string {
  return TAGS[language];
}

/** Returns a duration as digits: "0:12", "12:40", "1:02:03". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const second = String(whole % 60).padStart(2, "0");
  const minute = Math.floor(whole / 60) % 60;
  const hour = Math.floor(whole / 3600);
  return hour > 0 ? `${hour}:${String(minute).padStart(2, "0")}:${second}` : `${minute}:${second}`;
}

/** Returns the local time of day: "14:05". */
export function timeOfDay(at: number): string {
  const date = new Date(at * 1000);
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}

/** Returns a local date: "18 August", or "18 Aug" when `short`, with the year unless it is this one. */
export function day(at: number, now: number, language: Language, short = false): string {
  const date = new Date(at * 1000);
  const thisYear = date.getFullYear() === new Date(now * 1000).getFullYear();
  const form = new Intl.DateTimeFormat(tagOf(language), {
    day: "numeric",
    month: short ? "short" : "long",
    ...(thisYear ? {} : { year: "numeric" }),
  });
  return form.format(date);
}

/** Returns a duration as words: "12 minutes and 40 seconds". */
export function during(seconds: number, language: Language): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    ["hour", Math.floor(whole / 3600)],
    ["minute", Math.floor(whole / 60) % 60],
    ["second", whole % 60],
  ] as const;
  const said = parts
    .filter(([, amount]) => amount > 0)
    .map(([unit, amount]) => unitOf(amount, unit, language, "long"));
  if (said.length === 0) return unitOf(whole, "second", language, "long");
  return new Intl.ListFormat(tagOf(language), { type: "conjunction" }).format(said);
}

/** Returns a size in decimal units with at most one decimal: "18.4 MB". */
export function size(bytes: number, language: Language): string {
  if (bytes < 1000) return unitOf(bytes, "byte", language, "long");
  let amount = bytes / 1000;
  let unit = 0;
  while (amount >= 999.95 && unit < UNITS.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return unitOf(amount, UNITS[unit] ?? "terabyte", language, "short");
}

function unitOf(amount: number, unit: string, language: Language, display: "short" | "long"): string {
  return new Intl.NumberFormat(tagOf(language), {
    style: "unit",
    unit,
    unitDisplay: display,
    maximumFractionDigits: 1,
  }).format(amount);
}

/** Whole seconds that a held call has left; the screen's clock may lag by one behind the moment it was held. */
export function secondsHeld(
  line: { readonly heldUntil: number; readonly holdSeconds: number },
  now: number,
): number {
  return Math.min(line.holdSeconds, Math.max(0, Math.ceil(line.heldUntil - now)));
}

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import ar from "../../app/locales/ar.json";
import de from "../../app/locales/de.json";
import en from "../../app/locales/en.json";
import es from "../../app/locales/es.json";
import fr from "../../app/locales/fr.json";
import type { Language } from "../../app/models.ts";
import { formOf, FORMS } from "../../app/words.ts";

const APP = join(import.meta.dirname, "../../app");

interface Tree {
  readonly [key: string]: string | Tree;
}

/** The files as they are written: the build turns what is imported into functions. */
function readLocale(language: Language): ReadonlyMap<string, string> {
  const text = readFileSync(join(APP, "locales", `${language}.json`), "utf8");
  const leaves = new Map<string, string>();
  const walk = (tree: Tree, prefix: string): void => {
    for (const [key, value] of Object.entries(tree)) {
      if (typeof value === "string") leaves.set(prefix + key, value);
      else walk(value, `${prefix}${key}.`);
    }
  };
  walk(JSON.parse(text) as Tree, "");
  return leaves;
}

const ENGLISH = readLocale("en");
const OTHERS = ["de", "es", "fr", "ar"] as const;
const forms = (message: string): readonly string[] => message.split(" | ");
const places = (message: string): string =>
  [...new Set(message.match(/\{\w+\}/gu) ?? [])].sort((a, b) => a.localeCompare(b)).join(" ");

describe.each(OTHERS)("%s", (language) => {
  const words = readLocale(language);

  it("says all there is to say, and nothing else", () => {
    expect([...words.keys()]).toEqual([...ENGLISH.keys()]);
    expect([...words].filter(([, said]) => said.trim() === "")).toEqual([]);
  });

  it("puts the same values into a sentence", () => {
    const wrong = [...words].filter(([key, said]) => {
      const wanted = places(ENGLISH.get(key) ?? "");
      return places(said) !== wanted && places(`${said} {n}`) !== wanted;
    });
    expect(wrong).toEqual([]);
  });

  it("has every form of a sentence that counts", () => {
    for (const [key, said] of words) {
      const counted = forms(ENGLISH.get(key) ?? "").length > 1;
      expect([key, forms(said).length]).toEqual([key, counted ? FORMS[language].length : 1]);
    }
  });
});

describe("the forms of a number", () => {
  it.each([
    ["en", 1, 0],
    ["en", 0, 1],
    ["fr", 0, 0],
    ["fr", 1, 0],
    ["fr", 2, 1],
    ["fr", 1_000_000, 1],
    ["ar", 0, 0],
    ["ar", 1, 1],
    ["ar", 2, 2],
    ["ar", 3, 3],
    ["ar", 11, 4],
    ["ar", 100, 5],
    ["ar", 103, 3],
  ] as const)("%s says %i in its form %i", (language, count, form) => {
    expect(formOf(language, count, FORMS[language].length)).toBe(form);
  });
});

describe("components", () => {
  const files = readdirSync(APP, { recursive: true, encoding: "utf8" });
  const templates = files.filter((file) => file.endsWith(".vue"));
  const sources = files.filter((file) => /\.(vue|ts)$/u.test(file) && !file.startsWith("dev"));

  it("write no words of their own", () => {
    expect(templates.length).toBeGreaterThan(30);
    const keys = new Set(["Whisp", "Enter", "Shift", "Esc"]); // the name, and the caps of keys
    const own = templates.flatMap((file) => {
      const text = readFileSync(join(APP, file), "utf8");
      const template = text.slice(text.indexOf("<template>"));
      const plain = template
        .replace(/\{\{[^]*?\}\}/gu, "")
        .replace(/<(?:"[^"]*"|'[^']*'|[^>"'])*>/gu, "\n")
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => /\p{L}{2}/u.test(line) && !keys.has(line));
      const labels = [...template.matchAll(/\s(?:aria-label|title|placeholder|alt)="([^"]+)"/gu)]
        .map(([, said = ""]) => said)
        .filter((said) => !["odile", "mira"].includes(said));
      return [...plain, ...labels].map((said) => `${file}: ${said}`);
    });
    expect(own).toEqual([]);
  });

  it("use every sentence there is", () => {
    const all = sources.map((file) => readFileSync(join(APP, file), "utf8")).join("\n");
    const unused = [...ENGLISH.keys()].filter((key) => {
      const room = key.slice(0, key.lastIndexOf(".") + 1);
      return !all.includes(key) && !all.includes(`\`${room}\${`);
    });
    expect(unused).toEqual([]);
  });
});

it("compiles every language ahead, so that no message is evaluated in the page", () => {
  for (const messages of [en, de, es, fr, ar]) {
    expect(typeof messages.starting).not.toBe("string");
  }
});

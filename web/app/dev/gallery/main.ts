/** Every screen with fixed views: `?screen=chat&theme=dark&language=ar`. Not part of the product. */

import { ref } from "vue";
import type { Actions, AppView, Language, Source, Theme } from "../../models.ts";
import { start } from "../../start.ts";
import { LANGUAGES } from "../../words.ts";
import { NOW, SCREENS } from "./views.ts";

const THEMES: readonly Theme[] = ["system", "light", "dark"];

const asked = new URLSearchParams(location.search);
const name = asked.get("screen") ?? "";
const make = SCREENS[name];
const root = document.querySelector("#whisp");

function show(element: Element, first: AppView): void {
  let view = first;
  const listeners = new Set<() => void>();
  const change = (next: AppView): void => {
    view = next;
    for (const listener of listeners) listener();
  };
  const known: Partial<Actions> = {
    change: (settings) => {
      change({ ...view, settings: { ...view.settings, ...settings } });
    },
    setTheme: (theme) => {
      change({ ...view, settings: { ...view.settings, theme } });
    },
    setLanguage: (language) => {
      change({ ...view, settings: { ...view.settings, language } });
    },
    panic: () => {
      change({
        ...view,
        stage: { at: "locked", reason: "panic", opener: "passphrase", problem: "none", busy: false },
      });
    },
    sendText: (text) => {
      const { stage } = view;
      if (stage.at !== "call") return;
      const key = `said-${stage.call.log.length}`;
      const entry = {
        kind: "text",
        key,
        own: true,
        id: null,
        text,
        at: NOW,
        progress: "waiting",
        quote: null,
        state: "said",
        reactions: { own: "", theirs: "" },
      } as const;
      change({ ...view, stage: { at: "call", call: { ...stage.call, log: [...stage.call.log, entry] } } });
    },
  };
  const source: Source = {
    actions: new Proxy(known as Actions, {
      get: (target, key) => (Reflect.get(target, key) as unknown) ?? (() => undefined),
    }),
    view: () => view,
    subscribe: (changed) => {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
  };
  const begin = name === "settings" || name === "stored" ? name : "contacts";
  start(source, element, { clock: { now: ref(NOW), still: true }, begin });
}

function list(element: Element): void {
  for (const screen of Object.keys(SCREENS)) {
    for (const language of LANGUAGES.map(([code]) => code)) {
      const link = document.createElement("a");
      link.href = `?screen=${screen}&language=${language}`;
      link.textContent = `${screen} ${language}`;
      element.append(link, " ");
    }
    element.append(document.createElement("br"));
  }
}

if (root !== null) {
  if (make === undefined) list(root);
  else {
    const first = make();
    const theme = THEMES.find((one) => one === asked.get("theme")) ?? "system";
    const language: Language = LANGUAGES.find(([code]) => code === asked.get("language"))?.[0] ?? "en";
    show(root, { ...first, settings: { ...first.settings, theme, language } });
  }
}

/** Puts the app on a page: one source of views, one voice, one root element. */

import { type App as VueApp, createApp, defineComponent, h, watch } from "vue";
import App from "./App.vue";
import { type Clock, provideWhisp, runningClock } from "./context.ts";
import type { Source } from "./models.ts";
import { createWords, languageFor, speak } from "./words.ts";
import "./styles/index.css";

const RIGHT_TO_LEFT: readonly string[] = ["ar"];

/** What the gallery asks for: a clock that stands still, and a place to begin at. */
export interface Staging {
  readonly clock: Clock;
  readonly begin: "contacts" | "settings" | "stored";
}

/** Mounts the app. Returns it, to be unmounted. */
export function start(source: Source, element: Element, staging?: Staging): VueApp {
  const words = createWords();
  const root = document.documentElement;

  const Root = defineComponent({
    name: "WhispRoot",
    setup() {
      const { view } = provideWhisp(source, staging?.clock ?? runningClock());
      watch(
        () => view.value.settings.theme,
        (theme) => {
          if (theme === "system") delete root.dataset["theme"];
          else root.dataset["theme"] = theme;
        },
        { immediate: true },
      );
      watch(
        () => languageFor(view.value.settings.language, navigator.languages),
        async (language) => {
          await speak(words, language);
          const spoken = words.global.locale.value;
          root.lang = spoken;
          root.dir = RIGHT_TO_LEFT.includes(spoken) ? "rtl" : "ltr";
        },
        { immediate: true },
      );
      return () => h(App, { begin: staging?.begin ?? "contacts" });
    },
  });

  const app = createApp(Root);
  app.use(words);
  app.mount(element);
  return app;
}

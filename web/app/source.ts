/** A source that can be followed before there is a client: first the opening view, then what the client says. */

import type { Actions, AppView, SettingsView, Source } from "./models.ts";

/** How a device wants to be used until it says otherwise. */
export const DEFAULT_SETTINGS: SettingsView = {
  theme: "system",
  language: null,
  sounds: true,
  blur: false,
  direct: true,
  letters: true,
  receipts: true,
  lockAfter: 900,
};

/** The view while the client is being loaded and the vault looked for. */
export function openingView(server: string, settings: SettingsView = DEFAULT_SETTINGS): AppView {
  return {
    stage: { at: "starting" },
    me: "",
    server,
    connection: { state: "connecting" },
    settings,
    opener: "none",
    protecting: false,
    passkeys: false,
    notice: null,
    updated: false,
    safety: null,
    erasing: "no",
  };
}

/** Shows one view until `follow` gives it someone to follow. Actions before that do nothing. */
export class DeferredSource implements Source {
  readonly actions: Actions;
  #followed: Source | null = null;
  readonly #opening: AppView;
  readonly #listeners = new Set<() => void>();

  constructor(opening: AppView) {
    this.#opening = opening;
    const target = (): Actions | null => this.#followed?.actions ?? null;
    // Components keep the actions they were made with, so these pass on to whoever is followed then.
    this.actions = new Proxy({} as Actions, {
      get:
        (_, name) =>
        (...values: unknown[]): void => {
          const actions = target();
          if (actions === null) return;
          const action: unknown = Reflect.get(actions, name);
          if (typeof action === "function") Reflect.apply(action, actions, values);
        },
    });
  }

  view(): AppView {
    return this.#followed?.view() ?? this.#opening;
  }

  subscribe(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  /** From now on the views and actions are those of `source`. */
  follow(source: Source): void {
    this.#followed = source;
    source.subscribe(() => {
      this.#tell();
    });
    this.#tell();
  }

  #tell(): void {
    for (const changed of this.#listeners) changed();
  }
}

/** What every component may reach: the view now, the actions, and the time. */

import {
  type InjectionKey,
  inject,
  onScopeDispose,
  provide,
  ref,
  type Ref,
  shallowRef,
  type ShallowRef,
} from "vue";
import type { Actions, AppView, Source } from "./models.ts";

/** Time as the screens see it, Unix seconds. A gallery stands still. */
export interface Clock {
  readonly now: Readonly<Ref<number>>;
  /** Whether things move by themselves. */
  readonly still: boolean;
}

interface Context {
  readonly view: Readonly<ShallowRef<AppView>>;
  readonly actions: Actions;
  readonly clock: Clock;
}

const CONTEXT: InjectionKey<Context> = Symbol("whisp");

/** Makes the context of everything below the calling component. */
export function provideWhisp(source: Source, clock: Clock): Context {
  const view = shallowRef(source.view());
  onScopeDispose(
    source.subscribe(() => {
      view.value = source.view();
    }),
  );
  const context = { view, actions: source.actions, clock };
  provide(CONTEXT, context);
  return context;
}

/** Returns the context. Throws outside of the app, which is a mistake of ours. */
export function useWhisp(): Context {
  const context = inject(CONTEXT);
  if (context === undefined) throw new Error("no Whisp above this component");
  return context;
}

/** A clock of whole seconds, looked at four times in each, so that no digit is late by more than that. */
export function runningClock(): Clock {
  const now = ref(Math.floor(Date.now() / 1000));
  const timer = setInterval(() => {
    now.value = Math.floor(Date.now() / 1000);
  }, 250);
  onScopeDispose(() => {
    clearInterval(timer);
  });
  return { now, still: false };
}

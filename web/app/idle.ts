/** Nobody there: after so long without a key, a touch or a move, something happens. */

import { onBeforeUnmount, onMounted } from "vue";

/** How often is looked, milliseconds. A sleeping device looks when it wakes. */
const LOOK_MS = 2000;

const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "input"] as const;

/** Calls `idle` when nothing was touched for `after()` seconds, unless that is `null`. By the wall clock, which sleep does not stop. */
export function useIdle(after: () => number | null, idle: () => void): void {
  let touched = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;

  function touch(): void {
    touched = Date.now();
  }
  function look(): void {
    const seconds = after();
    if (seconds === null || Date.now() - touched < seconds * 1000) return;
    touch();
    idle();
  }

  onMounted(() => {
    for (const sign of SIGNS) window.addEventListener(sign, touch, { passive: true, capture: true });
    document.addEventListener("visibilitychange", look);
    timer = setInterval(look, LOOK_MS);
  });
  onBeforeUnmount(() => {
    for (const sign of SIGNS) window.removeEventListener(sign, touch, { capture: true });
    document.removeEventListener("visibilitychange", look);
    clearInterval(timer);
  });
}

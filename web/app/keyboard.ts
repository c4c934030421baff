/** The keys of the whole page: panic, palette, blur, regions. Keys that browsers own are never taken. */

import { onBeforeUnmount, onMounted } from "vue";
import { closeTop } from "./layers.ts";

/** Two presses of Escape within this many milliseconds, with nothing open, are panic. */
export const PANIC_MS = 600;

export interface Keys {
  panic(): void;
  palette(): void;
  blur(): void;
}

/** Listens while the component lives. */
export function useKeys(keys: Keys): void {
  let escaped = -Infinity;

  function key(event: KeyboardEvent): void {
    if (event.isComposing || event.repeat) return;
    const command = event.ctrlKey || event.metaKey;
    if (event.key === "Escape" && !event.shiftKey && !command) {
      if (closeTop()) {
        escaped = -Infinity; // the press that closed something does not count
        event.preventDefault();
        return;
      }
      if (event.timeStamp - escaped <= PANIC_MS) {
        escaped = -Infinity;
        event.preventDefault();
        keys.panic();
        return;
      }
      escaped = event.timeStamp;
    } else if (command && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      keys.palette();
    } else if (command && event.key === ".") {
      event.preventDefault();
      keys.blur();
    } else if (event.key === "F6" && !command) {
      event.preventDefault();
      toRegion(event.shiftKey ? -1 : 1);
    }
  }

  onMounted(() => {
    window.addEventListener("keydown", key);
  });
  onBeforeUnmount(() => {
    window.removeEventListener("keydown", key);
  });
}

/** Moves focus to the next or previous region on the page. */
export function toRegion(step: -1 | 1): void {
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")].filter(
    (one) => one.getClientRects().length > 0,
  );
  if (regions.length === 0) return;
  const here = regions.findLastIndex((one) => one.contains(document.activeElement));
  const start = here < 0 && step < 0 ? 0 : here;
  regions[(start + step + regions.length) % regions.length]?.focus();
}

/** Layers above a screen: the top one takes Escape, and focus goes back where it was. */

import { nextTick, onBeforeUnmount, onMounted, type Ref } from "vue";

const stack: (() => void)[] = [];

/** Closes the top layer; says whether there was one. */
export function closeTop(): boolean {
  const close = stack.at(-1);
  close?.();
  return close !== undefined;
}

/** Closes everything, top first. */
export function closeAll(): void {
  while (stack.length > 0) {
    const before = stack.length;
    closeTop();
    if (stack.length >= before) stack.pop();
  }
}

const FOCUSABLE = 'a[href], button, input, textarea, select, [tabindex]:not([tabindex="-1"])';

/** Makes the component a page over another one: Escape leaves it, and focus goes back where it was. */
export function usePage(close: () => void): void {
  const before = document.activeElement;

  onMounted(() => {
    stack.push(close);
  });
  onBeforeUnmount(() => {
    const index = stack.lastIndexOf(close);
    if (index >= 0) stack.splice(index, 1);
    void nextTick(() => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    });
  });
}

/** Makes the component a layer: it takes focus, keeps Tab inside, and gives focus back. */
export function useLayer(
  root: Readonly<Ref<HTMLElement | null>>,
  close: () => void,
  first?: () => void,
): void {
  let before: Element | null = null;

  function keep(event: KeyboardEvent): void {
    if (event.key !== "Tab" || root.value === null || stack.at(-1) !== close) return;
    const inside = [...root.value.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(
      (one) => !one.hasAttribute("disabled") && one.tabIndex >= 0,
    );
    const [start] = inside;
    const end = inside.at(-1);
    if (start === undefined || end === undefined) return;
    const here = document.activeElement;
    const outside = here === null || !root.value.contains(here);
    if (event.shiftKey && (here === start || outside || here === root.value)) {
      event.preventDefault();
      end.focus();
    } else if (!event.shiftKey && (here === end || outside)) {
      event.preventDefault();
      start.focus();
    }
  }

  onMounted(() => {
    before = document.activeElement;
    stack.push(close);
    document.addEventListener("keydown", keep);
    if (first === undefined) root.value?.focus();
    else first();
  });
  onBeforeUnmount(() => {
    const index = stack.lastIndexOf(close);
    if (index >= 0) stack.splice(index, 1);
    document.removeEventListener("keydown", keep);
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  });
}

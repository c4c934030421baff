import { mount, type VueWrapper } from "@vue/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { defineComponent, h } from "vue";
import { useIdle } from "../../app/idle.ts";
import { type Keys, PANIC_MS, useKeys } from "../../app/keyboard.ts";
import { closeAll, useLayer } from "../../app/layers.ts";
import { ref } from "vue";

function press(key: string, at: number, more: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
  Object.defineProperty(event, "timeStamp", { value: at });
  document.body.dispatchEvent(event);
  return event;
}

describe("the keys of the page", () => {
  let keys: { [Name in keyof Keys]: ReturnType<typeof vi.fn<() => void>> };
  let page: VueWrapper;

  beforeEach(() => {
    keys = { panic: vi.fn(), palette: vi.fn(), blur: vi.fn() };
    page = mount(
      defineComponent({
        setup() {
          useKeys(keys);
          return () => h("div", { "data-region": "", tabindex: -1 });
        },
      }),
      { attachTo: document.body },
    );
  });
  afterEach(() => {
    page.unmount();
    closeAll();
  });

  it("panics at two presses of Escape in time", () => {
    press("Escape", 1000);
    expect(keys.panic).not.toHaveBeenCalled();
    press("Escape", 1000 + PANIC_MS);
    expect(keys.panic).toHaveBeenCalledTimes(1);
  });

  it("does not panic at two that have nothing to do with each other, nor at a held key", () => {
    press("Escape", 1000);
    press("Escape", 1001 + PANIC_MS);
    press("Escape", 1100 + PANIC_MS, { repeat: true });
    expect(keys.panic).not.toHaveBeenCalled();
  });

  it("lets Escape close what is open first, and counts that press for nothing", () => {
    const close = vi.fn();
    const layer = mount(
      defineComponent({
        setup() {
          useLayer(ref(null), close);
          return () => h("div");
        },
      }),
    );
    press("Escape", 1000);
    expect(close).toHaveBeenCalledTimes(1);
    layer.unmount();
    press("Escape", 1100);
    expect(keys.panic).not.toHaveBeenCalled();
    press("Escape", 1200);
    expect(keys.panic).toHaveBeenCalledTimes(1);
  });

  it("opens the palette and the cover, and leaves keys of the browser alone", () => {
    press("k", 0, { ctrlKey: true });
    press("K", 0, { metaKey: true });
    press(".", 0, { ctrlKey: true });
    expect(keys.palette).toHaveBeenCalledTimes(2);
    expect(keys.blur).toHaveBeenCalledTimes(1);
    for (const [key, more] of [
      ["w", { ctrlKey: true }],
      ["t", { ctrlKey: true, shiftKey: true }],
      ["k", { ctrlKey: true, shiftKey: true }],
      ["Escape", { shiftKey: true }],
    ] as const) {
      expect(press(key, 0, more).defaultPrevented).toBe(false);
    }
    expect(keys.palette).toHaveBeenCalledTimes(2);
  });
});

describe("when nobody is there", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function watch(after: () => number | null): ReturnType<typeof vi.fn> {
    const idle = vi.fn();
    mount(
      defineComponent({
        setup() {
          useIdle(after, idle);
          return () => h("div");
        },
      }),
    );
    return idle;
  }

  it("something happens after so long, and not while there are signs", () => {
    const idle = watch(() => 60);
    vi.advanceTimersByTime(50_000);
    window.dispatchEvent(new Event("pointermove"));
    vi.advanceTimersByTime(50_000);
    expect(idle).not.toHaveBeenCalled();
    vi.advanceTimersByTime(12_000);
    expect(idle).toHaveBeenCalledTimes(1);
  });

  it("nothing happens if that is not wanted", () => {
    const idle = watch(() => null);
    vi.advanceTimersByTime(10_000_000);
    expect(idle).not.toHaveBeenCalled();
  });

  it("a device that slept is locked when it wakes", () => {
    const idle = watch(() => 60);
    vi.setSystemTime(Date.now() + 3_600_000);
    document.dispatchEvent(new Event("visibilitychange"));
    expect(idle).toHaveBeenCalledTimes(1);
  });
});

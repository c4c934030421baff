import { describe, expect, it } from "vitest";
import { Memory, settingsFrom } from "../../app/settings.ts";
import { DEFAULT_SETTINGS } from "../../app/source.ts";

describe("settings", () => {
  it("come back as they were kept", () => {
    const kept = {
      ...DEFAULT_SETTINGS,
      theme: "dark",
      language: "ar",
      lockAfter: null,
      sounds: false,
    } as const;
    expect(settingsFrom(JSON.parse(JSON.stringify(kept)))).toEqual(kept);
  });

  it.each([
    null,
    7,
    "dark",
    [],
    { theme: "<script>", language: "tlh", sounds: "yes", lockAfter: 1 },
    { __proto__: { theme: "dark" } },
  ])("that make no sense are as they are by default: %o", (stored) => {
    expect(settingsFrom(JSON.parse(JSON.stringify(stored)))).toEqual(DEFAULT_SETTINGS);
  });

  it("work in a browser that refuses to keep them", () => {
    const refuse = (): never => {
      throw new DOMException("no", "SecurityError");
    };
    for (const memory of [
      new Memory(refuse),
      new Memory(() => ({ getItem: refuse, setItem: refuse, removeItem: refuse })),
    ]) {
      expect(memory.settings()).toEqual(DEFAULT_SETTINGS);
      memory.keep(DEFAULT_SETTINGS);
      memory.noteKeys(true);
      expect(memory.hadKeys()).toBe(false);
    }
  });
});

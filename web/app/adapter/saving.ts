/** Where a browser puts files, on request only. */

import type { ChosenFile, Saving } from "./ports.ts";

/** How long a download may take to begin, milliseconds; then its address dies. */
const ADDRESS_MS = 60_000;

/** Only some browsers have it. */
interface WithPicker {
  showSaveFilePicker?: (options: { readonly suggestedName: string }) => Promise<ChosenFile>;
}

/** Saving as this browser can. */
export function browserSaving(page: Window): Saving {
  const picker = (page as WithPicker).showSaveFilePicker;
  return {
    canStream: picker !== undefined,
    async choose(name) {
      if (picker === undefined) return null;
      try {
        return await picker.call(page, { suggestedName: name });
      } catch (error) {
        if (error instanceof DOMException && error.name === "AbortError") return null;
        throw error;
      }
    },
    download(content, name) {
      const address = URL.createObjectURL(content);
      const link = page.document.createElement("a");
      link.href = address;
      link.download = name;
      link.rel = "noreferrer";
      link.click();
      setTimeout(() => {
        URL.revokeObjectURL(address);
      }, ADDRESS_MS);
    },
  };
}

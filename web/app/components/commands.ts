/** What the palette and the navigation offer. */

import type { IconName } from "./icons.ts";

/** A page of the main navigation. */
export type Place = "contacts" | "settings";

/** Something to find or to do, by its name. */
export interface PaletteCommand {
  readonly id: string;
  readonly label: string;
  readonly icon: IconName;
  readonly run: () => void;
}

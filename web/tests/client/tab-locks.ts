/** Web Locks as the tabs of one browser share them. */

import type { LockPart } from "../../client/vault/account-lock.ts";

/** The locks of one browser. */
export function tabLocks(): LockPart {
  const held = new Set<string>();
  return {
    request: async (name, _options, use) => {
      if (held.has(name)) {
        await use(null);
        return;
      }
      held.add(name);
      try {
        await use({ name });
      } finally {
        held.delete(name);
      }
    },
  };
}

/** Whether list and stage are two pages, as on a phone: then each has its own first heading. */

import { onScopeDispose, readonly, ref, type Ref } from "vue";

const PHONE = "(max-width: 760px)";

/** Follows the window's width while the component lives. */
export function useNarrow(): Readonly<Ref<boolean>> {
  const query = window.matchMedia(PHONE);
  const narrow = ref(query.matches);
  const changed = (event: MediaQueryListEvent): void => {
    narrow.value = event.matches;
  };
  query.addEventListener("change", changed);
  onScopeDispose(() => {
    query.removeEventListener("change", changed);
  });
  return readonly(narrow);
}

/** The product's page. */

import { DeferredSource, openingView } from "./source.ts";
import { start } from "./start.ts";

/** What the client follows up on once it is loaded: see `DeferredSource.follow`. */
export const source = new DeferredSource(openingView(location.host));

const root = document.querySelector("#whisp");
if (root !== null) start(source, root);

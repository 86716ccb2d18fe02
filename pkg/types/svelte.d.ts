/** Types of `<adversight-explainer>` in Svelte 5: `import type {} from "adversight/svelte"`. */

import type { AdversightExplainer } from "../element.js";
import type { ExplainerAttributes, ExplainerListeners } from "./attributes.js";

import type { HTMLAttributes } from "svelte/elements";

declare module "svelte/elements" {
  interface SvelteHTMLElements {
    "adversight-explainer": ExplainerAttributes &
      ExplainerListeners &
      Omit<HTMLAttributes<AdversightExplainer>, keyof ExplainerAttributes>;
  }
}

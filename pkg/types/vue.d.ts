/** Types of `<adversight-explainer>` in Vue's templates: `import type {} from "adversight/vue"`. */

import type { ExplainerEventMap } from "../element.js";
import type { ExplainerAttributes } from "./attributes.js";

/** Listeners, as Vue names them: `@adversight-explanation`. */
type Listeners = {
  [Name in keyof ExplainerEventMap as `on${Capitalize<Name>}`]?: (event: ExplainerEventMap[Name]) => void;
};

export type AdversightExplainerComponent = new () => { $props: ExplainerAttributes & Listeners };

declare module "vue" {
  interface GlobalComponents {
    "adversight-explainer": AdversightExplainerComponent;
  }
}

/** Types of `<adversight-explainer>` in Solid, where `prop:` sets a property: `import type {} from "adversight/solid"`. */

import type { AdversightExplainer, ExplainerEventMap, ExplainerProperties } from "../element.js";
import type { ExplainerAttributes } from "./attributes.js";

type Properties = {
  [Name in keyof ExplainerProperties as `prop:${Name}`]?: ExplainerProperties[Name];
};
type Listeners = {
  [Name in keyof ExplainerEventMap as `on:${Name}`]?: (event: ExplainerEventMap[Name]) => void;
};

import type {} from "solid-js";

declare module "solid-js" {
  namespace JSX {
    interface IntrinsicElements {
      "adversight-explainer": ExplainerAttributes &
        Properties &
        Listeners &
        Omit<HTMLAttributes<AdversightExplainer>, keyof ExplainerAttributes>;
    }
  }
}

/** Types of `<adversight-explainer>` for JSX in React 19, which sets properties: `import type {} from "adversight/react"`. */

import type { AdversightExplainer } from "../element.js";
import type { ExplainerAttributes, ExplainerListeners } from "./attributes.js";

import type * as React from "react";

type Common = Omit<React.HTMLAttributes<AdversightExplainer>, keyof ExplainerAttributes> &
  React.ClassAttributes<AdversightExplainer>;

export type AdversightExplainerProps = ExplainerAttributes &
  ExplainerListeners &
  Common & { class?: string | undefined };

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "adversight-explainer": AdversightExplainerProps;
    }
  }
}

// What a template may say of `<adversight-explainer>`, whatever framework it belongs to.

import type { ExplainerEventMap, ExplainerProperties } from "../element.js";

/** Both forms of a name: that of the property and that of the attribute. */
export type ExplainerAttributes = Partial<ExplainerProperties> & {
  "colour-map"?: ExplainerProperties["colourMap"];
};

/** Listeners, as `on` with the event's name: `onadversight-explanation`. */
export type ExplainerListeners = {
  [Name in keyof ExplainerEventMap as `on${Name}`]?: (event: ExplainerEventMap[Name]) => void;
};

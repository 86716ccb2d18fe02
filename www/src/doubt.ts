// What is to be said of an answer before anybody looks at its map.

import { t } from "./strings/strings.js";
import { doubtOf } from "adversight";
import type { State } from "./state.js";

export interface Doubt {
  title: string;
  text: string;
}

/** Why the answer at hand is to be doubted: the network is not sure of it, or it looked like noise when it was set up. */
export function doubtsOf({
  explanation,
  network,
  doubts,
}: Pick<State, "explanation" | "network" | "doubts">): Doubt[] {
  const own = network ? doubts[network.name] : undefined;
  const unsure = explanation ? doubtOf(explanation) : null;
  return [
    // The words beside the map say of what it is not sure.
    ...(unsure === null
      ? []
      : [{ title: t`The network is not sure.`, text: t`The map explains a guess, and is toned down.` }]),
    ...(own === undefined ? [] : [{ title: t`This network’s answers look like noise.`, text: own }]),
  ];
}

// Evidence against: whether the map at hand has signs, and whether they are shown.

import { showsSigns, signedMap, type Explanation, type SignedMap } from "adversight";
import type { State } from "./state.js";

const known = new WeakMap<Explanation, SignedMap | null>();

/** The map of a picture with its signs; null where its method tells none, or nothing speaks against the class. */
export function signedOf(explanation: Explanation | null, { model }: Pick<State, "model">): SignedMap | null {
  if (!explanation) return null;
  let map = known.get(explanation);
  if (map === undefined) {
    const layout = model?.info.layout;
    const { method } = explanation.info;
    map = signedMap(explanation, { method, ...(layout === undefined ? {} : { layout }) });
    known.set(explanation, map);
  }
  return map;
}

/** The same where it is to be shown: as chosen, and by itself for methods whose papers do not leave out what speaks against the class. */
export function shownSigns(
  explanation: Explanation | null,
  state: Pick<State, "model" | "signs" | "given">,
): SignedMap | null {
  if (state.given?.kind !== "image" || !explanation) return null;
  return (state.signs ?? showsSigns(explanation.info.method)) ? signedOf(explanation, state) : null;
}

// A second method's explanation of the same, beside the first.

import { t } from "../strings/strings.js";
import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { decimals, percent, seconds } from "../format.js";
import { rankCorrelation } from "../correlation.js";
import { kinds } from "../kinds.js";
import type { State } from "../state.js";
import { valuesOf } from "../text.js";
import { fillMethods } from "./method.js";

export function mountBeside(app: App): void {
  const select = find("beside", HTMLSelectElement);
  const swap = find("swap", HTMLButtonElement);
  const frames = find("frames", HTMLElement);
  const second = find("second", HTMLElement);
  const agreement = find("agreement", HTMLElement);

  app.store.watch(["methods", "model", "method", "beside"], (state) => {
    const none = make("option", { text: t`no other method` });
    none.value = "";
    fillMethods(select, state, state.beside ?? "", { first: [none], without: state.method });
    select.disabled = state.methods.length < 2;
  });
  select.addEventListener("change", () => void app.chooseBeside(select.value === "" ? null : select.value));
  swap.addEventListener("click", () => {
    app.swap();
  });

  app.store.watch(["beside", "second", "explanation", "answered", "methods", "firstLook"], (state) => {
    const { beside, explanation, firstLook } = state;
    const two = beside !== null;
    frames.classList.toggle("two", two);
    second.hidden = !two;
    swap.hidden = !two;
    swap.disabled = !state.second || !explanation || firstLook;
    const name = (method: string) => state.methods.find((other) => other.name === method)?.title ?? method;
    caption(
      "first-by",
      two,
      explanation ? name(explanation.info.method) : "",
      explanation?.info.milliseconds,
    );
    caption("second-by", two, two ? name(beside) : "", state.second?.explanation.info.milliseconds);
    agreement.hidden = !two || !state.second || !explanation || firstLook;
    if (!agreement.hidden) agreement.textContent = agreementSentence(state);
  });
}

function caption(id: string, shown: boolean, name: string, milliseconds: number | undefined): void {
  const place = find(id, HTMLElement);
  place.hidden = !shown;
  const time = milliseconds === undefined ? "…" : seconds(milliseconds);
  place.replaceChildren(make("strong", { text: name }), make("small", { text: time }));
}

/** How alike the two pictures are. */
function agreementSentence({ given, explanation, second }: State): string {
  if (!explanation || !second) return "";
  const [a, b] = [valuesOf(explanation), valuesOf(second.explanation)];
  const rank = rankCorrelation(a, b);
  if (rank === null) return t`The two cannot be compared in figures.`;
  const overlap = topOverlap(a, b);
  const { units } = kinds[given?.kind ?? "image"];
  return (
    t`How alike they are: rank correlation ${decimals(rank, 2).replace("-", "−")} (Spearman; 1 is the same order of ${units}), and ` +
    t`${percent(overlap)} of the strongest tenth of the ${units} in common.`
  );
}

/** The share of the strongest tenth that two maps have in common. */
function topOverlap(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const strongest = (data: ArrayLike<number>) =>
    new Set(
      Array.from(data, (_, place) => place)
        .sort((i, j) => (data[j] ?? 0) - (data[i] ?? 0))
        .slice(0, Math.ceil(data.length / 10)),
    );
  const [one, other] = [strongest(a), strongest(b)];
  return [...one].filter((pixel) => other.has(pixel)).length / one.size;
}

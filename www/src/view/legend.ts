// What the colours mean; or that there is nothing to see.

import { t } from "../strings/strings.js";
import { heatmapPixels, signedPixels, tellsSigns, type Explanation } from "adversight";
import type { App } from "../app.js";
import { find } from "../dom.js";
import { midSentence } from "../format.js";
import { kinds } from "../kinds.js";
import { shownSigns, signedOf } from "../signs.js";
import type { State } from "../state.js";

export function mountLegend(app: App): void {
  const legend = find("legend", HTMLElement);
  const scale = find("legend-scale", HTMLCanvasElement);
  const about = find("legend-about", HTMLElement);
  const low = find("legend-low", HTMLElement);
  const high = find("legend-high", HTMLElement);
  const cut = find("legend-cut", HTMLElement);
  const empty = find("empty-map", HTMLElement);
  const emptyBeside = find("empty-map-beside", HTMLElement);

  app.store.watch(["second", "methods"], (state) => {
    const other = state.second?.explanation ?? null;
    emptyBeside.hidden = !isEmpty(other);
    emptyBeside.textContent = other && isEmpty(other) ? emptySentence(state, other) : "";
  });
  app.store.watch(["explanation", "view", "methods", "signs"], (state) => {
    const nothing = isEmpty(state.explanation);
    legend.classList.toggle("off", !state.explanation || nothing || state.view === "photograph");
    empty.hidden = !nothing;
    if (!state.explanation) return;
    const { info } = state.explanation;
    const [rival] = info.against;
    const name =
      rival && info.against.length === 1
        ? t`“${info.target.label}” and not “${rival.label}”`
        : `“${info.target.label}”`;
    const signed = shownSigns(state.explanation, state) !== null;
    about.hidden = signed;
    about.textContent = t`What counts for ${name}:`;
    low.textContent = signed ? t`against ${name}` : t`little`;
    high.textContent = signed ? t`for ${name}` : t`much`;
    cut.hidden = signed || signedOf(state.explanation, state) === null;
    cut.textContent = tellsSigns(info.method) ? t`What speaks against it is not shown.` : "";
    empty.textContent = nothing ? emptySentence(state, state.explanation) : "";
  });

  app.store.watch(["engine", "colours", "opacity", "view", "signs", "explanation"], (state) => {
    const { engine, colours, opacity, view, explanation } = state;
    const context = scale.getContext("2d");
    if (!engine || !context) return;
    const ramp = { data: Float32Array.from({ length: 256 }, (_, i) => i / 255), shape: [1, 256], rule: "" };
    // As it lies on the photograph.
    const paint = view === "overlay" ? { opacity, base: 0 } : {};
    const both = { data: ramp.data.map((value) => 2 * value - 1), shape: [1, 256] as [number, number] };
    const { data, width, height } = shownSigns(explanation, state)
      ? signedPixels(both, paint)
      : heatmapPixels(ramp as Explanation["heatmap"], { colours: engine.colourMap(colours), ...paint });
    context.putImageData(new ImageData(data, width, height), 0, 0);
  });
}

/** Whether the heatmap has no pixel above another. */
export function isEmpty(explanation: Pick<Explanation, "heatmap"> | null): boolean {
  return explanation?.heatmap.data.every((value) => !(value > 0)) ?? false;
}

function emptySentence({ given, methods }: State, { info }: Explanation): string {
  const method = methods.find(({ name }) => name === info.method)?.title ?? info.method;
  return t`There is nothing to see: by ${midSentence(method)}, no ${kinds[given?.kind ?? "image"].part} counts for “${info.target.label}”.`;
}

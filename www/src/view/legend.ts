// What the colours mean; or that there is nothing to see.

import { heatmapPixels, type Explanation } from "adversight";
import type { App } from "../app.js";
import { find } from "../dom.js";
import { midSentence } from "../format.js";
import { kinds } from "../kinds.js";
import type { State } from "../state.js";

export function mountLegend(app: App): void {
  const legend = find("legend", HTMLElement);
  const scale = find("legend-scale", HTMLCanvasElement);
  const about = find("legend-about", HTMLElement);
  const empty = find("empty-map", HTMLElement);
  const emptyBeside = find("empty-map-beside", HTMLElement);

  app.store.watch(["second", "methods"], (state) => {
    const other = state.second?.explanation ?? null;
    emptyBeside.hidden = !isEmpty(other);
    emptyBeside.textContent = other && isEmpty(other) ? emptySentence(state, other) : "";
  });
  app.store.watch(["explanation", "view", "methods"], (state) => {
    const nothing = isEmpty(state.explanation);
    legend.classList.toggle("off", !state.explanation || nothing || state.view === "photograph");
    empty.hidden = !nothing;
    if (!state.explanation) return;
    about.textContent = `What counts for “${state.explanation.info.target.label}”:`;
    empty.textContent = nothing ? emptySentence(state, state.explanation) : "";
  });

  app.store.watch(["engine", "colours", "opacity", "view"], ({ engine, colours, opacity, view }) => {
    const context = scale.getContext("2d");
    if (!engine || !context) return;
    const ramp = { data: Float32Array.from({ length: 256 }, (_, i) => i / 255), shape: [1, 256], rule: "" };
    // As it lies on the photograph.
    const paint = view === "overlay" ? { opacity, base: 0 } : {};
    const { data, width, height } = heatmapPixels(ramp as Explanation["heatmap"], {
      colours: engine.colourMap(colours),
      ...paint,
    });
    context.putImageData(new ImageData(data, width, height), 0, 0);
  });
}

/** Whether the heatmap has no pixel above another. */
export function isEmpty(explanation: Pick<Explanation, "heatmap"> | null): boolean {
  return explanation?.heatmap.data.every((value) => !(value > 0)) ?? false;
}

function emptySentence({ given, methods }: State, { info }: Explanation): string {
  const method = methods.find(({ name }) => name === info.method)?.title ?? info.method;
  return `There is nothing to see: by ${midSentence(method)}, no ${kinds[given?.kind ?? "image"].part} counts for “${info.target.label}”.`;
}

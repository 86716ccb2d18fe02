// The photograph with the heatmap over the part of it that the network saw.

import { drawExplanation } from "adversight";
import type { App } from "../app.js";
import { find, make } from "../dom.js";
import type { State } from "../state.js";
import { isEmpty } from "./legend.js";

const reveal = 400; // milliseconds

export function mountStage(app: App): void {
  const canvas = find("picture", HTMLCanvasElement);
  const credit = find("credit", HTMLElement);
  const stillness = matchMedia("(prefers-reduced-motion: reduce)");
  let revealed = 0;
  let frame = 0;

  const draw = (now: number) => {
    frame = 0;
    const { photo, explanation, engine, view, opacity, smooth, colours } = app.state;
    const share = stillness.matches ? 1 : Math.min(1, (now - revealed) / reveal);
    if (photo) {
      drawExplanation(canvas, photo.bitmap, engine && !isEmpty(explanation) ? explanation : null, {
        colours: engine?.colourMap(colours) ?? new Uint8Array(768),
        opacity: opacity * share,
        smooth,
        view,
      });
    }
    if (share < 1) schedule();
  };
  const schedule = () => {
    frame ||= requestAnimationFrame(draw);
  };

  app.store.watch(["explanation"], () => {
    revealed = performance.now();
  });
  app.store.watch(["photo", "explanation", "view", "opacity", "smooth", "colours"], schedule);
  app.store.watch(["photo", "explanation", "view"], (state) => {
    canvas.setAttribute("aria-label", description(state));
  });
  app.store.watch(["photo"], ({ photo }) => {
    credit.replaceChildren(
      ...(photo ? [make("span", { text: photo.title }), make("small", { text: photo.credit })] : []),
    );
  });
}

function description({ photo, explanation, view }: State): string {
  if (!photo) return "No photograph yet";
  if (!explanation || isEmpty(explanation) || view === "photograph") return `Photograph: ${photo.title}`;
  const { target } = explanation.info;
  const over =
    view === "overlay" ? `over the photograph: ${photo.title}` : `of the photograph: ${photo.title}`;
  return `Heatmap for “${target.label}” ${over}`;
}

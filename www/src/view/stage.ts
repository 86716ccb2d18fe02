// The photograph with the heatmap over the part of it that the network saw; two of them where two methods are compared.

import { t } from "../strings/strings.js";
import { drawExplanation, type Explanation, type PartialExplanation } from "adversight";
import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { doubtsOf } from "../doubt.js";
import { shownSigns } from "../signs.js";
import { photoOf, type State } from "../state.js";
import { isEmpty } from "./legend.js";

const reveal = 400; // milliseconds

export function mountStage(app: App): void {
  const credit = find("credit", HTMLElement);
  mountPicture(
    app,
    "picture",
    "explanation",
    ({ explanation }) => explanation,
    ({ partial }) => partial,
  );
  mountPicture(app, "picture-beside", "second", ({ second }) => second?.explanation ?? null);
  app.store.watch(["given"], ({ given }) => {
    const title = given && given.title !== given.input ? [make("span", { text: given.title })] : [];
    credit.replaceChildren(...title, ...(given ? [make("small", { text: given.credit })] : []));
  });
}

function mountPicture(
  app: App,
  id: string,
  key: keyof State,
  read: (state: Readonly<State>) => Explanation | null,
  soFar: (state: Readonly<State>) => PartialExplanation | null = () => null,
): void {
  const canvas = find(id, HTMLCanvasElement);
  const stillness = matchMedia("(prefers-reduced-motion: reduce)");
  let revealed = 0;
  let wasShown = false;
  let frame = 0;

  const draw = (now: number) => {
    frame = 0;
    const photo = photoOf(app.state);
    const { engine, view, opacity, smooth, colours, shownSegments, borders, wipe } = app.state;
    const explanation = soFar(app.state) ?? read(app.state);
    wasShown = soFar(app.state) !== null;
    const share = stillness.matches ? 1 : Math.min(1, (now - revealed) / reveal);
    if (photo) {
      drawExplanation(canvas, photo.input, engine && !isEmpty(explanation) ? explanation : null, {
        colours: engine?.colourMap(colours) ?? new Uint8Array(768),
        opacity: opacity * share,
        smooth,
        view,
        segments: shownSegments ?? undefined,
        borders,
        wipe,
        signed: soFar(app.state) ? null : shownSigns(read(app.state), app.state),
        toned: doubtsOf(app.state).length > 0,
      });
    }
    if (share < 1) schedule();
  };
  const schedule = () => {
    frame ||= requestAnimationFrame(draw);
  };

  app.store.watch([key], () => {
    // The map so far becomes the result without a blink.
    revealed = wasShown ? 0 : performance.now();
  });
  app.store.watch(
    [
      "given",
      key,
      "partial",
      "view",
      "opacity",
      "smooth",
      "colours",
      "signs",
      "wipe",
      "shownSegments",
      "borders",
      "doubts",
    ],
    schedule,
  );
  app.store.watch(["given", key, "view", "methods"], (state) => {
    canvas.setAttribute("aria-label", description(state, read(state)));
  });
}

function description(state: State, explanation: Explanation | null): string {
  const { view, methods, beside } = state;
  const photo = photoOf(state);
  if (!photo) return t`No photograph yet`;
  if (!explanation || isEmpty(explanation) || view === "photograph") return t`Photograph: ${photo.title}`;
  const { target, method, against } = explanation.info;
  const [rival] = against;
  const not = rival && against.length === 1 ? t` and not “${rival.label}”` : "";
  const over =
    view === "overlay" ? t`over the photograph: ${photo.title}` : t`of the photograph: ${photo.title}`;
  const by = beside === null ? "" : t` by ${methods.find(({ name }) => name === method)?.title ?? method}`;
  return t`Heatmap for “${target.label}”${not}${by} ${over}`;
}

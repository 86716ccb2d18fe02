// How the picture is shown. None of this computes anything anew.

import { t } from "../strings/strings.js";
import { colourMapNames, segmentRanking, type ColourMap, type Segmentation, type View } from "adversight";
import type { App } from "../app.js";
import { fill, find, segments } from "../dom.js";
import { capitalised } from "../format.js";
import { shownSigns, signedOf } from "../signs.js";
import type { State } from "../state.js";

const views: { value: View; label: string }[] = [
  { value: "overlay", label: t`Overlay` },
  { value: "heatmap", label: t`Heatmap` },
  { value: "photograph", label: t`Photograph` },
];

export function mountToolbar(app: App): void {
  const opacity = find("opacity", HTMLInputElement);
  const opacityValue = find("opacity-value", HTMLOutputElement);
  const smooth = find("smooth", HTMLInputElement);
  const smoothValue = find("smooth-value", HTMLOutputElement);
  const colours = find("colours", HTMLSelectElement);
  const check = segments(find("view", HTMLElement), "view", views, (value) => {
    app.setView(value as View);
  });
  app.store.watch(["view"], ({ view }) => {
    check(view);
    opacity.disabled = view !== "overlay";
    colours.disabled = view === "photograph";
  });

  opacity.addEventListener("input", () => {
    app.setOpacity(opacity.valueAsNumber / 100);
  });
  app.store.watch(["opacity"], (state) => {
    opacity.value = String(Math.round(state.opacity * 100));
    opacityValue.textContent = `${opacity.value}%`;
    opacity.setAttribute("aria-valuetext", t`${opacity.value} per cent`);
  });

  smooth.addEventListener("input", () => {
    app.setSmooth(smooth.valueAsNumber);
  });
  app.store.watch(["smooth"], (state) => {
    smooth.value = String(state.smooth);
    smoothValue.textContent = state.smooth === 0 ? t`off` : t`${state.smooth}\u00a0px`;
    smooth.setAttribute(
      "aria-valuetext",
      state.smooth === 0 ? t`off` : t`${state.smooth} pixels of the heatmap`,
    );
  });

  app.store.watch(["view", "explanation", "second"], (state) => {
    // Segments are shown as they are.
    const found = explanations(state);
    const bySegments = found.length > 0 && found.every(({ segments }) => segments);
    smooth.disabled = state.view === "photograph" || bySegments;
  });
  mountSegments(app);

  const choices = colourMapNames.map((value) => ({ value, label: capitalised(value) }));
  app.store.watch(["explanation", "second", "signs", "colours", "given"], (state) => {
    const signed = explanations(state).some((explanation) => signedOf(explanation, state));
    const isShown = explanations(state).some((explanation) => shownSigns(explanation, state));
    const both = { value: forAndAgainst, label: t`For / against` };
    fill(colours, signed ? [both, ...choices] : choices, isShown ? forAndAgainst : state.colours);
  });
  colours.addEventListener("change", () => {
    const { value } = colours; // the list is made anew in between
    if (value !== forAndAgainst) app.setColours(value as ColourMap);
    app.setSigns(value === forAndAgainst);
  });
  mountWipe(app);
}

/** The scale of colours for what speaks for the class and against it. */
const forAndAgainst = "signs";

/** The photograph on the left of a line, the map on the right of it. */
function mountWipe(app: App): void {
  const wipe = find("wipe", HTMLInputElement);
  wipe.addEventListener("input", () => {
    app.setWipe(wipe.valueAsNumber / 100);
  });
  app.store.watch(["wipe", "view", "explanation"], ({ wipe: share, view, explanation }) => {
    wipe.value = String(Math.round(100 * share));
    wipe.disabled = view === "photograph" || !explanation;
    wipe.setAttribute(
      "aria-valuetext",
      share === 0
        ? t`the map over the whole photograph`
        : t`the photograph alone over the left ${wipe.value} per cent`,
    );
  });
}

/** How many segments are shown, for methods that work on segments. */
function mountSegments(app: App): void {
  const row = find("segments-row", HTMLElement);
  const slider = find("segments", HTMLInputElement);
  const value = find("segments-value", HTMLOutputElement);
  const borders = find("borders", HTMLInputElement);

  app.store.watch(["explanation", "second", "shownSegments"], (state) => {
    const found = segmentations(state);
    row.hidden = found.length === 0;
    const most = Math.max(1, ...found.map((segments) => segmentRanking(segments).length));
    slider.max = String(most);
    slider.value = String(state.shownSegments ?? found[0]?.chosen.length ?? 0);
    value.textContent = t`${slider.value}\u00a0of\u00a0${most}`;
    slider.setAttribute("aria-valuetext", t`${slider.value} of ${most} segments`);
  });
  app.store.watch(["view", "explanation"], ({ view }) => {
    slider.disabled = borders.disabled = view === "photograph";
  });
  slider.addEventListener("input", () => {
    app.setShownSegments(slider.valueAsNumber);
  });
  app.store.watch(["borders"], (state) => {
    borders.checked = state.borders;
  });
  borders.addEventListener("change", () => {
    app.setBorders(borders.checked);
  });
}

const explanations = ({ explanation, second }: State) =>
  [explanation, second?.explanation].filter((found) => found !== null && found !== undefined);

const segmentations = (state: State): Segmentation[] =>
  explanations(state).flatMap(({ segments }) => (segments ? [segments] : []));

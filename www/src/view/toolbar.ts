// How the picture is shown. None of this computes anything anew.

import { colourMapNames, type ColourMap, type View } from "adversight";
import type { App } from "../app.js";
import { fill, find, segments } from "../dom.js";
import { capitalised } from "../format.js";

const views: { value: View; label: string }[] = [
  { value: "overlay", label: "Overlay" },
  { value: "heatmap", label: "Heatmap" },
  { value: "photograph", label: "Photograph" },
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
    smooth.disabled = view === "photograph";
    colours.disabled = view === "photograph";
  });

  opacity.addEventListener("input", () => {
    app.setOpacity(opacity.valueAsNumber / 100);
  });
  app.store.watch(["opacity"], (state) => {
    opacity.value = String(Math.round(state.opacity * 100));
    opacityValue.textContent = `${opacity.value}%`;
    opacity.setAttribute("aria-valuetext", `${opacity.value} per cent`);
  });

  smooth.addEventListener("input", () => {
    app.setSmooth(smooth.valueAsNumber);
  });
  app.store.watch(["smooth"], (state) => {
    smooth.value = String(state.smooth);
    smoothValue.textContent = state.smooth === 0 ? "off" : `${state.smooth}\u00a0px`;
    smooth.setAttribute(
      "aria-valuetext",
      state.smooth === 0 ? "off" : `${state.smooth} pixels of the heatmap`,
    );
  });

  const choices = colourMapNames.map((value) => ({ value, label: capitalised(value) }));
  fill(colours, choices, app.state.colours);
  colours.addEventListener("change", () => {
    app.setColours(colours.value as ColourMap);
  });
}

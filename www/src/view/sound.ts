// A sound: waveform and spectrogram with the map over them, played whole, only what mattered, and only what is left.

import { SoundView, spectrogram, type Model, type SoundPaint, type TensorData } from "adversight";
import { problemOf } from "../advice.js";
import type { App } from "../app.js";
import { find } from "../dom.js";
import type { Given, State } from "../state.js";

export function mountSound(app: App): void {
  const place = find("hearing", HTMLElement);
  let view: SoundView | null = null;
  let asking = new AbortController();
  /** What the network is given of the sound: its spectrum, that of every explanation of it. */
  let prepared: { given: Given; model: Model; cells: Promise<TensorData> } | null = null;

  const show = async ({ given, model, explanation }: State) => {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    const sound = explanation?.sound;
    if (given?.kind !== "audio" || !model || !sound) return;
    try {
      if (prepared?.given !== given || prepared.model !== model) {
        prepared = { given, model, cells: model.prepare(given.input, { signal }) };
      }
      const [heard, cells] = await Promise.all([
        model.heard(given.input, explanation, { signal }),
        prepared.cells,
      ]);
      if (signal.aborted) return;
      if (!view) {
        view = new SoundView(paintOf(app.state));
        place.replaceChildren(view.element);
      }
      view.show({ heard, sound, cells: sound.view === "cells" ? spectrogram(cells) : null, explanation });
    } catch (error) {
      prepared = null;
      if (!signal.aborted) app.report(problemOf(error, "audio"));
    }
  };
  app.store.watch(["given"], ({ given }) => {
    // Nothing goes on sounding that is not there any more.
    view?.close();
    if (given?.kind === "audio") return;
    view = null;
    prepared = null;
    place.replaceChildren();
  });
  app.store.watch(["explanation"], (state) => void show(state));
  app.store.watch(["colours", "dark"], (state) => {
    view?.draw(paintOf(state));
  });
}

const paintOf = ({ engine, colours, dark }: State): SoundPaint => ({
  colours: engine?.colourMap(colours) ?? new Uint8Array(768),
  dark,
});

// A sound: waveform and spectrogram with the map over them, played whole, only what mattered, and only what is left.

import { SoundView, spectrogram, type Explanation, type Model, type TensorData } from "adversight";
import { problemOf } from "../advice.js";
import type { App } from "../app.js";
import { find } from "../dom.js";
import type { Given, State } from "../state.js";
import { paintOf } from "./proof-stage.js";

/** What the network is given of a sound: its spectrum, the same for every explanation of it. */
interface Prepared {
  given: Given;
  model: Model;
  cells: Promise<TensorData>;
}

export function mountSound(app: App): void {
  let prepared: Prepared | null = null;
  const cellsOf = (given: Given, model: Model) => {
    if (prepared?.given !== given || prepared.model !== model) {
      prepared = { given, model, cells: model.prepare(given.input) };
      prepared.cells.catch(() => (prepared = null));
    }
    return prepared.cells;
  };
  mountHearing(app, "hearing", "explanation", ({ explanation }) => explanation, cellsOf);
  mountHearing(app, "hearing-beside", "second", ({ second }) => second?.explanation ?? null, cellsOf);
}

function mountHearing(
  app: App,
  id: string,
  key: keyof State,
  read: (state: State) => Explanation | null,
  cellsOf: (given: Given, model: Model) => Promise<TensorData>,
): void {
  const place = find(id, HTMLElement);
  let view: SoundView | null = null;
  let asking = new AbortController();

  const show = async (state: State) => {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    const { given, model } = state;
    const explanation = read(state);
    const sound = explanation?.sound;
    if (given?.kind !== "audio" || !model || !sound) return;
    try {
      const [heard, cells] = await Promise.all([
        model.heard(given.input, explanation, { signal }),
        cellsOf(given, model),
      ]);
      if (signal.aborted) return;
      if (!view) {
        view = new SoundView(paintOf(app.state));
        place.replaceChildren(view.element);
      }
      view.show({ heard, sound, cells: sound.view === "cells" ? spectrogram(cells) : null, explanation });
    } catch (error) {
      if (!signal.aborted) app.report(problemOf(error, "audio"));
    }
  };
  app.store.watch(["given"], ({ given }) => {
    view?.close(); // nothing goes on sounding that is not there any more
    if (given?.kind === "audio") return;
    view = null;
    place.replaceChildren();
  });
  app.store.watch([key], (state) => void show(state));
  app.store.watch(["colours", "dark"], (state) => {
    view?.draw(paintOf(state));
  });
}

// The map of a picture place by place: under the pointer or, by the arrow keys, under a cross; told, and heard where that is wanted. And the same as
// a table of nine parts.

import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { percent } from "../format.js";
import { columns, ninths, rows, toneOf, valueAt } from "../probe.js";
import { shownSigns } from "../signs.js";
import { photoOf } from "../state.js";
import { isEmpty } from "./legend.js";

/** The way of the cross at a press of a key, as a part of the picture; with Shift from ninth to ninth. */
const [step, leap] = [1 / 30, 1 / 3];

/** Where the pointer or the cross stands on the picture. */
export interface Probe {
  place: () => readonly [number, number] | null;
}

export function mountProbe(app: App): Probe {
  const canvas = find("picture", HTMLCanvasElement);
  const cross = find("cross", HTMLElement);
  const told = find("probe", HTMLElement);
  const tone = mountTone();
  let place: [number, number] | null = null;

  const rest = "Point at the picture, or go through it by the arrow keys.";
  const tell = () => {
    const photo = photoOf(app.state);
    const { explanation } = app.state;
    cross.hidden = place === null;
    if (!place || !photo || !explanation || isEmpty(explanation)) {
      told.textContent = rest;
      tone.tell(null, 0.5);
      return;
    }
    const [x, y] = place;
    const { left, top, width, height } = contentOf(canvas);
    cross.style.setProperty("left", `${left + x * width}px`);
    cross.style.setProperty("top", `${top + y * height}px`);
    const signed = shownSigns(explanation, app.state);
    const value = valueAt(
      { heatmap: signed ?? explanation.heatmap, region: explanation.region },
      photo.input,
      x,
      y,
    );
    const where = `${rows[Math.min(2, Math.floor(3 * y))] ?? ""} ${columns[Math.min(2, Math.floor(3 * x))] ?? ""}`;
    told.textContent =
      value === null
        ? `${where}: the network did not look here.`
        : value < 0
          ? `${where}: against “${explanation.info.target.label}”, ${percent(-value)} of the strongest place.`
          : `${where}: ${percent(value)} of the strongest place for “${explanation.info.target.label}”.`;
    tone.tell(value, x);
  };
  canvas.addEventListener("pointermove", ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    const { left, top, width, height } = contentOf(canvas);
    const inside = (value: number) => Math.min(1, Math.max(0, value));
    place = [inside((clientX - box.left - left) / width), inside((clientY - box.top - top) / height)];
    tell();
  });
  const leave = () => {
    place = null;
    tell();
  };
  canvas.addEventListener("pointerleave", leave);
  canvas.addEventListener("blur", leave);
  canvas.addEventListener("focus", () => {
    if (!canvas.matches(":focus-visible")) return;
    place ??= [0.5, 0.5];
    tell();
  });
  canvas.addEventListener("keydown", (event) => {
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const move = moves[event.key];
    if (!move || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const [x, y] = place ?? [0.5, 0.5];
    const far = event.shiftKey ? leap : step;
    const inside = (value: number) => Math.min(1, Math.max(0, value));
    place = [inside(x + far * move[0]), inside(y + far * move[1])];
    tell();
  });
  app.store.watch(["explanation", "given", "signs"], tell);
  mountTable(app);
  return { place: () => place };
}

/** Where the picture lies in its canvas, which is as large as its frame. */
export function contentOf({ clientWidth, clientHeight, width, height }: HTMLCanvasElement) {
  const scale = Math.min(clientWidth / width, clientHeight / height);
  const [across, down] = [width * scale, height * scale];
  return { left: (clientWidth - across) / 2, top: (clientHeight - down) / 2, width: across, height: down };
}

/** Off until it is asked for. */
function mountTone(): { tell: (value: number | null, x: number) => void } {
  const hear = find("hear", HTMLButtonElement);
  const volume = find("hear-volume", HTMLInputElement);
  const row = find("hear-row", HTMLElement);
  let sound: { context: AudioContext; source: OscillatorNode; gain: GainNode; pan: StereoPannerNode } | null =
    null;
  const setOn = (on: boolean) => {
    hear.setAttribute("aria-pressed", String(on));
    row.hidden = !on;
    if (!on) {
      void sound?.context.close();
      sound = null;
      return;
    }
    const context = new AudioContext();
    const [source, gain, pan] = [
      context.createOscillator(),
      context.createGain(),
      context.createStereoPanner(),
    ];
    gain.gain.value = 0;
    source.connect(gain).connect(pan).connect(context.destination);
    source.start();
    sound = { context, source, gain, pan };
  };
  hear.addEventListener("click", () => {
    setOn(sound === null);
  });
  return {
    tell(value, x) {
      if (!sound) return;
      const { hertz, gain, pan } = toneOf(value, x);
      const { context, source } = sound;
      source.frequency.setTargetAtTime(hertz, context.currentTime, 0.02);
      sound.gain.gain.setTargetAtTime(gain * volume.valueAsNumber, context.currentTime, 0.02);
      sound.pan.pan.setTargetAtTime(pan, context.currentTime, 0.02);
    },
  };
}

/** How much of the map lies in each of nine parts of what the network saw. */
function mountTable(app: App): void {
  const table = find("ninths", HTMLTableElement);
  app.store.watch(["explanation", "given"], (state) => {
    const { explanation } = state;
    if (!photoOf(state) || !explanation) return;
    const shares = ninths(explanation.heatmap);
    const most = Math.max(...shares);
    table.replaceChildren(
      make("caption", { text: `Where “${explanation.info.target.label}” lies, of what the network saw` }),
      make(
        "thead",
        {},
        make(
          "tr",
          {},
          make("td"),
          ...columns.map((text) => make("th", { text, attributes: { scope: "col" } })),
        ),
      ),
      make(
        "tbody",
        {},
        ...rows.map((name, row) =>
          make(
            "tr",
            {},
            make("th", { text: name, attributes: { scope: "row" } }),
            ...columns.map((_, column) => {
              const share = shares[3 * row + column] ?? 0;
              return make("td", { class: share === most && most > 0 ? "best" : "", text: percent(share) });
            }),
          ),
        ),
      ),
    );
  });
}

// The map of a picture place by place: under the pointer or, by the arrow keys, under a cross; told, and heard where that is wanted. And the same as
// a table of nine parts.

import { t } from "../strings/strings.js";
import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { percent } from "../format.js";
import { columns, ninths, rows, scanOf, toneOf, valueAt } from "../probe.js";
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
  let place: [number, number] | null = null;
  /** Sets the cross, for the eye alone: a scan says by itself where it is. */
  const point = (shown: [number, number] | null) => {
    cross.hidden = shown === null;
    if (!shown) return;
    const { left, top, width, height } = contentOf(canvas);
    cross.style.setProperty("left", `${left + shown[0] * width}px`);
    cross.style.setProperty("top", `${top + shown[1] * height}px`);
  };
  const tone = mountTone(app, point);

  const rest = t`Point at the picture, or go through it by the arrow keys.`;
  const tell = () => {
    const photo = photoOf(app.state);
    const { explanation } = app.state;
    point(place);
    if (!place || !photo || !explanation || isEmpty(explanation)) {
      told.textContent = rest;
      tone.tell(null, 0.5);
      return;
    }
    const [x, y] = place;
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
        ? t`${where}: the network did not look here.`
        : value < 0
          ? t`${where}: against “${explanation.info.target.label}”, ${percent(-value)} of the strongest place.`
          : t`${where}: ${percent(value)} of the strongest place for “${explanation.info.target.label}”.`;
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

/** How a sound comes and goes, in seconds: without a click. */
const soft = 0.015;

interface Instrument {
  context: AudioContext;
  source: OscillatorNode;
  gain: GainNode;
  pan: StereoPannerNode;
}

function instrument(context: AudioContext): Instrument {
  const [source, gain, pan] = [
    context.createOscillator(),
    context.createGain(),
    context.createStereoPanner(),
  ];
  gain.gain.value = 0;
  source.connect(gain).connect(pan).connect(context.destination);
  source.start();
  return { context, source, gain, pan };
}

/** Off until it is asked for. */
function mountTone(
  app: App,
  show: (place: [number, number] | null) => void,
): { tell: (value: number | null, x: number) => void } {
  const hear = find("hear", HTMLButtonElement);
  const volume = find("hear-volume", HTMLInputElement);
  const row = find("hear-row", HTMLElement);
  const scan = find("scan", HTMLButtonElement);
  const grid = find("scan-grid", HTMLSelectElement);
  const told = find("probe", HTMLElement);
  let sound: Instrument | null = null;
  let scanning: { frame: number; played: Instrument } | null = null;
  const stop = () => {
    if (!scanning) return;
    cancelAnimationFrame(scanning.frame);
    void scanning.played.context.close();
    scanning = null;
    scan.setAttribute("aria-pressed", "false");
    scan.textContent = scanLabel;
    show(null);
  };
  const setOn = (on: boolean) => {
    hear.setAttribute("aria-pressed", String(on));
    row.hidden = !on;
    if (on) {
      sound = instrument(new AudioContext());
      return;
    }
    stop();
    void sound?.context.close();
    sound = null;
  };
  hear.addEventListener("click", () => {
    setOn(sound === null);
  });
  const scanLabel = scan.textContent;
  scan.addEventListener("click", () => {
    if (scanning) {
      stop();
      return;
    }
    const { explanation } = app.state;
    const photo = photoOf(app.state);
    if (!explanation || !photo || isEmpty(explanation)) return;
    const side = Number(grid.value);
    const tones = scanOf(shownSigns(explanation, app.state) ?? explanation.heatmap, side);
    const played = instrument(new AudioContext());
    const began = played.context.currentTime + 0.1;
    for (const { at, lasts, hertz, gain, pan } of tones) {
      played.source.frequency.setValueAtTime(hertz, began + at);
      played.pan.pan.setValueAtTime(pan, began + at);
      played.gain.gain.setTargetAtTime(gain * volume.valueAsNumber, began + at, soft);
      played.gain.gain.setTargetAtTime(0, began + at + lasts - 3 * soft, soft);
    }
    scan.setAttribute("aria-pressed", "true");
    scan.textContent = t`Stop the scan`;
    told.textContent = t`The map is played in ${side} rows of ${side} places, from the top left.`;
    const seen = explanation.region ?? { x: 0, y: 0, width: photo.input.width, height: photo.input.height };
    const tell = () => {
      if (!scanning) return;
      const time = played.context.currentTime - began;
      const now = tones.find(({ at, lasts }) => time >= at && time < at + lasts);
      const last = tones.at(-1);
      if (last && time > last.at + last.lasts + 0.2) {
        stop();
        return;
      }
      if (now)
        show([
          (seen.x + now.x * seen.width) / photo.input.width,
          (seen.y + now.y * seen.height) / photo.input.height,
        ]);
      scanning.frame = requestAnimationFrame(tell);
    };
    scanning = { frame: requestAnimationFrame(tell), played };
  });
  app.store.watch(["explanation", "given"], stop);
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
      make("caption", { text: t`Where “${explanation.info.target.label}” lies, of what the network saw` }),
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

// A sound to see and to hear: its waveform and its spectrogram with the map over it, and a player with a cursor over both. The page and the
// element show sounds by this alone.

import { AdversightError } from "./errors.js";
import { soundFile, soundLevel } from "./sound.js";
import type { Explanation, Heard, SoundData, SoundInfo, TensorData } from "./wasm/adversight.js";

/** A spectrogram: decibels below the loudest cell, row by row from the lowest frequency on. */
export interface Spectrogram {
  decibels: Float32Array;
  /** Frequencies and steps in time. */
  shape: [number, number];
}

/** The quietest that is shown, in decibels below the loudest. */
const quietest = -80;

/** The spectrogram of a sound's cells, as `Model.prepare` gives them: `[1, 2, frequencies, steps]`. */
export function spectrogram({ data, shape }: TensorData): Spectrogram {
  const [batch, parts, height = 0, width = 0] = shape;
  if (batch !== 1 || parts !== 2 || data.length !== 2 * height * width) {
    throw new AdversightError("input_shape", "A spectrogram is made of the cells of one sound.");
  }
  const cells = height * width;
  const decibels = new Float32Array(cells);
  let most = 1e-12;
  for (let cell = 0; cell < cells; cell++) {
    const power = (data[cell] ?? 0) ** 2 + (data[cells + cell] ?? 0) ** 2;
    decibels[cell] = power;
    most = Math.max(most, power);
  }
  for (let cell = 0; cell < cells; cell++) {
    decibels[cell] = Math.max(quietest, 10 * Math.log10(Math.max((decibels[cell] ?? 0) / most, 1e-12)));
  }
  return { decibels, shape: [height, width] };
}

/** Where the frequency axis bends from linear to logarithmic, in hertz. */
const bend = 500;

/** The height of a frequency, 0 at the bottom and 1 at half of the rate: nearly logarithmic, as the ear is. */
export function pitchHeight(hertz: number, rate: number): number {
  return Math.log1p(hertz / bend) / Math.log1p(rate / 2 / bend);
}

/** The frequency at a height. */
export function pitchAt(height: number, rate: number): number {
  return bend * Math.expm1(height * Math.log1p(rate / 2 / bend));
}

/** Frequencies to write at the axis, in hertz. */
export function pitchTicks(rate: number): number[] {
  return [100, 250, 500, 1000, 2000, 4000, 8000, 16_000].filter((hertz) => hertz <= rate / 2);
}

/** Times to write at the axis, in seconds. */
export function timeTicks(seconds: number): number[] {
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120].find((step) => seconds / step <= 8) ?? 300;
  return Array.from({ length: Math.floor(seconds / step + 1e-6) + 1 }, (_, index) => index * step);
}

/** What stands at a point of the map. */
export interface SoundPlace {
  /** In seconds. */
  time: number;
  /** In hertz. */
  hertz: number;
  /** Decibels below the loudest, where there is a spectrogram. */
  decibels: number | null;
  /** What the part counts for, as a share of all that count for the class; negative for what speaks against it. */
  share: number;
  /** The part's name: "0.10 to 0.20 s, 300 to 900 Hz". */
  part: string;
}

/** What stands at a point of the view, `x` and `y` from 0 to 1 from the left and from the bottom. */
export function soundPlace(
  explanation: Pick<Explanation, "parts" | "sound">,
  x: number,
  y: number,
  cells?: Spectrogram,
): SoundPlace | null {
  const { parts, sound } = explanation;
  if (!sound) return null;
  const seconds = sound.length / sound.rate;
  const [time, hertz] = [x * seconds, pitchAt(y, sound.rate)];
  const part = parts.find(
    ({ start, end, low, high }) =>
      time >= start && time <= end && hertz >= (low ?? 0) && hertz <= (high ?? Infinity),
  );
  const all = parts.reduce((sum, { score }) => sum + Math.max(0, score), 0);
  let decibels: number | null = null;
  if (cells) {
    const [height, width] = cells.shape;
    const row = Math.min(height - 1, Math.round((hertz * sound.window) / sound.rate));
    const column = Math.min(width - 1, Math.round((time * sound.rate) / sound.hop));
    decibels = cells.decibels[row * width + column] ?? null;
  }
  return { time, hertz, decibels, share: part && all > 0 ? part.score / all : 0, part: part?.name ?? "" };
}

/** A place in words, for people who point at it. */
export function placeWords({ time, hertz, decibels, share }: SoundPlace): string {
  const pitch = hertz < 995 ? `${Math.round(hertz / 10) * 10} Hz` : `${(hertz / 1000).toFixed(1)} kHz`;
  const loud = decibels === null ? "" : `, ${decibels <= quietest ? "silent" : `${Math.round(decibels)} dB`}`;
  return `${time.toFixed(2)} s, ${pitch}${loud}: ${(100 * share).toFixed(1)}% of what counts`;
}

export interface SoundPaint {
  /** 256 colours of the map as RGB bytes (`Engine.colourMap`). */
  colours: Uint8Array;
  /** How much of the spectrogram the map covers where it is strongest, 0 to 1 (0.8). */
  opacity?: number | undefined;
  /** A bright page (false) or a dark one: silence is the page's own colour. */
  dark?: boolean | undefined;
}

/**
 * Paints the spectrogram in grey with the map over it, on an axis of frequencies that is nearly logarithmic. A map of samples, of one row,
 * is painted over all frequencies. The canvas keeps its size.
 */
export function paintSpectrogram(
  canvas: HTMLCanvasElement | OffscreenCanvas,
  sound: SoundInfo,
  cells: Spectrogram | null,
  heatmap: { data: Float32Array; shape: number[] } | null,
  { colours, opacity = 0.8, dark = false }: SoundPaint,
): void {
  const context = (canvas as HTMLCanvasElement).getContext("2d");
  if (!context) throw new AdversightError("internal", "This browser gives no canvas to draw with.");
  const { width, height } = canvas;
  if (width === 0 || height === 0) return;
  const picture = context.createImageData(width, height);
  const [mapRows = 1, mapSteps = 1] = heatmap?.shape ?? [];
  for (let y = 0; y < height; y++) {
    const hertz = pitchAt((height - 0.5 - y) / height, sound.rate);
    const row = Math.min(sound.cells[0] - 1, Math.round((hertz * sound.window) / sound.rate));
    for (let x = 0; x < width; x++) {
      const part = (x + 0.5) / width;
      const column = Math.min(sound.cells[1] - 1, Math.round((part * sound.length) / sound.hop));
      const loud = cells ? 1 - (cells.decibels[row * cells.shape[1] + column] ?? quietest) / quietest : 0;
      const grey = dark ? 20 + 200 * loud : 250 - 220 * loud;
      const mapRow = mapRows === 1 ? 0 : row;
      const mapStep = mapRows === 1 ? Math.min(mapSteps - 1, Math.floor(part * mapSteps)) : column;
      const value = heatmap?.data[mapRow * mapSteps + mapStep] ?? 0;
      const cover = opacity * value;
      const colour = 3 * Math.round(255 * value);
      const at = 4 * (y * width + x);
      for (let band = 0; band < 3; band++) {
        picture.data[at + band] = grey * (1 - cover) + (colours[colour + band] ?? 0) * cover;
      }
      picture.data[at + 3] = 255;
    }
  }
  context.putImageData(picture, 0, 0);
}

/** Paints a waveform; `weights`, one a column or any number of them from 0 to 1, colour it by what counted when. */
export function paintWaveform(
  canvas: HTMLCanvasElement | OffscreenCanvas,
  samples: Float32Array,
  weights: Float32Array | null,
  { colours, dark = false }: SoundPaint,
): void {
  const context = (canvas as HTMLCanvasElement).getContext("2d");
  if (!context) throw new AdversightError("internal", "This browser gives no canvas to draw with.");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const most = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  for (let x = 0; x < width; x++) {
    const from = Math.floor((x * samples.length) / width);
    const to = Math.max(from + 1, Math.floor(((x + 1) * samples.length) / width));
    let [low, high] = [Infinity, -Infinity];
    for (const value of samples.subarray(from, to)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    if (high < low) continue;
    const weight = weights?.[Math.min(weights.length - 1, Math.floor((x * weights.length) / width))] ?? 0;
    const colour = 3 * Math.round(255 * Math.min(1, Math.max(0, weight)));
    context.fillStyle = weights
      ? `rgb(${colours[colour] ?? 0} ${colours[colour + 1] ?? 0} ${colours[colour + 2] ?? 0})`
      : dark
        ? "#ddd"
        : "#333";
    const top = (height / 2) * (1 - high / most);
    context.fillRect(x, top, 1, Math.max(1, (height / 2) * (1 - low / most) - top));
  }
}

/** How much counted at each step in time, 0 to 1: the sums of a map's columns. */
export function timeWeights({ data, shape }: { data: Float32Array; shape: number[] }): Float32Array {
  const [rows = 1, steps = 1] = shape;
  const sums = new Float32Array(steps);
  for (let row = 0; row < rows; row++) {
    for (let step = 0; step < steps; step++) sums[step] = (sums[step] ?? 0) + (data[row * steps + step] ?? 0);
  }
  const most = sums.reduce((most, value) => Math.max(most, value), 1e-9);
  return sums.map((value) => value / most);
}

/** The three sounds that can be heard. */
export type HeardPart = "sound" | "only" | "left";

/** Plays a sound, only what mattered, or only what is left. */
export class SoundPlayer {
  /** Called at each frame with the seconds, and with null when it ends. */
  onTime: ((seconds: number | null) => void) | null = null;
  #context: AudioContext | null = null;
  #source: AudioBufferSourceNode | null = null;
  #frame = 0;

  /** Plays from `from` seconds on; what played before stops. */
  async play({ channels, sampleRate }: SoundData, from = 0): Promise<void> {
    this.stop();
    const context = (this.#context ??= new AudioContext());
    if (context.state === "suspended") await context.resume();
    const length = channels[0]?.length ?? 0;
    const buffer = context.createBuffer(channels.length, length, sampleRate);
    channels.forEach((channel, index) => {
      buffer.copyToChannel(channel as Float32Array<ArrayBuffer>, index);
    });
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    const started = context.currentTime;
    source.onended = () => {
      if (this.#source === source) this.stop();
    };
    this.#source = source;
    source.start(0, from);
    const tell = () => {
      if (this.#source !== source) return;
      this.onTime?.(Math.min(from + context.currentTime - started, length / sampleRate));
      this.#frame = requestAnimationFrame(tell);
    };
    tell();
  }

  get playing(): boolean {
    return this.#source !== null;
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    const source = this.#source;
    this.#source = null;
    if (!source) return;
    source.stop();
    this.onTime?.(null);
  }

  /** Frees the device. */
  close(): void {
    this.stop();
    void this.#context?.close();
    this.#context = null;
  }
}

/** What the view shows. */
export interface SoundShown {
  /** The sound as the network hears it, and what an explanation takes it apart into (`Model.heard`); only the sound before that. */
  heard: Pick<Heard, "sound"> & Partial<Heard>;
  sound: SoundInfo;
  /** The cells of the sound (`spectrogram` of `Model.prepare`); null where samples are explained. */
  cells: Spectrogram | null;
  explanation: Explanation | null;
}

const names: Record<HeardPart, string> = {
  sound: "The sound",
  only: "Only what mattered",
  left: "Only what is left",
};

/**
 * A sound in an element: waveform, spectrogram with the map, a cursor over both, buttons to play and to save, and what stands under the
 * pointer or, by the arrow keys, under a mark. Styled by its parts: `waveform`, `spectrogram`, `controls`, `place`.
 */
export class SoundView {
  readonly element = document.createElement("div");
  readonly #waveform = canvas("waveform", "The waveform of the sound, coloured by what counted when");
  readonly #picture = canvas("spectrogram", "");
  readonly #overlay = canvas("cursor", "");
  readonly #place = document.createElement("output");
  readonly #buttons = new Map<HeardPart, HTMLButtonElement>();
  readonly #player = new SoundPlayer();
  #shown: SoundShown | null = null;
  #paint: SoundPaint;
  #playing: HeardPart | null = null;
  #cursor: number | null = null;
  #mark: [number, number] | null = null;

  constructor(paint: SoundPaint) {
    this.#paint = paint;
    const stack = document.createElement("div");
    stack.style.cssText = "position: relative; line-height: 0;";
    this.#overlay.style.cssText =
      "position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none;";
    this.#overlay.setAttribute("aria-hidden", "true");
    for (const [shape, height] of [
      [this.#waveform, 72],
      [this.#picture, 240],
    ] as const) {
      shape.width = 800;
      shape.height = height;
      shape.style.cssText = "display: block; width: 100%; touch-action: pan-y;";
    }
    this.#overlay.width = 800;
    this.#overlay.height = 312;
    this.#picture.tabIndex = 0;
    stack.append(this.#waveform, this.#picture, this.#overlay);
    const controls = document.createElement("div");
    controls.part.add("controls");
    for (const part of ["sound", "only", "left"] as const)
      controls.append(this.#button(part), this.#saver(part));
    this.#place.part.add("place");
    this.#place.style.display = "block";
    this.element.append(stack, controls, this.#place);
    this.#player.onTime = (seconds) => {
      this.#cursor = seconds;
      if (seconds === null) this.#setPlaying(null);
      this.#drawOverlay();
    };
    this.#listen();
  }

  /** Shows a sound; with an explanation, its map. */
  show(shown: SoundShown): void {
    this.#player.stop();
    this.#shown = shown;
    this.#mark = null;
    for (const [part, button] of this.#buttons) {
      const there = shown.heard[part] !== undefined;
      button.disabled = !there;
      const saver = button.nextElementSibling;
      if (saver instanceof HTMLButtonElement) saver.disabled = !there;
    }
    this.draw(this.#paint);
  }

  /** Draws anew, with other colours for example. */
  draw(paint: SoundPaint): void {
    this.#paint = paint;
    const shown = this.#shown;
    if (!shown) return;
    const { explanation, cells, sound } = shown;
    const heatmap = explanation?.heatmap ?? null;
    const samples = shown.heard.sound.channels[0] ?? new Float32Array();
    paintWaveform(this.#waveform, samples, heatmap && timeWeights(heatmap), paint);
    paintSpectrogram(this.#picture, sound, cells, heatmap, paint);
    const words = explanation ? `: ${explanation.words.slice(0, 2).join(" ")}` : "";
    this.#picture.setAttribute(
      "aria-label",
      `Spectrogram of ${(sound.length / sound.rate).toFixed(2)} seconds up to ${sound.rate / 2} hertz${words} Arrow keys move a mark.`,
    );
    this.#drawOverlay();
  }

  /** Plays one of the three sounds, or stops it. */
  async play(part: HeardPart): Promise<void> {
    const data = this.#shown?.heard[part];
    if (!data) return;
    if (this.#playing === part) {
      this.#player.stop();
      return;
    }
    await this.#player.play(data);
    this.#setPlaying(part);
  }

  /** Stops, and frees what plays. */
  close(): void {
    this.#player.close();
  }

  #button(part: HeardPart): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    button.disabled = true;
    button.dataset.part = part;
    button.setAttribute("aria-pressed", "false");
    button.textContent = `▶ ${names[part]}`;
    button.addEventListener("click", () => void this.play(part));
    this.#buttons.set(part, button);
    return button;
  }

  #saver(part: HeardPart): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    button.disabled = true;
    button.textContent = "Save";
    button.title = `Save as WAV: ${names[part].toLowerCase()}`;
    button.setAttribute("aria-label", button.title);
    button.addEventListener("click", () => {
      const data = this.#shown?.heard[part];
      if (!data) return;
      const link = document.createElement("a");
      link.href = URL.createObjectURL(soundFile(data));
      link.download = `${names[part].toLowerCase().replaceAll(" ", "-")}.wav`;
      link.click();
      URL.revokeObjectURL(link.href);
    });
    return button;
  }

  #setPlaying(part: HeardPart | null): void {
    this.#playing = part;
    for (const [name, button] of this.#buttons) {
      button.setAttribute("aria-pressed", String(name === part));
      button.textContent = `${name === part ? "■" : "▶"} ${names[name]}`;
    }
  }

  #listen(): void {
    const point = (event: PointerEvent) => {
      const { left, top, width, height } = this.#picture.getBoundingClientRect();
      const inside = (value: number) => Math.min(1, Math.max(0, value));
      this.#mark = [inside((event.clientX - left) / width), inside(1 - (event.clientY - top) / height)];
      this.#tell();
    };
    this.#picture.addEventListener("pointermove", point);
    this.#picture.addEventListener("pointerdown", point);
    this.#picture.addEventListener("focus", () => {
      this.#mark ??= [0.5, 0.5];
      this.#tell();
    });
    this.#picture.addEventListener("keydown", (event) => {
      const [x, y] = this.#mark ?? [0.5, 0.5];
      const moves: Record<string, [number, number]> = {
        ArrowLeft: [-0.02, 0],
        ArrowRight: [0.02, 0],
        ArrowUp: [0, 0.04],
        ArrowDown: [0, -0.04],
      };
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      this.#mark = [Math.min(1, Math.max(0, x + move[0])), Math.min(1, Math.max(0, y + move[1]))];
      this.#tell();
    });
  }

  #tell(): void {
    const shown = this.#shown;
    const [x, y] = this.#mark ?? [0, 0];
    const about = shown && { parts: shown.explanation?.parts ?? [], sound: shown.sound };
    const place = about && soundPlace(about, x, y, shown.cells ?? undefined);
    this.#place.textContent = place ? placeWords(place) : "";
    this.#drawOverlay();
  }

  #drawOverlay(): void {
    const context = this.#overlay.getContext("2d");
    const shown = this.#shown;
    if (!context || !shown) return;
    const { width, height } = this.#overlay;
    const { rate, length } = shown.sound;
    const seconds = length / rate;
    const top = this.#waveform.height;
    const below = height - top;
    context.clearRect(0, 0, width, height);
    context.font = "12px system-ui, sans-serif";
    const label = (words: string, x: number, y: number) => {
      context.fillStyle = "rgb(255 255 255 / 75%)";
      context.fillRect(x - 2, y - 11, context.measureText(words).width + 4, 14);
      context.fillStyle = "#222";
      context.fillText(words, x, y);
    };
    for (const hertz of pitchTicks(rate)) {
      const y = top + below * (1 - pitchHeight(hertz, rate));
      label(hertz < 995 ? `${hertz} Hz` : `${hertz / 1000} kHz`, 4, Math.max(top + 12, y + 4));
    }
    for (const time of timeTicks(seconds).slice(1)) {
      const x = (time / seconds) * width;
      if (x < width - 30) label(`${Number(time.toFixed(2))} s`, x, height - 4);
    }
    const line = (x: number, colour: string) => {
      context.fillStyle = colour;
      context.fillRect(Math.round(x), 0, 2, height);
    };
    if (this.#mark) {
      line(this.#mark[0] * width, "rgb(120 120 120 / 70%)");
      context.fillRect(0, Math.round(top + below * (1 - this.#mark[1])), width, 1);
    }
    if (this.#cursor !== null) line((this.#cursor / seconds) * width, "#d6006c");
  }
}

function canvas(part: string, label: string): HTMLCanvasElement {
  const made = document.createElement("canvas");
  made.part.add(part);
  made.setAttribute("role", "img");
  if (label !== "") made.setAttribute("aria-label", label);
  return made;
}

/** How loud each of the three sounds is, for those who cannot hear them. */
export function loudness(heard: Heard): Record<HeardPart, number> {
  const level = ({ channels }: SoundData) => soundLevel(channels[0] ?? new Float32Array());
  return { sound: level(heard.sound), only: level(heard.only), left: level(heard.left) };
}

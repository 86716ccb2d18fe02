// From a heatmap to a picture: the last step, which never computes an attribution anew.

import { borderLines, segmentHeatmap, segmentRanking } from "./segments.js";
import { sides, type SignedMap } from "./signs.js";
import type { ColourMap, Explanation } from "./wasm/adversight.js";

/** The scales of colours that the engine has. (A name that is missing here, or is none of its names, does not compile.) */
export const colourMapNames = Object.keys({
  magma: true,
  viridis: true,
  turbo: true,
} satisfies Record<ColourMap, true>) as ColourMap[];

/** What is shown: the heatmap over the photograph, the heatmap alone, or the photograph alone. */
export type View = "overlay" | "heatmap" | "photograph";

export interface PaintOptions {
  /** 256 RGB colours, as `engine.colourMap(name)` gives them. */
  colours: Uint8Array;
  /** How much of the photograph the strongest values cover, 0 to 1. */
  opacity?: number;
  /**
   * How much the values near zero cover it, as a share of `opacity`: 1 covers all evenly (the default of `heatmapPixels`), 0 leaves
   * the photograph untouched (the default of `drawExplanation`).
   */
  base?: number;
  /**
   * For display only: the width (sigma) of a Gaussian blur in the heatmap's own pixels, by which single pixels become regions.
   * What is blurred is brought back to 0 to 1. 0 shows every pixel as it is (the default of `heatmapPixels`); the default of
   * `drawExplanation` is 3.
   */
  smooth?: number;
}

export interface DrawOptions extends PaintOptions {
  view?: View;
  /** How much the part that the network did not see is darkened, 0 to 1. */
  shade?: number;
  /** How much the photograph under the heatmap loses of its colour and light, as a share of `opacity`, so that the heatmap stands out. */
  dim?: number;
  /**
   * For methods that work on segments: how many of them are shown, the most important first; as many as the method chose where it is
   * left out. (Segments are not smoothed.)
   */
  segments?: number | undefined;
  /** Whether the segments' borders are drawn (true). */
  borders?: boolean;
  /** The longer side of the picture is not made larger than this. */
  maxSide?: number;
  /** The map with its signs (`signedMap`), shown in two colours in place of the heatmap. */
  signed?: SignedMap | null | undefined;
  /** The part of the width, from the left, where the photograph is shown without the map: 0 to 1 (0). */
  wipe?: number;
  /** Whether the map is toned down; where it is left out, whether the network is in doubt about its answer (`doubtOf`). */
  toned?: boolean | undefined;
}

/** Of a map that explains an answer which the network is not sure of, so much of the colour is left. */
const tonedDown = 0.4;

/** Why the network is in doubt about its answer, in a sentence; null where it is not. */
export function doubtOf({ info }: { info?: object }): string | null {
  const doubt = info && "doubt" in info ? info.doubt : null;
  return typeof doubt === "string" && doubt !== "" ? doubt : null;
}

type Heatmap = Explanation["heatmap"];

/**
 * A map with its signs in two colours, one pixel for each of its values, ready for `new ImageData(data, width, height)`. Over a photograph (`base`
 * 0) what counts for nothing is not painted; alone it is neutral.
 */
export function signedPixels(
  { data: values, shape: [height, width] }: SignedMap,
  { opacity = 1, base = 1, smooth = 0 }: Omit<PaintOptions, "colours">,
): { data: Uint8ClampedArray<ArrayBuffer>; width: number; height: number } {
  const data = new Uint8ClampedArray(width * height * 4);
  let shown = values;
  if (smooth > 0) {
    shown = blurred(blurred(values, height, width, smooth, 1, width), width, height, smooth, width, 1);
    const most = shown.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (most > 1e-6) shown = shown.map((value) => value / most);
  }
  shown.forEach((value, i) => {
    const level = Math.min(1, Math.abs(value));
    const side = value < 0 ? sides.against : sides.for;
    for (let band = 0; band < 3; band++) {
      const neutral = sides.neutral[band] ?? 0;
      data[4 * i + band] = base === 0 ? (side[band] ?? 0) : neutral + ((side[band] ?? 0) - neutral) * level;
    }
    data[4 * i + 3] = 255 * opacity * (base + (1 - base) * Math.sqrt(level));
  });
  return { data, width, height };
}

/** The heatmap in colours, one pixel for each of its values: RGBA, ready for `new ImageData(data, width, height)`. */
export function heatmapPixels(
  heatmap: Heatmap,
  { colours, opacity = 1, base = 1, smooth = 0 }: PaintOptions,
): { data: Uint8ClampedArray<ArrayBuffer>; width: number; height: number } {
  const [height, width] = heatmap.shape;
  const data = new Uint8ClampedArray(width * height * 4);
  smoothed(heatmap, smooth).forEach((value, i) => {
    const level = Math.min(1, Math.max(0, value));
    const colour = 3 * Math.round(255 * level);
    const strength = Math.sqrt(level);
    data[4 * i] = colours[colour] ?? 0;
    data[4 * i + 1] = colours[colour + 1] ?? 0;
    data[4 * i + 2] = colours[colour + 2] ?? 0;
    data[4 * i + 3] = 255 * opacity * (base + (1 - base) * strength);
  });
  return { data, width, height };
}

/**
 * The values under a Gaussian blur, brought back to 0 to 1; a map without differences stays as it is. At the edge only what lies
 * within the map is averaged, so that it does not fade there.
 */
export function smoothed({ data, shape: [height, width] }: Heatmap, sigma: number): Float32Array {
  if (!(sigma > 0)) return data;
  const rows = blurred(data, height, width, sigma, 1, width);
  return normalised(blurred(rows, width, height, sigma, width, 1));
}

/** Blurs `lines` lines of `length` values, which lie `step` apart, and the lines `lineStep`. */
function blurred(
  data: Float32Array,
  lines: number,
  length: number,
  sigma: number,
  step: number,
  lineStep: number,
): Float32Array {
  const reach = Math.ceil(3 * sigma);
  const weights = Float64Array.from({ length: reach + 1 }, (_, i) =>
    Math.exp(-(i * i) / (2 * sigma * sigma)),
  );
  const result = new Float32Array(data.length);
  for (let line = 0; line < lines; line++) {
    for (let at = 0; at < length; at++) {
      let sum = 0;
      let whole = 0;
      for (let other = Math.max(0, at - reach); other <= Math.min(length - 1, at + reach); other++) {
        const weight = weights[Math.abs(other - at)] ?? 0;
        sum += weight * (data[line * lineStep + other * step] ?? 0);
        whole += weight;
      }
      result[line * lineStep + at * step] = sum / whole;
    }
  }
  return result;
}

function normalised(data: Float32Array): Float32Array {
  let low = Infinity;
  let high = -Infinity;
  for (const value of data) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  // Rounding makes differences of its own.
  if (!(high - low > 1e-6)) return data;
  return data.map((value) => (value - low) / (high - low));
}

/** Draws the photograph and, over the part of it that the network saw, the heatmap. The canvas takes the picture's size. */
export function drawExplanation(
  canvas: HTMLCanvasElement,
  photograph: ImageBitmap,
  explanation: (Pick<Explanation, "heatmap" | "region" | "segments"> & { info?: object }) | null,
  options: DrawOptions,
): void {
  const tone = (options.toned ?? (explanation !== null && doubtOf(explanation) !== null)) ? tonedDown : 1;
  const opacity = tone * (options.opacity ?? 0.8);
  const {
    view = "overlay",
    base = 0,
    smooth: wanted = 3,
    borders = true,
    dim = 0.8,
    shade = 0.45,
    wipe = 0,
    maxSide = 1600,
  } = options;
  const scale = Math.min(1, maxSide / Math.max(photograph.width, photograph.height));
  canvas.width = Math.max(1, Math.round(photograph.width * scale));
  canvas.height = Math.max(1, Math.round(photograph.height * scale));
  const context = canvas.getContext("2d");
  if (!context) return;
  context.imageSmoothingQuality = "high";

  if (view !== "heatmap" || !explanation) context.drawImage(photograph, 0, 0, canvas.width, canvas.height);
  if (view === "photograph" || !explanation) return;

  const seen = explanation.region ?? { x: 0, y: 0, width: photograph.width, height: photograph.height };
  const [x, y] = [seen.x * scale, seen.y * scale];
  const [width, height] = [seen.width * scale, seen.height * scale];
  if (view === "overlay") {
    const outside = new Path2D();
    outside.rect(0, 0, canvas.width, canvas.height);
    outside.rect(x, y, width, height);
    context.fillStyle = `rgb(0 0 0 / ${shade})`;
    context.fill(outside, "evenodd");
    context.globalCompositeOperation = "saturation";
    context.fillStyle = `rgb(128 128 128 / ${dim * opacity})`;
    context.fillRect(x, y, width, height);
    context.globalCompositeOperation = "source-over";
    context.fillStyle = `rgb(0 0 0 / ${0.5 * dim * opacity})`;
    context.fillRect(x, y, width, height);
    const line = Math.max(1, canvas.width / 500);
    context.lineWidth = line;
    context.strokeStyle = "rgb(255 255 255 / 0.55)";
    context.strokeRect(x - line / 2, y - line / 2, width + line, height + line);
  }

  const { colours } = options;
  const segments = segmentsOf(explanation);
  const shown = options.segments ?? segments?.chosen.length ?? 0;
  const heatmap = segments ? segmentHeatmap(explanation.heatmap, segments, shown) : explanation.heatmap;
  const smooth = segments ? 0 : wanted;
  const paint = view === "heatmap" ? { smooth, opacity: tone } : { opacity, base, smooth };
  const painted = options.signed
    ? signedPixels(options.signed, paint)
    : heatmapPixels(heatmap, { colours, ...paint });
  const small = document.createElement("canvas");
  small.width = painted.width;
  small.height = painted.height;
  small.getContext("2d")?.putImageData(new ImageData(painted.data, painted.width, painted.height), 0, 0);
  context.imageSmoothingEnabled = !segments; // a segment's edge is where it is
  if (view === "heatmap" && tone < 1) {
    context.fillStyle = "black"; // else the page would shine through what is toned down
    context.fillRect(x, y, width, height);
  }
  context.drawImage(small, x, y, width, height);
  if (segments && borders) {
    const place = new DOMMatrix([width / painted.width, 0, 0, height / painted.height, x, y]);
    const stroke = (only: ReadonlySet<number> | null, style: string, thickness: number) => {
      const path = new Path2D();
      path.addPath(linePath(borderLines(segments.labels, heatmap.shape, only)), place);
      context.strokeStyle = style;
      context.lineWidth = (thickness * canvas.width) / 800;
      context.lineCap = "square";
      context.stroke(path);
    };
    const best = new Set(segmentRanking(segments).slice(0, shown));
    const weight = Math.min(1, Math.max(0.3, 12 / shown)); // where nearly all are shown, their borders are no news
    stroke(null, "rgb(255 255 255 / 0.28)", 0.75);
    stroke(best, `rgb(0 0 0 / ${0.65 * weight})`, 3.5 * weight);
    stroke(best, `rgb(255 255 255 / ${0.95 * weight})`, 1.75 * weight);
  }
  if (wipe > 0) wipeAway(context, photograph, Math.min(1, wipe));
}

/** The photograph over the left part of the picture, up to a line. */
function wipeAway(context: CanvasRenderingContext2D, photograph: ImageBitmap, share: number): void {
  const { width, height } = context.canvas;
  const edge = Math.round(share * width);
  context.save();
  context.beginPath();
  context.rect(0, 0, edge, height);
  context.clip();
  context.drawImage(photograph, 0, 0, width, height);
  context.restore();
  const line = Math.max(2, width / 300);
  context.fillStyle = "rgb(0 0 0 / 0.5)";
  context.fillRect(edge - line, 0, 2 * line, height);
  context.fillStyle = "white";
  context.fillRect(edge - line / 2, 0, line, height);
}

/** The explanation's segments, where they lie on its heatmap. */
function segmentsOf({ heatmap, segments }: Pick<Explanation, "heatmap" | "segments">) {
  return segments?.labels.length === heatmap.data.length ? segments : null;
}

function linePath(lines: readonly number[]): Path2D {
  const path = new Path2D();
  for (let i = 0; i < lines.length; i += 4) {
    path.moveTo(lines[i] ?? 0, lines[i + 1] ?? 0);
    path.lineTo(lines[i + 2] ?? 0, lines[i + 3] ?? 0);
  }
  return path;
}

// From a heatmap to a picture: the last step, which never computes an attribution anew.

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
   * the photograph untouched (0.1 is the default of `drawExplanation`).
   */
  base?: number;
}

export interface DrawOptions extends PaintOptions {
  view?: View;
  /** How much the part that the network did not see is darkened, 0 to 1. */
  shade?: number;
  /** The longer side of the picture is not made larger than this. */
  maxSide?: number;
}

type Heatmap = Explanation["heatmap"];

/** The heatmap in colours, one pixel for each of its values: RGBA, ready for `new ImageData(data, width, height)`. */
export function heatmapPixels(
  heatmap: Heatmap,
  { colours, opacity = 1, base = 1 }: PaintOptions,
): { data: Uint8ClampedArray<ArrayBuffer>; width: number; height: number } {
  const [height, width] = heatmap.shape;
  const data = new Uint8ClampedArray(width * height * 4);
  heatmap.data.forEach((value, i) => {
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

/** Draws the photograph and, over the part of it that the network saw, the heatmap. The canvas takes the picture's size. */
export function drawExplanation(
  canvas: HTMLCanvasElement,
  photograph: ImageBitmap,
  explanation: Pick<Explanation, "heatmap" | "region"> | null,
  options: DrawOptions,
): void {
  const { view = "overlay", opacity = 0.8, base = 0.1, shade = 0.42, maxSide = 1600 } = options;
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
    context.save();
    const outside = new Path2D();
    outside.rect(0, 0, canvas.width, canvas.height);
    outside.rect(x, y, width, height);
    context.clip(outside, "evenodd");
    context.fillStyle = `rgb(0 0 0 / ${shade})`;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.restore();
  }

  const painted = heatmapPixels(
    explanation.heatmap,
    view === "heatmap" ? { colours: options.colours } : { colours: options.colours, opacity, base },
  );
  const small = document.createElement("canvas");
  small.width = painted.width;
  small.height = painted.height;
  small.getContext("2d")?.putImageData(new ImageData(painted.data, painted.width, painted.height), 0, 0);
  context.drawImage(small, x, y, width, height);
}

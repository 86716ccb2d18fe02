// A map of a picture place by place: its value at a point, its shares in nine parts, and how a value sounds.

import { t } from "./strings/strings.js";
import type { Explanation, Region } from "adversight";

type Mapped = Pick<Explanation, "heatmap"> & { region: Region | null };

/** The value at a point of the photograph, `x` and `y` from 0 to 1 from its top left; null where the network did not look. */
export function valueAt(
  {
    heatmap: { data, shape },
    region,
  }: { heatmap: Pick<Mapped["heatmap"], "data" | "shape">; region: Region | null },
  photo: { width: number; height: number },
  x: number,
  y: number,
): number | null {
  const seen = region ?? { x: 0, y: 0, ...photo };
  const across = (x * photo.width - seen.x) / seen.width;
  const down = (y * photo.height - seen.y) / seen.height;
  if (across < 0 || across > 1 || down < 0 || down > 1) return null;
  const [height, width] = shape;
  const column = Math.min(width - 1, Math.floor(across * width));
  const row = Math.min(height - 1, Math.floor(down * height));
  return data[row * width + column] ?? null;
}

/** The shares of nine parts of what the network saw, row by row from the top left; all 0 for an empty map. */
export function ninths({ data, shape: [height, width] }: Explanation["heatmap"]): number[] {
  const sums = new Array<number>(9).fill(0);
  let all = 0;
  data.forEach((value, i) => {
    if (!(value > 0)) return;
    const [row, column] = [Math.floor(i / width), i % width];
    const part = 3 * Math.floor((3 * row) / height) + Math.floor((3 * column) / width);
    sums[part] = (sums[part] ?? 0) + value;
    all += value;
  });
  return sums.map((sum) => (all > 0 ? sum / all : 0));
}

export const rows = [t`top`, t`middle`, t`bottom`] as const;
export const columns = [t`left`, t`centre`, t`right`] as const;

export interface Tone {
  hertz: number;
  /** 0 to 1. */
  gain: number;
  /** From -1, left, to 1, right. */
  pan: number;
}

/**
 * How a value from -1 to 1 sounds: the more it counts, the higher and the louder, and from where it is; what speaks against the class goes down
 * instead. Where the network did not look, nothing.
 */
export function toneOf(value: number | null, x: number): Tone {
  const strength = Math.min(1, Math.max(-1, value ?? 0));
  const octaves = strength < 0 ? 1.5 * strength : 2.5 * strength;
  return { hertz: 180 * 2 ** octaves, gain: Math.abs(strength), pan: 2 * x - 1 };
}

/** One moment of a scan. */
export interface ScanTone extends Tone {
  /** Seconds from the beginning, and for how long. */
  at: number;
  lasts: number;
  /** Where the ear is, 0 to 1 from the top left: the middle of the cell that sounds. */
  x: number;
  y: number;
}

/** How long a cell sounds in a scan of this many a side, and how long it is still after a row, in seconds. */
const pace = (side: number) => Math.max(0.06, 0.9 / side);
const rest = 0.35;

/**
 * The whole map as it is heard in a scan, row by row from the top left, each row from left to right and a silence after it: a cell of a grid of
 * `side` by `side` sounds by its mean, as a part of the largest. Gains tell cells apart by their squares, so that the loudest stands out.
 */
export function scanOf(
  { data, shape: [height, width] }: Pick<Explanation["heatmap"], "data" | "shape">,
  side: number,
): ScanTone[] {
  const sums = new Float64Array(side * side);
  const counts = new Float64Array(side * side);
  data.forEach((value, i) => {
    const row = Math.min(side - 1, Math.floor((side * Math.floor(i / width)) / height));
    const column = Math.min(side - 1, Math.floor((side * (i % width)) / width));
    sums[row * side + column] = (sums[row * side + column] ?? 0) + value;
    counts[row * side + column] = (counts[row * side + column] ?? 0) + 1;
  });
  const means = [...sums].map((sum, cell) => sum / Math.max(1, counts[cell] ?? 0));
  const most = Math.max(...means.map(Math.abs));
  return means.map((mean, cell) => {
    const [row, column] = [Math.floor(cell / side), cell % side];
    const share = most > 0 ? mean / most : 0;
    const x = (column + 0.5) / side;
    const { hertz, pan } = toneOf(share, x);
    return {
      hertz,
      gain: share ** 2,
      pan,
      at: row * (side * pace(side) + rest) + column * pace(side),
      lasts: pace(side),
      x,
      y: (row + 0.5) / side,
    };
  });
}

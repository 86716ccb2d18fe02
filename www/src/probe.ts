// A map of a picture place by place: its value at a point, its shares in nine parts, and how a value sounds.

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

export const rows = ["top", "middle", "bottom"] as const;
export const columns = ["left", "centre", "right"] as const;

/** How a value from 0 to 1 sounds: the more it counts, the higher and the louder, and from where it is. Where the network did not look, nothing. */
export function toneOf(value: number | null, x: number): { hertz: number; gain: number; pan: number } {
  const strength = Math.min(1, Math.max(0, value ?? 0));
  return { hertz: 180 * 2 ** (2.5 * strength), gain: strength, pan: 2 * x - 1 };
}

// Evidence for a class and against it: which methods tell the two apart, and the map with its signs.

import { magnitudes } from "./parameters.js";
import type { Colour } from "./words.js";
import type { Explanation } from "./wasm/adversight.js";

/** Whether a method's values speak for the class where they are above zero and against it where they are below. */
export const tellsSigns = (method: string): boolean => !magnitudes.has(method);

/** Methods with signs whose papers show only what counts for the class. */
const onlyFor: ReadonlySet<string> = new Set(["agi", "hires_cam", "xrai"]);

/** Whether a method's map is shown with its signs where nobody says otherwise. */
export const showsSigns = (method: string): boolean => tellsSigns(method) && !onlyFor.has(method);

/** A map with its signs: 1 is the most that speaks for the class, -1 as much against it. */
export interface SignedMap {
  /** Row by row. */
  data: Float32Array;
  /** Height and width. */
  shape: [number, number];
}

/** The magnitude that is shown at full strength: one pixel alone should not make all others pale. */
const strongest = 0.99;

/**
 * The map of an explanation with its signs: the sum over the channels, by the 99th percentile of its magnitudes. Null where the method tells no
 * signs, or nothing speaks against the class.
 */
export function signedMap(
  { attribution: { data, shape }, heatmap }: Pick<Explanation, "attribution" | "heatmap">,
  { method, layout }: { method: string; layout?: string },
): SignedMap | null {
  const count = heatmap.data.length;
  const channels = data.length / count;
  if (!tellsSigns(method) || count === 0 || !Number.isInteger(channels)) return null;
  const last = layout === "picture_channels_last" && shape.at(-1) === channels;
  const sums = new Float32Array(count);
  data.forEach((value, at) => {
    const place = last ? Math.floor(at / channels) : at % count;
    sums[place] = (sums[place] ?? 0) + value;
  });
  if (!sums.some((value) => value < 0)) return null;
  const sizes = sums.map(Math.abs).sort();
  const most = sizes[Math.ceil(strongest * (count - 1))] ?? 0;
  // Of a map that is nearly empty, the percentile is nothing.
  const scale = most > 0 ? most : (sizes.at(-1) ?? 0);
  if (!(scale > 0)) return null;
  return { data: sums.map((value) => Math.min(1, Math.max(-1, value / scale))), shape: heatmap.shape };
}

/** What speaks for a class and against it over a picture: orange and blue, which no common colour-blindness confuses, and between them none. */
export const sides: { for: Colour; against: Colour; neutral: Colour } = {
  for: [255, 132, 20],
  against: [72, 134, 255],
  neutral: [244, 240, 234],
};

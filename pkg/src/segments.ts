// Explanations by segments (superpixels): which of them are shown, and where their borders run. Showing more or fewer computes nothing.

import type { Explanation, Segmentation } from "./wasm/adversight.js";

type Heatmap = Explanation["heatmap"];

/** The segments that can be shown, the most important first: those that the method chose, then the others that count for the class. */
export function segmentRanking({ values, chosen }: Segmentation): number[] {
  const first = [...chosen];
  const known = new Set(first);
  const others = [...values.keys()].filter((segment) => !known.has(segment) && (values[segment] ?? 0) > 0);
  return [...first, ...others.sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0))];
}

/** The heatmap of the first `shown` segments of the ranking: each one's value, as a share of the largest; the rest is 0. */
export function segmentHeatmap(heatmap: Heatmap, segmentation: Segmentation, shown: number): Heatmap {
  const { labels, values } = segmentation;
  const ranking = segmentRanking(segmentation);
  const largest = ranking.reduce((most, segment) => Math.max(most, values[segment] ?? 0), 0);
  const levels = new Float32Array(values.length);
  for (const segment of ranking.slice(0, shown)) {
    levels[segment] = largest > 0 ? Math.max(0, values[segment] ?? 0) / largest : 0;
  }
  return { ...heatmap, data: Float32Array.from(labels, (segment) => levels[segment] ?? 0) };
}

/**
 * The borders between segments as lines x0, y0, x1, y1 in the map's pixels, `[height, width]`; of all segments, or only of those that
 * are `shown`. What lies on one line is one line.
 */
export function borderLines(
  labels: Uint32Array,
  [height, width]: readonly [number, number],
  shown: ReadonlySet<number> | null = null,
): number[] {
  const lines: number[] = [];
  const differ = (a: number, b: number) => {
    const [one = 0, other = 0] = [labels[a], labels[b]];
    return one !== other && (!shown || shown.has(one) || shown.has(other));
  };
  for (let y = 1; y < height; y++) {
    let start = -1;
    for (let x = 0; x <= width; x++) {
      const border = x < width && differ(y * width + x, (y - 1) * width + x);
      if (border && start < 0) start = x;
      if (!border && start >= 0) {
        lines.push(start, y, x, y);
        start = -1;
      }
    }
  }
  for (let x = 1; x < width; x++) {
    let start = -1;
    for (let y = 0; y <= height; y++) {
      const border = y < height && differ(y * width + x, y * width + x - 1);
      if (border && start < 0) start = y;
      if (!border && start >= 0) {
        lines.push(x, start, x, y);
        start = -1;
      }
    }
  }
  return lines;
}

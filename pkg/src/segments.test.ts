import assert from "node:assert/strict";
import test from "node:test";

import { borderLines, segmentHeatmap, segmentRanking } from "./segments.js";

// 0 0 1
// 0 2 1
// 3 2 1
const labels = Uint32Array.from([0, 0, 1, 0, 2, 1, 3, 2, 1]);
const segmentation = { labels, values: Float32Array.of(0.5, -1, 2, 1), chosen: Uint32Array.of(2, 3) };
const heatmap = { data: new Float32Array(9), shape: [3, 3] as [number, number], rule: "test" };

test("the chosen segments go first, then the others that count for the class", () => {
  assert.deepEqual(segmentRanking(segmentation), [2, 3, 0]);
  assert.deepEqual(segmentRanking({ ...segmentation, chosen: Uint32Array.of(1) }), [1, 2, 3, 0]);
});

test("a segment is as bright as its share of the largest value, and the rest is dark", () => {
  const levels = (shown: number) => Array.from(segmentHeatmap(heatmap, segmentation, shown).data);
  assert.deepEqual(levels(0), Array(9).fill(0));
  assert.deepEqual(levels(1), [0, 0, 0, 0, 1, 0, 0, 1, 0]);
  assert.deepEqual(levels(3), [0.25, 0.25, 0, 0.25, 1, 0, 0.5, 1, 0]);
  assert.deepEqual(levels(9), levels(3));
});

test("a segment that counts against the class is dark even where it was chosen", () => {
  const against = { ...segmentation, chosen: Uint32Array.of(1) };
  assert.deepEqual(Array.from(segmentHeatmap(heatmap, against, 1).data), Array(9).fill(0));
});

test("borders run between pixels of different segments, as long as they are straight", () => {
  const lines = borderLines(labels, heatmap.shape);
  assert.deepEqual(lines, [1, 1, 2, 1, 0, 2, 1, 2, 1, 1, 1, 3, 2, 0, 2, 3]);
  assert.deepEqual(borderLines(labels, heatmap.shape, new Set([3])), [0, 2, 1, 2, 1, 2, 1, 3]);
  assert.deepEqual(borderLines(new Uint32Array(9), heatmap.shape), []);
});

import assert from "node:assert/strict";
import test from "node:test";

import { heatmapPixels } from "./picture.js";

/** Colour i is (i, 255 - i, 7). */
const colours = Uint8Array.from({ length: 768 }, (_, i) => [i / 3, 255 - (i - 1) / 3, 7][i % 3] ?? 0);
const heatmap = (values: number[]) => ({
  data: new Float32Array(values),
  shape: [1, values.length] as [number, number],
  rule: "test",
});
const pixel = (data: Uint8ClampedArray, i: number) => Array.from(data.subarray(4 * i, 4 * i + 4));

test("values run through the whole map, and what lies outside is clipped", () => {
  const { data, width, height } = heatmapPixels(heatmap([0, 1, 0.2, 7, -1]), { colours });
  assert.deepEqual([width, height], [5, 1]);
  assert.deepEqual(pixel(data, 0), [0, 255, 7, 255]);
  assert.deepEqual(pixel(data, 1), [255, 0, 7, 255]);
  assert.deepEqual(pixel(data, 2), [51, 204, 7, 255]);
  assert.deepEqual(pixel(data, 3), pixel(data, 1));
  assert.deepEqual(pixel(data, 4), pixel(data, 0));
});

test("the opacity is that of the strongest values, the base that of zero", () => {
  const alpha = (base: number) => {
    const { data } = heatmapPixels(heatmap([0, 0.25, 1]), { colours, opacity: 0.8, base });
    return [data[3], data[7], data[11]];
  };
  assert.deepEqual(alpha(1), [204, 204, 204]);
  assert.deepEqual(alpha(0), [0, 102, 204]);
  assert.deepEqual(alpha(0.5), [102, 153, 204]);
});

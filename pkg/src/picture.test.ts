import assert from "node:assert/strict";
import test from "node:test";

import { heatmapPixels, smoothed } from "./picture.js";

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

const square = (values: number[][]) => ({
  data: new Float32Array(values.flat()),
  shape: [values.length, values[0]?.length ?? 0] as [number, number],
  rule: "test",
});
const rounded = (data: Float32Array) => Array.from(data, (value) => Number(value.toFixed(4)));

test("without smoothing the values stay as they are", () => {
  const map = heatmap([0.2, 0.5, 0.4]);
  assert.equal(smoothed(map, 0), map.data);
});

test("a single pixel becomes a Gaussian whose peak is 1", () => {
  const size = 25;
  const map = square(Array.from({ length: size }, () => Array<number>(size).fill(0)));
  map.data[12 * size + 12] = 0.3;
  const smooth = smoothed(map, 2);
  const at = (row: number, column: number) => smooth[row * size + column] ?? NaN;
  assert.equal(at(12, 12), 1);
  assert.ok(Math.abs(at(12, 14) - Math.exp(-4 / 8)) < 1e-5);
  assert.ok(Math.abs(at(10, 13) - Math.exp(-5 / 8)) < 1e-5, "rows and columns are blurred alike");
  assert.equal(at(12, 19), 0, "beyond three sigmas there is nothing");
  assert.equal(map.data[12 * size + 12], Math.fround(0.3), "the map itself is not touched");
});

test("rows and columns of a map that is not square are kept apart", () => {
  const wide = [
    [0, 0, 0.5, 1],
    [0.1, 0, 0, 0],
  ];
  const tall = [0, 1, 2, 3].map((column) => wide.map((row) => row[column] ?? NaN));
  const one = smoothed(square(wide), 0.8);
  const other = smoothed(square(tall), 0.8);
  const turned = [0, 1, 2, 3].flatMap((column) => [one[column] ?? NaN, one[4 + column] ?? NaN]);
  assert.deepEqual(rounded(other), rounded(new Float32Array(turned)));
});

test("a map without differences stays without, up to its edges", () => {
  assert.deepEqual(rounded(smoothed(square([[0, 0], [0, 0]]), 3)), [0, 0, 0, 0]); // prettier-ignore
  assert.deepEqual(rounded(smoothed(heatmap(Array<number>(9).fill(0.4)), 2)), Array<number>(9).fill(0.4));
});

test("what is painted is smoothed on request", () => {
  const map = heatmap([0, 0, 0, 0, 1, 0, 0, 0, 0]);
  const red = (smooth: number) => {
    const { data } = heatmapPixels(map, { colours, smooth });
    return [data[12], data[16], data[20]];
  };
  assert.deepEqual(red(0), [0, 255, 0]);
  const [left, middle, right] = red(1);
  assert.equal(middle, 255);
  assert.equal(left, right);
  assert.ok((left ?? 0) > 100);
});

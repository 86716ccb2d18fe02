import assert from "node:assert/strict";
import test from "node:test";

import { depths, sobel } from "./edges.js";

/** A grey picture. */
const picture = (width: number, ...greys: number[]) => ({
  pixels: new Uint8ClampedArray(greys.flatMap((grey) => [grey, grey, grey, 255])),
  width,
  height: greys.length / width,
});

test("an edge lies between dark and light, across or down", () => {
  const down = sobel(picture(4, 0, 0, 100, 100, 0, 0, 100, 100, 0, 0, 100, 100));
  assert.deepEqual(down.shape, [1, 1, 3, 4]);
  assert.deepEqual([...down.data].map(Math.round), [0, 400, 400, 0, 0, 400, 400, 0, 0, 400, 400, 0]);
  const across = sobel(picture(2, 0, 0, 0, 0, 100, 100, 100, 100));
  assert.deepEqual([...across.data].map(Math.round), [0, 0, 400, 400, 400, 400, 0, 0]);
});

test("a plain picture has no edges, at its border neither", () => {
  assert.ok(sobel(picture(3, ...Array.from({ length: 9 }, () => 77))).data.every((value) => value === 0));
});

test("the layers that forget are the last, half of them and all, each once", () => {
  assert.deepEqual(depths(50), [1, 25, 50]);
  assert.deepEqual(depths(3), [1, 2, 3]);
  assert.deepEqual(depths(2), [1, 2]);
  assert.deepEqual(depths(1), [1]);
  assert.deepEqual(depths(0), []);
});

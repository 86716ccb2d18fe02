import assert from "node:assert/strict";
import test from "node:test";

import { straightOf } from "./straight.js";

const pixels = (...values: number[]) => Uint8ClampedArray.from(values);

/** What a 2D canvas gives back of straight colours: multiplied with the opacity, rounded, and divided again. */
function throughCanvas(straight: Uint8ClampedArray): {
  multiplied: Uint8ClampedArray;
  back: Uint8ClampedArray;
} {
  const multiplied = straight.map((value, i) =>
    i % 4 === 3 ? value : Math.round((value * (straight[i | 3] ?? 0)) / 255),
  );
  const back = multiplied.map((value, i) => {
    const opacity = multiplied[i | 3] ?? 0;
    return i % 4 === 3 || opacity === 0 ? value : Math.round((value * 255) / opacity);
  });
  return { multiplied, back };
}

const picture = pixels(200, 30, 90, 0, 200, 30, 90, 40, 10, 250, 60, 128, 1, 2, 3, 255);

test("the colours of transparent pixels are those that the bitmap holds", () => {
  const { back } = throughCanvas(picture);
  assert.deepEqual(back.slice(0, 4), pixels(0, 0, 0, 0), "the canvas has lost them");
  assert.equal(straightOf(picture, back), picture);
});

test("a bitmap that holds its colours multiplied is read by the canvas", () => {
  const { multiplied, back } = throughCanvas(picture);
  assert.equal(straightOf(multiplied, back), back);
});

test("a picture that is quite transparent has its colours, and one that is black too", () => {
  const clear = pixels(200, 30, 90, 0, 12, 13, 14, 0);
  assert.equal(straightOf(clear, throughCanvas(clear).back), clear);
  const black = pixels(0, 0, 0, 0);
  assert.deepEqual(straightOf(black, throughCanvas(black).back), black);
});

test("without a texture, and where it is of something else, the canvas counts", () => {
  const { back } = throughCanvas(picture);
  assert.equal(straightOf(null, back), back);
  assert.equal(straightOf(pixels(1, 2, 3, 4), back), back);
  assert.equal(
    straightOf(
      picture.map((value, i) => (i % 4 === 3 ? 7 : value)),
      back,
    ),
    back,
  );
});

import assert from "node:assert/strict";
import test from "node:test";

import { rankCorrelation } from "./correlation.js";

const correlation = (a: number[], b: number[]) => rankCorrelation(Float32Array.from(a), Float32Array.from(b));

test("only the order counts", () => {
  assert.equal(correlation([1, 2, 3, 4], [10, 100, 1000, 10000]), 1);
  assert.equal(correlation([1, 2, 3, 4], [4, 3, 2, 1]), -1);
});

test("equal values share their ranks", () => {
  // scipy.stats.spearmanr([1, 2, 2, 3, 5], [2, 1, 4, 4, 0]): -0.2894736842105264
  assert.ok(Math.abs((correlation([1, 2, 2, 3, 5], [2, 1, 4, 4, 0]) ?? NaN) + 0.2894736842105264) < 1e-9);
});

test("there is none of maps that differ in size, or have no differences", () => {
  assert.equal(correlation([1, 2], [1, 2, 3]), null);
  assert.equal(correlation([1, 1, 1], [1, 2, 3]), null);
});

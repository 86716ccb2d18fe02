import assert from "node:assert/strict";
import test from "node:test";

import { bandOf } from "./band.js";

const game = (...y: number[]) => ({ curve: { x: y.map((_, i) => i / (y.length - 1)), y } });

test("a band has the lowest, the highest and the mean of games with steps of their own", () => {
  const band = bandOf([game(1, 0), game(1, 0.9, 0)], [0, 0.5, 1]);
  assert.deepEqual(band?.low.y, [1, 0.5, 0]);
  assert.deepEqual(band.high.y, [1, 0.9, 0]);
  assert.deepEqual(band.mean, { x: [0, 0.5, 1], y: [1, 0.7, 0] });
  assert.equal(bandOf([], [0, 1]), null);
});

import assert from "node:assert/strict";
import test from "node:test";

import { muted } from "./brush.js";

test("what is muted is silent, and all else is as it was", () => {
  const samples = Float32Array.from({ length: 10 }, (_, at) => at + 1);
  assert.deepEqual(
    [
      ...muted(samples, 10, [
        [0.2, 0.4],
        [0.9, 5],
      ]),
    ],
    [1, 2, 0, 0, 5, 6, 7, 8, 9, 0],
  );
  assert.equal(samples[2], 3, "the sound itself stays");
});

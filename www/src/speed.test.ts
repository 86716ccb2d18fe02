import assert from "node:assert/strict";
import test from "node:test";

import { estimate, measured, type Speed } from "./speed.js";

const after = (...measurements: [string | null, number, number][]) =>
  measurements.reduce<Speed>(
    (speed, [method, passes, milliseconds]) => measured(speed, { method, passes, milliseconds }),
    [],
  );

test("nothing is said before something was measured", () => {
  assert.equal(estimate([], "agi", 100), null);
  assert.equal(estimate(after([null, 0, 5]), "agi", 100), null);
});

test("a method goes by its own pace, and else by the best one", () => {
  const speed = after([null, 1, 80], ["saliency", 3, 120], ["agi", 100, 1000]);
  assert.equal(estimate(speed, "agi", 300), 3000);
  assert.equal(estimate(speed, "saliency", 3), 120);
  assert.equal(estimate(speed, "rise", 6000), 60_000);
});

test("of two runs of a method the longer counts, and of equals the newer", () => {
  assert.equal(estimate(after(["agi", 100, 1000], ["agi", 10, 900]), "agi", 100), 1000);
  assert.equal(estimate(after(["agi", 100, 1000], ["agi", 100, 500]), "agi", 100), 500);
});

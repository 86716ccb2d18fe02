import assert from "node:assert/strict";
import test from "node:test";

import { estimate, measured, type Speed } from "./speed.js";

/** These take no gradients. */
const hiding = ["", "rise", "lime"];
const after = (...measurements: [string | null, number, number][]) =>
  measurements.reduce<Speed>(
    (speed, [method, passes, milliseconds]) =>
      measured(speed, { method, gradients: !hiding.includes(method ?? ""), passes, milliseconds }),
    [],
  );
const time = (speed: Speed, method: string, passes: number) =>
  estimate(speed, { method, gradients: !hiding.includes(method), passes });

test("nothing is said before something was measured", () => {
  assert.equal(time([], "agi", 100), null);
  assert.equal(time(after([null, 0, 5]), "agi", 100), null);
});

test("a method goes by its own pace, and else by the best one", () => {
  const speed = after([null, 1, 80], ["saliency", 3, 120], ["agi", 100, 1000]);
  assert.equal(time(speed, "agi", 300), 3000);
  assert.equal(time(speed, "saliency", 3), 120);
  assert.equal(time(speed, "smoothgrad", 75), 750);
  assert.equal(time(speed, "rise", 6000), 60_000, "as long as nothing is known of its kind");
  assert.equal(
    time(measured(speed, { method: "lime", gradients: false, passes: 10, milliseconds: 200 }), "rise", 6000),
    120_000,
  );
});

test("of two runs of a method the longer counts, and of equals the newer", () => {
  assert.equal(time(after(["agi", 100, 1000], ["agi", 10, 900]), "agi", 100), 1000);
  assert.equal(time(after(["agi", 100, 1000], ["agi", 100, 500]), "agi", 100), 500);
});

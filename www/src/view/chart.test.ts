import assert from "node:assert/strict";
import test from "node:test";

import { ceiling } from "./chart.js";

test("the axis ends at a round number that holds every value", () => {
  assert.equal(ceiling([0.37, 0.1]), 0.4);
  assert.equal(ceiling([0.4]), 0.4);
  assert.equal(ceiling([0.41]), 0.6);
  assert.equal(ceiling([0.004, 0.001]), 0.01);
  assert.equal(ceiling([1]), 1);
  assert.equal(ceiling([]), 0.01);
  assert.equal(ceiling([3]), 3, "scores that are no probabilities");
});

import assert from "node:assert/strict";
import test from "node:test";

import { ninths, toneOf, valueAt } from "./probe.js";

const heatmap = {
  data: Float32Array.of(0, 0, 0, 0, 0, 0.5, 1, 0, 0.5),
  shape: [3, 3] as [number, number],
  rule: "",
};

test("a point of the photograph is found in what the network saw of it", () => {
  const photo = { width: 600, height: 300 };
  const explained = { heatmap, region: { x: 150, y: 0, width: 300, height: 300 } };
  assert.equal(valueAt(explained, photo, 0.3, 0.9), 1, "bottom left of the crop");
  assert.equal(valueAt(explained, photo, 0.7, 0.5), 0.5);
  assert.equal(valueAt(explained, photo, 0.1, 0.9), null, "outside of the crop");
  assert.equal(valueAt({ heatmap, region: null }, photo, 1, 1), 0.5);
});

test("nine parts hold what they hold, and all of it together", () => {
  assert.deepEqual(ninths(heatmap), [0, 0, 0, 0, 0, 0.25, 0.5, 0, 0.25]);
  assert.deepEqual(ninths({ ...heatmap, data: new Float32Array(9) }), new Array(9).fill(0));
});

test("the more a place counts the higher and louder it sounds, and from its side", () => {
  const [little, much] = [toneOf(0.2, 0), toneOf(0.9, 1)];
  assert.ok(little.hertz < much.hertz && little.gain < much.gain);
  assert.deepEqual([little.pan, much.pan], [-1, 1]);
  assert.equal(toneOf(null, 0.5).gain, 0);
});

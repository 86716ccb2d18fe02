import assert from "node:assert/strict";
import test from "node:test";

import { binned, columnBars, rowSaid } from "./table-view.js";
import type { ExplanationInfo, Part } from "./wasm/adversight.js";

const part = (name: string, score: number, value = "1"): Part => ({
  name,
  value,
  source: 0,
  start: 0,
  end: 1,
  bytes: null,
  low: null,
  high: null,
  score,
  special: false,
  places: [0],
});
const info = (completenessGap: number | null) => ({ completenessGap }) as ExplanationInfo;

test("a waterfall starts each bar where the one before ends", () => {
  const { bars, zero, falls } = columnBars({
    parts: [part("a", 1), part("b", -3), part("c", 4)],
    info: info(0),
  });
  assert.deepEqual(
    bars.map(({ name }) => name),
    ["c", "b", "a"],
  );
  assert.equal(falls, true);
  assert.equal(zero, 0);
  assert.deepEqual(
    bars.map(({ from, to }) => [from, to]),
    [
      [0, 1],
      [1, 0.25],
      [0.25, 0.5],
    ],
  );
  assert.equal(bars[1]?.said, "b 1: -3.00, 38% against the answer");
});

test("parts that do not add up start at zero, and many are joined", () => {
  const { bars, zero, falls } = columnBars(
    { parts: [part("a", 1), part("b", -3), part("c", 1)], info: info(null) },
    1,
  );
  assert.equal(falls, false);
  assert.equal(bars.length, 2);
  assert.equal(bars[1]?.name, "2 more");
  assert.equal(zero, 0.6);
  assert.deepEqual([bars[0]?.from, bars[0]?.to], [0.6, 0]);
});

test("a long map keeps its largest values", () => {
  assert.deepEqual(binned([0, 1, -5, 2, 0, 0], 3), [1, -5, 0]);
  assert.deepEqual(binned([1, 2], 5), [1, 2]);
});

test("a row of a series is told with its channels", () => {
  const series = { channels: ["a", "b"], row: 10, values: [[1], [2]], map: [[0.5], [0]] };
  assert.equal(rowSaid(series, 0), "Row 10: a 1.00 (counts 0.500), b 2.00 (counts 0.00)");
  assert.equal(rowSaid({ ...series, map: [[0.5]] }, 0), "Row 10: a 1.00, b 2.00; counts 0.500");
});

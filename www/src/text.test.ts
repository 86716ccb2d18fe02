import assert from "node:assert/strict";
import test from "node:test";

import type { Part } from "adversight";
import { bars, besideWords, hasSigns, valuesOf } from "./text.js";

const part = (name: string, score: number, special = false): Part => ({
  name,
  source: 0,
  start: 0,
  end: name.length,
  bytes: null,
  low: null,
  high: null,
  score,
  special,
  places: [],
});

test("the words that count most are bars of one scale, told with their side", () => {
  const parts = [part("[CLS]", 9, true), part("a", 0), part("dull", 3), part("warm", -1)];
  assert.ok(hasSigns({ parts }));
  assert.deepEqual(
    bars({ parts }, 8).map(({ part: { name }, length, said }) => [name, Number(length.toFixed(3)), said]),
    [
      ["dull", 1, "75%, for"],
      ["warm", -0.333, "25%, against"],
    ],
  );
  assert.equal(bars({ parts }, 1).length, 1);
});

test("where no method speaks against, no side is told, and of nothing there are no bars", () => {
  assert.deepEqual(
    bars({ parts: [part("dull", 1), part("film", 1)] }, 8).map(({ said }) => said),
    ["50%", "50%"],
  );
  assert.deepEqual(bars({ parts: [part("dull", 0)] }, 8), []);
});

test("what nobody has written is told apart", () => {
  assert.equal(besideWords({ parts: [part("dull", 1)] }), "");
  const parts = [part("[CLS]", 1, true), part("dull", 2), part("[SEP]", -1, true), part("[SEP]", 0, true)];
  assert.equal(
    besideWords({ parts }),
    "The network also reads [CLS] and [SEP], which nobody has written. 50% of all that was found lies there.",
  );
  assert.match(besideWords({ parts: [part("[CLS]", 0, true)] }), /\[CLS\], which nobody has written\.$/);
});

test("two explanations are compared by their words, and by their pixels where they have none", () => {
  const heatmap = { data: Float32Array.of(1, 2), shape: [1, 2] as [number, number], rule: "" };
  assert.deepEqual(valuesOf({ parts: [part("a", 3)], heatmap }), [3]);
  assert.equal(valuesOf({ parts: [], heatmap }), heatmap.data);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExplainOptions } from "./client.js";
import { anyName, requested, type MetricChoice } from "./methods.js";

test("parameters are those of the method that is named: anything else does not compile", () => {
  const well: ExplainOptions[] = [
    { method: "agi" },
    { method: "agi", params: { steps: 3 }, target: 7 },
    { method: "lime", params: { samples: 10, score: "logit" }, seed: 1 },
    { method: anyName("agi"), params: { stepps: 3 } },
  ];
  // @ts-expect-error: no parameter of AGI is called so
  const mistyped: ExplainOptions = { method: "agi", params: { stepps: 3 } };
  // @ts-expect-error: a number of steps is a number
  const worded: ExplainOptions = { method: "agi", params: { steps: "three" } };
  // @ts-expect-error: no method is called so
  const unknown: ExplainOptions = { method: "agy" };
  // @ts-expect-error: what another method has
  const other: ExplainOptions = { method: "saliency", params: { steps: 3 } };
  assert.equal(new Set([...well, mistyped, worded, unknown, other]).size, 8);
});

test("a metric is asked for by its name, or with its parameters", () => {
  const metrics: MetricChoice[] = ["deletion", { name: "insertion", params: { substrate: "blur" } }];
  // @ts-expect-error: no such substrate
  metrics.push({ name: "insertion", params: { substrate: "fog" } });
  assert.deepEqual(metrics.map(requested), [
    { name: "deletion" },
    { name: "insertion", params: { substrate: "blur" } },
    { name: "insertion", params: { substrate: "fog" } },
  ]);
});

import assert from "node:assert/strict";
import test from "node:test";

import type { MetricDescription } from "adversight";
import { bestRows, cited, measurable, metricPasses, startingMethods, toCsv, type Row } from "./evidence.js";

const metric = (name: string, change: Partial<MetricDescription> = {}): MetricDescription => ({
  name,
  title: name,
  summary: "",
  paper: "",
  needs: ["predictions"],
  better: "higher",
  range: "0 to 1",
  cost: "none",
  params: [],
  ...change,
});
const row = (method: string | null, value: number | null): Row => ({
  method,
  title: method ?? "random",
  milliseconds: 12.4,
  reason: null,
  cells: value === null ? { deletion: { reason: "no" } } : { deletion: { value } },
});
const winners = (rows: Row[], better: MetricDescription["better"]) =>
  bestRows(rows, { name: "deletion", better }).map(({ method }) => method);

test("the best value of a column is the highest or the lowest, as the metric has it", () => {
  const rows = [row(null, 0.01), row("a", 0.3), row("b", 0.1), row("c", null), row("d", 0.1)];
  assert.deepEqual(winners(rows, "higher"), ["a"]);
  assert.deepEqual(winners(rows, "lower"), ["b", "d"], "both that are best, and never the random map");
  assert.deepEqual(winners(rows, "neither"), []);
});

test("nothing is best where there is nothing to compare", () => {
  assert.deepEqual(winners([row(null, 0.2), row("a", 0.3)], "higher"), []);
  assert.deepEqual(winners([row("a", 0.3), row("b", 0.3)], "higher"), []);
  assert.deepEqual(winners([row("a", null), row("b", null)], "higher"), []);
  assert.deepEqual(winners([], "higher"), []);
});

test("only what a map of a photograph has by itself can be measured", () => {
  assert.ok(measurable(metric("insertion", { needs: ["predictions"] })));
  assert.ok(measurable(metric("road", { needs: ["predictions", "image"] })));
  assert.ok(measurable(metric("stability", { needs: ["method"] })));
  for (const need of ["reference", "object", "segments", "randomised"] as const) {
    assert.ok(!measurable(metric("other", { needs: ["predictions", need] })), need);
  }
});

test("a metric's passes are its pictures, or those of the maps that it has made again", () => {
  const number = (name: string, value: number) =>
    [{ name, title: "", description: "", kind: "integer", default: value }] as MetricDescription["params"];
  assert.equal(metricPasses(metric("deletion"), 100, 51), 51);
  assert.equal(metricPasses(metric("feature_relevance"), 100, 51), 102);
  assert.equal(metricPasses(metric("sparseness"), 100, 51), 0);
  assert.equal(metricPasses(metric("infidelity", { params: number("samples", 100) }), 7, 51), 101);
  assert.equal(metricPasses(metric("max_sensitivity", { params: number("samples", 10) }), 7, 51), 70);
  const both = [...number("groups", 20), ...number("samples", 10)];
  assert.equal(metricPasses(metric("monotonicity_correlation", { params: both }), 7, 51), 201);
  assert.equal(metricPasses(metric("saco", { params: number("groups", 10) }), 7, 51), 11);
  assert.equal(metricPasses(metric("diff_id"), 100, 51), 102);
  assert.equal(metricPasses(metric("local_lipschitz", { params: number("samples", 10) }), 7, 51), 70);
  assert.equal(metricPasses(metric("stability", { params: number("seeds", 5) }), 7, 51), 35);
});

test("a comparison starts with what is shown, and fills up with what suits the network", () => {
  const info = {
    methods: [
      { name: "a", applies: true },
      { name: "b", applies: false, reason: "no" },
      { name: "c", applies: true },
      { name: "d", applies: true },
    ],
  };
  assert.deepEqual(startingMethods(["agi"], ["a", "b", "c", "d"], info, 3), ["agi", "a", "c"]);
  assert.deepEqual(startingMethods(["a", "x"], ["a", "c"], info, 4), ["a", "x", "c"]);
  assert.deepEqual(
    startingMethods(["x", "y"], ["a"], info, 1),
    ["x", "y"],
    "what is shown is never left out",
  );
  assert.deepEqual(startingMethods(["agi"], ["a"], undefined, 3), ["agi"]);
});

test("the table is written for spreadsheets", () => {
  const rows = [{ ...row("a", 0.5), title: 'A, or "B"' }, row(null, null)];
  assert.equal(toCsv(rows, ["deletion"]), "method,deletion,milliseconds\na,0.5,12\nrandom,,12\n");
});

test("a paper is cited by its first author and its year", () => {
  assert.equal(cited("Petsiuk, Das, Saenko: RISE (2018)"), "Petsiuk et al. 2018");
  assert.equal(cited("Rong, Leemann: Evaluation Strategy (ROAD, 2022)"), "Rong et al. 2022");
  assert.equal(cited("AXAI: Explanations via Adversarial Attacks (2021), appendix B"), "AXAI 2021");
  assert.equal(cited("Somebody"), "Somebody");
});

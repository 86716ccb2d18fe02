import assert from "node:assert/strict";
import test from "node:test";

import type { MethodDescription, ParamDescription } from "adversight";
import {
  classesParam,
  classList,
  findClass,
  isPaper,
  isQuick,
  paperCost,
  paperParams,
  quickParams,
  sameParams,
  sameQuestion,
  sliderScale,
  startingParams,
} from "./settings.js";

const param = (
  name: string,
  value: unknown,
  kind: ParamDescription["kind"] = "integer",
): ParamDescription => ({
  name,
  title: name,
  description: "",
  kind,
  default: value,
});
const method = (
  name: string,
  params: ParamDescription[],
  quick: Partial<MethodDescription> = {},
): MethodDescription => ({
  name,
  title: name,
  summary: "",
  paper: "",
  needs: ["gradient"],
  display: "",
  anytime: "no",
  cost: { forward: 1, backward: 1 },
  params,
  ...quick,
});
const agi = method("agi", [param("samples", 20), param("steps", 20), param("classes", [], "classes")], {
  cost: { forward: 801, backward: 800 },
  quick: { samples: 3, steps: 10 },
  quick_cost: { forward: 61, backward: 60 },
});
const saliency = method("saliency", [param("score", "logit", "choice")]);

test("on a processor a method starts with its quick settings, on a GPU with the paper's", () => {
  assert.deepEqual(startingParams(agi, "cpu"), { samples: 3, steps: 10, classes: [] });
  assert.deepEqual(startingParams(agi, "webgpu"), { samples: 20, steps: 20, classes: [] });
  assert.deepEqual(startingParams(saliency, "cpu"), paperParams(saliency));
});

test("a method that is quick as it is has no quick settings", () => {
  assert.equal(quickParams(method("agi", [])), null);
  assert.equal(quickParams(saliency), null);
});

test("the paper's and the quick settings are known whatever the classes, and what they cost", () => {
  const paper = paperParams(agi);
  assert.ok(isPaper(agi, { ...paper, classes: [3] }));
  assert.ok(!isPaper(agi, { ...paper, steps: 10 }));
  assert.ok(isQuick(agi, { samples: 3, steps: 10, classes: [3] }));
  assert.ok(!isQuick(agi, paper));
  assert.ok(!isQuick(saliency, paperParams(saliency)));
  assert.equal(Math.round(paperCost(agi, { samples: 3, steps: 10, classes: [] })), 13);
  assert.equal(paperCost(agi, paper), 1);
  assert.equal(paperCost(saliency, {}), 1);
  const occlusion = method("occlusion", [param("window", 15), param("stride", 8)], {
    cost: { forward: 785, backward: 0 },
    quick: { stride: 15 },
    quick_cost: { forward: 226, backward: 0 },
  });
  const found = paperCost(occlusion, { window: 15, stride: 16 });
  assert.ok(Math.abs(found - 2 ** (Math.log(785 / 226) / Math.log(15 / 8))) < 1e-9, "in both directions");
});

test("settings are compared by what they hold", () => {
  assert.ok(sameParams({ a: 1, b: [2] }, { b: [2], a: 1 }));
  assert.ok(!sameParams({ a: 1, b: [2] }, { a: 1, b: [3] }));
  const question = { method: "agi", params: { a: 1 }, target: null };
  assert.ok(sameQuestion(question, { ...question, params: { a: 1 } }));
  assert.ok(!sameQuestion(question, { ...question, target: 3 }));
});

test("the setting that lists classes is found by its kind", () => {
  assert.equal(classesParam(agi)?.name, "classes");
  assert.equal(classesParam(saliency), undefined);
  assert.deepEqual(classList([1, 2]), [1, 2]);
  assert.deepEqual(classList(null), []);
});

test("a class is found by its number, its name, or the beginning of its name", () => {
  const labels = ["tench", "tabby cat", "tabby", "Persian cat"];
  assert.equal(findClass("3", labels), 3);
  assert.equal(findClass("4", labels), null);
  assert.equal(findClass(" TABBY ", labels), 2, "the whole name goes before a longer one");
  assert.equal(findClass("pers", labels), 3);
  assert.equal(findClass("dog", labels), null);
  assert.equal(findClass("", labels), null);
});

test("a slider has the paper's value in its middle and the limits at its ends", () => {
  const scale = sliderScale({ ...param("steps", 20), minimum: 1, maximum: 1000 });
  assert.ok(scale);
  assert.deepEqual([0, 0.5, 1].map(scale.value), [1, 20, 1000]);
  assert.ok(Math.abs(scale.place(20) - 0.5) < 1e-9);
  assert.deepEqual([scale.place(1), scale.place(1000)], [0, 1]);
  const size = sliderScale({ ...param("step_size", 0.05, "number"), minimum: 0, maximum: 1 });
  assert.deepEqual(
    [0, 0.5, 1].map((place) => size?.value(place)),
    [0, 0.05, 1],
  );
  assert.equal(sliderScale(param("steps", 20)), null);
});

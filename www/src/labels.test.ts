import assert from "node:assert/strict";
import test from "node:test";

import { fitLabels, LabelError, labelsFromJson, labelsFromText } from "./labels.js";

test("names come from a list, by number, by Keras's index, by name, and from a config.json", () => {
  const names = ["tench", "goldfish"];
  assert.deepEqual(labelsFromJson(names), { names, from: null });
  assert.deepEqual(labelsFromJson({ 1: "goldfish", 0: "tench" }), { names, from: 0 });
  assert.deepEqual(labelsFromJson({ 0: ["n01440764", "tench"], 1: ["n01443537", "goldfish"] }).names, names);
  assert.deepEqual(labelsFromJson({ tench: 0, goldfish: 1 }), { names, from: 0 });
  assert.deepEqual(
    labelsFromJson({ model_type: "vit", id2label: { 0: "tench", 1: "goldfish" } }).names,
    names,
  );
  const objects = (from: number) => names.map((name, i) => ({ id: i + from, name }));
  assert.deepEqual(labelsFromJson(objects(0)), { names, from: 0 });
  assert.deepEqual(labelsFromJson(objects(1)), { names, from: 1 });
  assert.deepEqual(labelsFromJson(objects(7)), { names, from: null });
  assert.deepEqual(labelsFromJson({ 1: "tench", 2: "goldfish" }), { names, from: 1 });
});

test("a list with a gap, or of something else, is refused", () => {
  assert.throws(() => labelsFromJson({ 0: "tench", 2: "shark" }), LabelError);
  assert.throws(() => labelsFromJson({ 2: "tench", 3: "shark" }), LabelError);
  assert.throws(() => labelsFromJson({ a: "tench", 1: "shark" }), LabelError);
  assert.throws(() => labelsFromJson([1, 2]), LabelError);
  assert.throws(() => labelsFromJson("tench"), LabelError);
  assert.throws(() => labelsFromText("\n"), LabelError);
});

test("names come from text, one a line, without its number or WordNet id", () => {
  const names = ["tench", "great white shark"];
  for (const text of [
    "tench\ngreat white shark\n",
    "\uFEFFtench\r\ngreat white shark\r\n\r\n",
    "0: tench\n1: great white shark",
    "1 tench\n2 great white shark",
    "n01440764 tench\nn01484850 great white shark",
  ]) {
    assert.deepEqual(labelsFromText(text).names, names, JSON.stringify(text));
  }
  assert.deepEqual(labelsFromText("0\n1\n2").names, ["0", "1", "2"], "digits may be names");
  assert.deepEqual(labelsFromText("a\n\nc").names, ["a", "", "c"], "an empty line is a class without a name");
  assert.equal(labelsFromText("1 tench\n2 shark").from, 1);
  assert.equal(labelsFromText("0 tench\n1 shark").from, 0);
  assert.equal(labelsFromText("tench\nshark").from, null);
});

test("as many names as classes fit, and no other number", () => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => `thing ${i + 1}`);
  const uncounted = (count: number) => ({ names: names(count), from: null });
  assert.deepEqual(fitLabels(uncounted(20), 20), names(20));
  assert.equal(fitLabels(uncounted(19), 20), null, "one is missing, and nobody knows which");
  assert.equal(fitLabels(uncounted(21), 20), null);
  assert.equal(fitLabels(uncounted(999), 1000), null);
  assert.equal(fitLabels(uncounted(1), 2), null);
});

test("names begin at class 1 for ImageNet's 1001 classes, and where the list counts from 1", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `thing ${i}`);
  assert.deepEqual(fitLabels({ names, from: null }, 1001), ["background", ...names]);
  assert.equal(fitLabels({ names, from: 0 }, 1001), null, "the list says that its first name is class 0");
  const two = ["cat", "dog"];
  assert.deepEqual(fitLabels({ names: two, from: 1 }, 3), ["background", ...two]);
  assert.deepEqual(fitLabels({ names: two, from: 1 }, 2), two);
  assert.equal(fitLabels({ names: two, from: 1 }, 4), null);
});

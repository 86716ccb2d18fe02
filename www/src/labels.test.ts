import assert from "node:assert/strict";
import test from "node:test";

import { fitLabels, LabelError, labelsFromJson, labelsFromText } from "./labels.js";

test("names come from a list, by number, by Keras's index, by name, and from a config.json", () => {
  const names = ["tench", "goldfish"];
  assert.deepEqual(labelsFromJson(names), names);
  assert.deepEqual(labelsFromJson({ 1: "goldfish", 0: "tench" }), names);
  assert.deepEqual(labelsFromJson({ 0: ["n01440764", "tench"], 1: ["n01443537", "goldfish"] }), names);
  assert.deepEqual(labelsFromJson({ tench: 0, goldfish: 1 }), names);
  assert.deepEqual(labelsFromJson({ model_type: "vit", id2label: { 0: "tench", 1: "goldfish" } }), names);
  assert.deepEqual(labelsFromJson([{ id: 0, name: "tench" }, { id: 1, name: "goldfish" }]), names); // prettier-ignore
});

test("a list with a gap, or of something else, is refused", () => {
  assert.throws(() => labelsFromJson({ 0: "tench", 2: "shark" }), LabelError);
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
    assert.deepEqual(labelsFromText(text), names, JSON.stringify(text));
  }
  assert.deepEqual(labelsFromText("0\n1\n2"), ["0", "1", "2"], "digits may be names");
  assert.deepEqual(labelsFromText("a\n\nc"), ["a", "", "c"], "an empty line is a class without a name");
});

test("1000 names fit 1001 classes, whose first is the background, and no other number", () => {
  assert.deepEqual(fitLabels(["a", "b"], 2), ["a", "b"]);
  assert.deepEqual(fitLabels(["a", "b"], 3), ["background", "a", "b"]);
  assert.equal(fitLabels(["a", "b"], 4), null);
});

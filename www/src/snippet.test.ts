import assert from "node:assert/strict";
import test from "node:test";

import type { ValueInfo } from "adversight";
import { manyPlaces, otherKind } from "./report.js";
import { otherSnippet, placesSnippet } from "./snippet.js";

const value = (name: string, shape: (number | null)[], elementType = "float32"): ValueInfo => ({
  name,
  shape,
  symbols: shape.map(() => null),
  elementType,
});
const report = (...inputs: ValueInfo[]) => ({ inputs, outputs: [value("output", [1, 2])] });

const bert = report(
  value("input_ids", [null, null], "int64"),
  value("attention_mask", [null, null], "int64"),
);
const silero = report(value("input", [null, null]), value("state", [2, null, 128]), value("sr", [], "int64"));
const rows = report(value("X", [null, 4]));

test("networks are told apart by their inputs", () => {
  assert.equal(otherKind(bert), "words");
  assert.equal(otherKind(silero), "sounds");
  assert.equal(otherKind(rows), "numbers");
  assert.equal(otherKind(report(value("bytes", [1, 2048], "int32"))), "numbers");
  assert.equal(otherKind(report(value("x", [1, 64], "int64"))), "words");
  assert.equal(otherKind(report(value("input_features", [1, 80, 3000]))), "sounds");
  assert.equal(otherKind(report(value("x", [1, 3, 24, 24]), value("age", [1, 1]))), null);
  assert.equal(otherKind(report(value("x", [1, 24, 24, 3], "uint8"))), null);
});

test("an output with scores at several places is no list of classes", () => {
  for (const shape of [[1, 10], [null, 10, 1, 1], [1, 1, 10], [1, 1], [], [null]]) {
    assert.ok(!manyPlaces({ shape }), JSON.stringify(shape));
  }
  for (const shape of [
    [1, 22, 1029],
    [1, 2, 40, 40],
    [null, null, null],
    [1, 21, null, null],
  ]) {
    assert.ok(manyPlaces({ shape }), JSON.stringify(shape));
  }
});

test("the lines for a network of sounds name its inputs, with values of their shapes and types", () => {
  assert.equal(
    otherSnippet({ file: "silero_vad.onnx", report: silero }, "sounds"),
    `import { createEngine } from "adversight";

const engine = await createEngine();
const model = await engine.loadModel({
  onnx: "silero_vad.onnx",
  input: "input",
  inputs: {
    state: { data: new Float32Array(256), shape: [2, 1, 128] },
    sr: { data: BigInt64Array.of(16000n), shape: [] },
  },
});
const input = { data: new Float32Array(16000), shape: [1, 16000] };
const { attribution, words } = await model.explain(input, {
  method: "integrated_gradients",
});`,
  );
});

test("the lines for a network of words explain at a node, and its mask is of ones", () => {
  const lines = otherSnippet({ file: "bert.onnx", report: bert }, "words");
  assert.match(lines, /at: "…"/);
  assert.match(lines, /input_ids: \{ data: new BigInt64Array\(16\), shape: \[1, 16\] \}/);
  assert.match(lines, /attention_mask: \{ data: new BigInt64Array\(16\)\.fill\(1n\), shape: \[1, 16\] \}/);
  assert.match(lines, /explain\(null,/);
});

test("the lines for one input of numbers need no names", () => {
  const lines = otherSnippet({ file: "iris.onnx", report: rows }, "numbers");
  assert.doesNotMatch(lines, /inputs?:/);
  assert.match(lines, /const input = \{ data: new Float32Array\(4\), shape: \[1, 4\] \}/);
});

test("one of several places is counted row by row", () => {
  const output = value("output0", [1, 22, 1029]);
  const lines = placesSnippet({ file: "boxes.onnx", report: rows }, output, true);
  assert.match(lines, /output: "output0"/);
  assert.match(lines, /const \[i, j\] = \[0, 0\];\nconst target = i \* 1029 \+ j;/);
  const pixels = placesSnippet({ file: "a.onnx", report: rows }, value("mask", [1, 21, null, 40]), false);
  assert.match(pixels, /const target = \(i \* size2 \+ j\) \* 40 \+ k;/);
  assert.doesNotMatch(pixels, /output:/);
});

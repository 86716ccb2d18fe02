import assert from "node:assert/strict";
import test from "node:test";

import type { ModelReport } from "adversight";
import { channelsLast, classesOf, openAxes, pictureAxes, pictureInputs, shapeText } from "./report.js";

const value = (shape: (number | null)[], elementType = "float32", name = "x") => ({
  name,
  shape,
  symbols: shape.map((): string | null => null),
  elementType,
});

test("a picture has 1 or 3 channels, before its height and width", () => {
  assert.deepEqual(pictureAxes(value([null, 3, 224, 224])), { height: 2, width: 3, channels: 3 });
  assert.deepEqual(pictureAxes(value([1, 1, 28, 28])), { height: 2, width: 3, channels: 1 });
  assert.deepEqual(pictureAxes(value([null, null, null, null])), { height: 2, width: 3, channels: 3 });
  assert.equal(pictureAxes(value([null, 128])), null);
  assert.equal(pictureAxes(value([1, 512, 13, 13])), null);
  assert.ok(!channelsLast([null, 3, 224, 3]));
});

test("a picture of Keras has its channels last", () => {
  assert.deepEqual(pictureAxes(value([null, 224, 200, 3])), { height: 1, width: 2, channels: 3 });
  assert.deepEqual(pictureAxes(value([1, null, null, 1])), { height: 1, width: 2, channels: 1 });
});

test("inputs of other types are no pictures", () => {
  const inputs = [
    value([1, 3, 8, 8], "int64", "ids"),
    value([1, 3, 8, 8], "float16", "pixels"),
    value([1, 8]),
  ];
  assert.deepEqual(
    pictureInputs({ inputs } as ModelReport).map(({ name }) => name),
    ["pixels"],
  );
});

test("the batch is never an open size, and classes are what an output holds for a sample", () => {
  assert.deepEqual(openAxes(value([null, 3, null, 8])), [2]);
  assert.equal(classesOf(value([null, 1000])), 1000);
  assert.equal(classesOf(value([null, 10, 1, 1])), 10);
  assert.equal(classesOf(value([null, null])), null);
});

test("a shape is written with the names that the file gives to open sizes", () => {
  assert.equal(shapeText(value([])), "a single value");
  assert.equal(shapeText(value([null, 3, 8])), "any × 3 × 8");
  assert.equal(
    shapeText({ shape: [null, 3, null], symbols: ["batch", null, "height"] }),
    "batch × 3 × height",
  );
});

import assert from "node:assert/strict";
import test from "node:test";

import { capitalised, figure, midSentence, percent, seconds } from "./format.js";

test("percentages are never rounded to nothing or to certainty", () => {
  const shares = [0, 0.0004, 0.012, 0.0994, 0.0996, 0.58, 0.994, 0.9999, 1];
  const shown = shares.map((share) => percent(share).replaceAll("\u00a0", " "));
  assert.deepEqual(shown, ["0%", "< 0.1%", "1.2%", "9.9%", "10%", "58%", "99%", "> 99%", "100%"]);
});

test("times have the precision that people use", () => {
  assert.deepEqual([118.4, 2400, 31_240].map(seconds), ["118 ms", "2.4 s", "31 s"]);
});

test("figures have three digits, and an exponent only where they need one", () => {
  assert.deepEqual([0, 0.05, -1.23456, 0.00001234, 20].map(figure), ["0", "0.05", "-1.23", "1.23e-5", "20"]);
});

test("names are capitalised", () => {
  assert.deepEqual(["magma", ""].map(capitalised), ["Magma", ""]);
});

test("within a sentence a title begins small, unless it is a name", () => {
  assert.equal(midSentence("Adversarial gradient integration"), "adversarial gradient integration");
  assert.equal(midSentence("SmoothGrad"), "SmoothGrad");
  assert.equal(midSentence("AGI"), "AGI");
});

import assert from "node:assert/strict";
import test from "node:test";

import { entropyShare, looksLikeNoise, mostlyTheSame } from "./noise.js";

const even = (classes: number) => Array<number>(classes).fill(1 / classes);
/** One class with this probability, the rest alike. */
const peak = (classes: number, probability: number) =>
  even(classes).map((_, i) => (i === 0 ? probability : (1 - probability) / (classes - 1)));
const score = (index: number) => ({ index, label: `class ${index}`, probability: 0.9, logit: 5 });

test("the entropy of certainty is 0, that of chance 1, whatever the number of classes", () => {
  assert.equal(entropyShare([1, 0, 0]), 0);
  for (const classes of [2, 10, 1000]) assert.ok(Math.abs(entropyShare(even(classes)) - 1) < 1e-9);
  assert.ok(Math.abs(entropyShare([0.5, 0.5, 0, 0]) - 0.5) < 1e-9);
});

test("chance is noise, a usual answer is none", () => {
  assert.match(looksLikeNoise(even(1000)) ?? "", /chance/);
  assert.match(looksLikeNoise(peak(1000, 0.05)) ?? "", /chance/);
  assert.equal(looksLikeNoise(peak(1000, 0.4)), null);
  assert.equal(looksLikeNoise([0.8, 0.2]), null);
  assert.match(looksLikeNoise([0.6, 0.4]) ?? "", /chance/);
});

test("a best answer with hardly more than its fair share is noise too", () => {
  // 400 of 1000 classes share everything alike: the entropy is far from chance.
  const few = Array.from({ length: 1000 }, (_, i) => (i < 400 ? 1 / 400 : 0));
  assert.ok(entropyShare(few) < 0.9);
  assert.match(looksLikeNoise(few) ?? "", /one in 1000/);
  const tenth = Array.from({ length: 1000 }, (_, i) => (i < 100 ? 1 / 100 : 0));
  assert.equal(looksLikeNoise(tenth), null);
});

test("numbers that do not share out a whole are not judged", () => {
  assert.equal(looksLikeNoise([0.5, 0.5, 0.5]), null);
  assert.equal(looksLikeNoise([1]), null);
});

test("one answer to most of very different pictures is noise where there are many classes", () => {
  const answers = (...indices: number[]) => indices.map(score);
  assert.match(mostlyTheSame(answers(7, 7, 7, 7), 10) ?? "", /4 very different pictures, all .* “class 7”/);
  assert.equal(mostlyTheSame(answers(7, 7, 7, 3), 10), null, "ten classes may hold most of them");
  assert.match(mostlyTheSame(answers(3, 7, 7, 7, 7, 7), 1000) ?? "", /Of 6 .* 5 get .* “class 7”/);
  assert.equal(mostlyTheSame(answers(7, 7, 7, 1, 2, 3), 1000), null, "half is not most");
  assert.equal(mostlyTheSame(answers(7, 7, 7), 1000), null, "three are too few");
  assert.equal(mostlyTheSame(answers(7, 7, 7, 7), 2), null, "of two classes none need be wrong");
});

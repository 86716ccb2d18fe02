import assert from "node:assert/strict";
import { test } from "node:test";
import { isText, sentText, tokensOf } from "./texts.js";
import { AdversightError } from "./errors.js";
import { largestScore, rankedWords, shareOf, stretches, wordColour } from "./words.js";
import type { Part } from "./wasm/adversight.js";

const part = (name: string, start: number, end: number, score: number, more: Partial<Part> = {}): Part => ({
  name,
  source: 0,
  start,
  end,
  bytes: null,
  low: null,
  high: null,
  score,
  special: false,
  places: [],
  ...more,
});

const text = "so 🎬 dull, dull";
const explanation = {
  texts: [text],
  parts: [
    part("so", 0, 2, 0.25),
    part("🎬", 3, 5, 0),
    part("dull", 6, 10, -1),
    part(",", 10, 11, 0),
    part("dull", 12, 16, 0.75),
    part("[CLS]", 0, 0, 9, { special: true }),
  ],
};

test("a text is its words and what stands between them", () => {
  const found = stretches(explanation, 0);
  assert.equal(found.map((stretch) => stretch.text).join(""), text);
  assert.deepEqual(
    found.filter((stretch) => stretch.part !== null).map((stretch) => stretch.text),
    ["so", "🎬", "dull", ",", "dull"],
  );
  assert.deepEqual(stretches(explanation, 1), []);
});

test("words that lie over each other are shown once", () => {
  const over = { texts: ["abcd"], parts: [part("abc", 0, 3, 1), part("bcd", 1, 4, 1), part("b", 1, 2, 1)] };
  assert.equal(
    stretches(over, 0)
      .map((stretch) => stretch.text)
      .join("|"),
    "abc|d",
  );
});

test("what the tokenizer adds counts for no share", () => {
  assert.equal(largestScore(explanation), 1);
  assert.equal(shareOf(explanation, -1), 0.5);
  assert.equal(shareOf({ parts: [] }, 1), 0);
  assert.deepEqual(
    rankedWords(explanation, 2).map(({ score }) => score),
    [-1, 0.75],
  );
});

test("the sign chooses the colour and the size its strength", () => {
  assert.equal(wordColour(0, 1), "rgb(230 97 1 / 0.000)");
  assert.equal(wordColour(1, 1), "rgb(230 97 1 / 0.850)");
  assert.equal(wordColour(-2, 1), "rgb(146 118 214 / 0.850)");
  assert.equal(wordColour(1, 0), "rgb(230 97 1 / 0.000)");
});

test("texts are told from all else, and need a tokenizer", () => {
  assert.ok(isText("") && isText(["a", "b"]));
  assert.ok(!isText(["a"]) && !isText([1, 2]) && !isText(null) && !isText({ text: "a" }));
  assert.deepEqual(sentText(["a", "b"]), { text: "a", pair: "b" });
  assert.throws(
    () => tokensOf(undefined, { text: "a" }),
    (error: unknown) => {
      return (
        error instanceof AdversightError &&
        error.code === "input_invalid" &&
        error.message.includes("tokenizer")
      );
    },
  );
});

import assert from "node:assert/strict";
import test from "node:test";

import type { Part } from "adversight";
import { partsOfWritten, toggled, without, type Written } from "./struck.js";

const text = "a long, unfunny film";
const range = (word: string) => [text.indexOf(word), text.indexOf(word) + word.length] as const;
const written = (...words: string[]): Written => ({ text, struck: words.map(range) });

test("a word goes with the space beside it", () => {
  assert.equal(without(written()), text);
  assert.equal(without(written("unfunny")), "a long, film");
  assert.equal(without(written("film")), "a long, unfunny");
  assert.equal(without(written("long")), "a , unfunny film", "but not with a mark");
  assert.equal(without(written("unfunny", "film")), "a long,");
  assert.equal(without({ text, struck: [[0, text.length]] }), "");
});

test("what is left stands where it was written, in whatever order words are struck out", () => {
  const asked = written("film", "unfunny", "a");
  const left = without(asked);
  assert.equal(left, "long,");
  const part = (name: string): Part => ({
    name,
    source: 0,
    start: left.indexOf(name),
    end: left.indexOf(name) + name.length,
    bytes: null,
    low: null,
    high: null,
    score: 1,
    special: false,
    places: [0],
  });
  const { parts, gone } = partsOfWritten(asked, [part("long"), part(",")]);
  assert.deepEqual(
    parts.map(({ start, end }) => text.slice(start, end)),
    ["long", ",", "film", "unfunny", "a"],
  );
  assert.deepEqual([...gone], [2, 3, 4]);
});

test("striking out twice brings back", () => {
  const once = toggled(written(), range("film"));
  assert.deepEqual(once.struck, [range("film")]);
  assert.deepEqual(toggled(once, range("film")).struck, []);
});

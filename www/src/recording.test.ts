import assert from "node:assert/strict";
import test from "node:test";

import { loudest } from "./recording.js";

/** Silence with a word in it. */
const recording = (length: number, from: number, to: number) =>
  Float32Array.from({ length }, (_, at) => (at >= from && at < to ? Math.sin(at) : 0.001 * Math.cos(at)));

test("of a recording the stretch is heard in which somebody speaks, the word in its middle", () => {
  const samples = recording(3000, 1900, 2300);
  const found = loudest(samples, 1000);
  assert.equal(found.length, 1000);
  const start = (found.byteOffset - samples.byteOffset) / 4;
  assert.ok(Math.abs(start - 1600) < 30, `${start}`);
});

test("a word at the very end or the very beginning is not cut", () => {
  for (const [from, to, expected] of [
    [2800, 3000, 2000],
    [0, 200, 0],
  ] as const) {
    const samples = recording(3000, from, to);
    const found = loudest(samples, 1000);
    assert.equal((found.byteOffset - samples.byteOffset) / 4, expected);
  }
});

test("what is short stays as it is, and silence is no error", () => {
  const short = recording(500, 100, 200);
  assert.equal(loudest(short, 1000), short);
  assert.equal(loudest(new Float32Array(3000), 1000).length, 1000);
});

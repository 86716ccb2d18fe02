import assert from "node:assert/strict";
import test from "node:test";

import type { ModelInfo } from "adversight";
import { assumptions, toldOf } from "./told.js";

const info = (fields: object) => ({ classes: 10, ...fields }) as unknown as ModelInfo;

test("what the engine has guessed and assumed is told in its order", () => {
  const told = info({
    notes: ["Its axes are taken as height, width, channels; option layout changes it."],
    preprocessingNotes: ["No size is declared."],
    filled: [{ name: "state", rule: "zeros, as at the beginning" }],
  });
  assert.deepEqual(assumptions(told), [
    "Its axes are taken as height, width, channels; option layout changes it.",
    "No size is declared.",
    "Input “state”: zeros, as at the beginning.",
  ]);
});

test("an engine that tells nothing has guessed nothing", () => {
  assert.deepEqual(assumptions(info({})), []);
  assert.ok(!toldOf(info({})).single && !toldOf(info({})).perPosition);
});

test("one number is no class, and places are told by the engine", () => {
  assert.ok(toldOf(info({ classes: 1 })).single);
  assert.ok(toldOf(info({ outputKind: "single" })).single);
  assert.ok(toldOf(info({ outputKind: "per_position" })).perPosition);
  assert.deepEqual(toldOf(info({ filled: ["mask"] })).filled, [{ name: "mask", rule: "filled by a rule" }]);
});

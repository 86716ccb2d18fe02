import assert from "node:assert/strict";
import test from "node:test";

import type { ModelInfo } from "adversight";
import { assumptions, filledBy, hasPositions, isSingle } from "./told.js";

const info = (fields: Partial<ModelInfo>) =>
  ({ notes: [], preprocessingNotes: [], outputKind: "classes", ...fields }) as unknown as ModelInfo;

test("what was guessed and assumed is told in the engine's order", () => {
  const axes =
    "Its axes [16, 16, 4] are taken for rows, columns and channels; the option `layout` says otherwise.";
  const told = info({ notes: [axes], preprocessingNotes: ["No size is declared."] });
  assert.deepEqual(assumptions(told), [axes, "No size is declared."]);
  assert.deepEqual(assumptions(info({})), []);
});

test("the rule that fills an input is found by the input's name", () => {
  const rule =
    'Its input "state" is filled with zeros: the state before the first step, where no other value is given for it.';
  assert.equal(filledBy(info({ notes: ["Something else.", rule] }), "state"), rule);
  assert.equal(filledBy(info({ notes: [rule] }), "sr"), null);
});

test("one number and scores at several positions are no list of classes", () => {
  assert.ok(isSingle(info({ outputKind: "single" })) && !isSingle(info({})));
  assert.ok(hasPositions(info({ outputKind: "positions" })) && !hasPositions(info({})));
});

import assert from "node:assert/strict";
import test from "node:test";

import { Changes, type Change } from "./changes.js";

const change = (): Change => ({ make: () => Promise.reject(new Error("not asked for")), answer: null });

test("changes are undone and redone, and a new one forgets those that were undone", () => {
  const changes = new Changes();
  const [first, second, third] = [change(), change(), change()];
  changes.begin(first);
  assert.deepEqual([changes.canUndo, changes.canRedo], [false, false]);
  changes.add(second);
  assert.equal(changes.go(-1), first);
  assert.equal(changes.go(-1), undefined);
  assert.equal(changes.go(1), second);
  changes.go(-1);
  changes.add(third);
  assert.equal(changes.canRedo, false);
  assert.equal(changes.go(-1), first);
});

test("of very many changes, what was given at first is kept", () => {
  const changes = new Changes();
  const first = change();
  changes.begin(first);
  for (let i = 0; i < 300; i++) changes.add(change());
  while (changes.go(-1));
  assert.equal(changes.now, first);
});

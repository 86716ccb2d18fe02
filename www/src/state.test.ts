import assert from "node:assert/strict";
import test from "node:test";

import { Store } from "./state.js";

test("a watcher is told at once, and then only of the fields that it watches", () => {
  const store = new Store({ a: 1, b: 1 });
  const told: number[] = [];
  store.watch(["a"], ({ a }) => told.push(a));
  store.set({ b: 2 });
  store.set({ a: 1 });
  store.set({ a: 2, b: 3 });
  assert.deepEqual(told, [1, 2]);
  assert.deepEqual(store.state, { a: 2, b: 3 });
});

test("a watcher may change the state, and every other one sees the newest", () => {
  const store = new Store({ a: 1, b: 1 });
  const seen: number[] = [];
  store.watch(["a"], ({ a, b }) => {
    if (b !== a) store.set({ b: a });
  });
  store.watch(["b"], ({ b }) => seen.push(b));
  store.set({ a: 5 });
  assert.equal(store.state.b, 5);
  assert.deepEqual(seen, [1, 5]);
});

import assert from "node:assert/strict";
import test from "node:test";
import { threadsHere, type Scope } from "./threads.js";

/** What a worker of a page that is cross-origin isolated sees. */
const isolated = {
  crossOriginIsolated: true,
  SharedArrayBuffer,
  Atomics: { waitAsync: () => undefined },
  navigator: { hardwareConcurrency: 4 },
};
const threads = (scope: Scope, wanted?: number) => threadsHere(wanted, scope);

test("there are as many threads as processors, up to eight, or as many as are wanted", () => {
  assert.equal(threads(isolated), 4);
  assert.equal(threads({ ...isolated, navigator: { hardwareConcurrency: 64 } }), 8);
  assert.equal(threads(isolated, 1), 1);
  assert.equal(threads(isolated, 12), 12);
});

test("there is one thread where memory cannot be shared or a thread may not wait", () => {
  assert.equal(threads({ ...isolated, crossOriginIsolated: false }, 4), 1);
  assert.equal(threads({ ...isolated, SharedArrayBuffer: undefined }, 4), 1);
  assert.equal(threads({ ...isolated, Atomics: {} }, 4), 1);
  assert.equal(threads(Object.assign({}, isolated, { document: {} }), 4), 1);
});

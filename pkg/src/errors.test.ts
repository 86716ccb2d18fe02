import assert from "node:assert/strict";
import test from "node:test";

import { AdversightError, asAdversightError, fromRecord, isFatal, toRecord } from "./errors.js";

test("an error keeps its code and its node across the boundary", () => {
  const error = new AdversightError("model_unsupported", 'Node "a" uses Einsum.', { node: "a" });
  const copy = fromRecord(structuredClone(toRecord(error)));
  assert.ok(copy instanceof AdversightError);
  assert.equal(copy.name, "AdversightError");
  assert.equal(copy.code, "model_unsupported");
  assert.equal(copy.node, "a");
  assert.equal(copy.message, 'Node "a" uses Einsum.');
  assert.match(String(copy.cause), /errors\.test/, "the other side's stack is kept");
});

test("an error of the engine, which is a plain Error with a code, becomes an AdversightError", () => {
  const thrown = Object.assign(new Error("Class 1000 is out of range."), { code: "target_out_of_range" });
  const error = asAdversightError(thrown);
  assert.equal(error.code, "target_out_of_range");
  assert.equal(error.node, undefined);
  assert.equal(error.cause, thrown);
});

test("what carries no known code is internal", () => {
  assert.equal(asAdversightError(new TypeError("x is undefined")).code, "internal");
  assert.equal(asAdversightError(Object.assign(new Error("?"), { code: "ENOENT" })).code, "internal");
  assert.equal(asAdversightError("a string").message, "a string");
});

test("a trap and an overflown stack are fatal, other errors are not", () => {
  const overflow = (): number => overflow() + 1;
  assert.throws(overflow, isFatal);
  assert.ok(isFatal(new WebAssembly.RuntimeError("unreachable")));
  assert.ok(!isFatal(new RangeError("Invalid array length")));
  assert.ok(!isFatal(new AdversightError("internal", "unreachable")));
  assert.ok(!isFatal("unreachable"));
});

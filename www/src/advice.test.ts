import assert from "node:assert/strict";
import test from "node:test";

import { AdversightError, errorCodes } from "adversight";
import { cameraProblem, problemOf } from "./advice.js";

test("every code of the engine has a title that is a sentence, and keeps the engine's message", () => {
  for (const code of errorCodes) {
    const problem = problemOf(new AdversightError(code, "What happened."));
    assert.match(problem.title, /^[A-Z].*\.$/);
    assert.equal(problem.message, "What happened.");
  }
});

test("a dead engine can be started again, a bad picture needs another picture", () => {
  assert.equal(problemOf(new AdversightError("engine_failed", "")).remedy, "restart");
  assert.equal(problemOf(new AdversightError("device_lost", "")).remedy, "restart");
  assert.equal(problemOf(new AdversightError("input_invalid", "")).remedy, null);
  assert.equal(problemOf(new TypeError("x is not a function")).remedy, "retry");
});

test("a camera that was not allowed is told apart from one that is missing", () => {
  assert.match(cameraProblem(new DOMException("", "NotAllowedError")).message, /Allow it/);
  assert.match(cameraProblem(new DOMException("", "NotFoundError")).message, /No camera/);
  assert.match(cameraProblem("?").message, /Choose a file/);
});

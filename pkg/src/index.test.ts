import assert from "node:assert/strict";
import test from "node:test";

test("importing the package and its element on a server does nothing and does not fail", async () => {
  const before = Object.keys(globalThis);
  const { createEngine } = await import("./index.js");
  const { define } = await import("./element.js");
  define();
  assert.deepEqual(Object.keys(globalThis), before);
  await assert.rejects(createEngine(), { name: "AdversightError", code: "device_unavailable" });
});

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

test("the entry for the CPU has the same functions, and starts no engine on a server either", async () => {
  const index = Object.keys(await import("./index.js")).sort();
  const cpu = await import("./cpu.js");
  assert.ok(index.includes("createEngine") && index.includes("modelCache"));
  assert.deepEqual(Object.keys(cpu).sort(), index);
  await assert.rejects(cpu.createEngine(), { code: "device_unavailable" });
});

import assert from "node:assert/strict";
import test from "node:test";
import { AdversightError } from "./errors.js";
import { guardLoss, type EngineEvent } from "./failover.js";
import type { DeviceReport } from "./wasm/adversight.js";

const cpu = { kind: "cpu" } as DeviceReport;

function watch() {
  const told: EngineEvent[] = [];
  const ended: AdversightError[] = [];
  const guard = guardLoss(
    (event) => told.push(event),
    (error) => ended.push(error),
  );
  return { guard, told, ended };
}

test("a call under which the device is lost is made again on the CPU, and all is told", async () => {
  for (const how of ["rejects", "hangs", "traps", "gives nonsense"]) {
    const { guard, told, ended } = watch();
    let onCpu = false;
    guard.arm(() => {
      onCpu = true;
      return Promise.resolve(cpu);
    });
    const made: boolean[] = [];
    const value = await guard.run(() => {
      made.push(onCpu);
      if (onCpu) return Promise.resolve("right");
      setTimeout(() => {
        guard.lose("gone.");
      }, 1);
      if (how === "rejects") return Promise.reject(new AdversightError("device_lost", "gone"));
      if (how === "traps") return Promise.reject(new WebAssembly.RuntimeError("unreachable"));
      if (how === "hangs") return new Promise<string>(() => undefined);
      guard.lose("gone.");
      return Promise.resolve("nonsense");
    });
    assert.equal(value, "right", how);
    assert.deepEqual(made, [false, true]);
    assert.deepEqual(
      told.map(({ type }) => type),
      ["lost", "device"],
    );
    assert.deepEqual(ended, []);
    assert.equal(await guard.run(() => Promise.resolve("later")), "later");
  }
});

test("where nothing else was asked for, a loss ends the engine, once", async () => {
  const { guard, told, ended } = watch();
  guard.arm(null);
  const running = guard.run(() => new Promise(() => undefined));
  guard.lose("gone.");
  guard.lose("again.");
  await assert.rejects(running, { code: "device_lost" });
  await assert.rejects(
    guard.run(() => Promise.resolve()),
    { code: "device_lost" },
  );
  assert.deepEqual(told, []);
  assert.equal(ended.length, 1);
});

test("an error that is no loss stays what it is, and a trap without a loss is the engine's end", async () => {
  const { guard, ended } = watch();
  guard.arm(() => Promise.resolve(cpu));
  await assert.rejects(
    guard.run(() => Promise.reject(new AdversightError("input_shape", "odd"))),
    { code: "input_shape" },
  );
  await assert.rejects(
    guard.run(() => Promise.reject(new WebAssembly.RuntimeError("unreachable"))),
    WebAssembly.RuntimeError,
  );
  assert.equal(await guard.survives(new WebAssembly.RuntimeError("unreachable")), false);
  assert.deepEqual(ended, []);
});

test("where the CPU cannot take over, the engine ends with the reason", async () => {
  const { guard, ended } = watch();
  guard.arm(() => Promise.reject(new Error("no memory")));
  guard.lose("gone.");
  await assert.rejects(guard.run(() => Promise.resolve()));
  assert.match(ended[0]?.message ?? "", /could not take over: no memory/);
});

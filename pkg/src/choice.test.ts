import assert from "node:assert/strict";
import test from "node:test";
import { choose, type Gpu } from "./choice.js";

const gpu = (adapter: Awaited<ReturnType<Gpu["requestAdapter"]>>): Gpu => ({
  requestAdapter: () => Promise.resolve(adapter),
});
const real = gpu({ info: { description: "", isFallbackAdapter: false } });
const software = gpu({ info: { description: "SwiftShader", isFallbackAdapter: true } });

test("the CPU's build is taken where the CPU is asked for, whatever there is", async () => {
  assert.deepEqual(await choose("cpu", real), { name: "cpu" });
  assert.deepEqual(await choose("abacus" as "cpu", real), { name: "cpu" });
});

test("the build for WebGPU is taken where there is a GPU", async () => {
  assert.deepEqual(await choose("auto", real), { name: "webgpu" });
  assert.deepEqual(await choose("webgpu", real), { name: "webgpu" });
});

test("a software rasteriser is taken only where WebGPU is asked for", async () => {
  assert.deepEqual(await choose("webgpu", software), { name: "webgpu" });
  const { name, reason } = await choose("auto", software);
  assert.equal(name, "cpu");
  assert.match(reason ?? "", /SwiftShader, is emulated in software/);
});

test("without WebGPU the CPU's build is taken, or asking for WebGPU is an error", async () => {
  const failing: Gpu = { requestAdapter: () => Promise.reject(new Error("blocked")) };
  for (const none of [undefined, gpu(null), failing]) {
    const { name, reason } = await choose("auto", none);
    assert.equal(name, "cpu");
    assert.match(reason ?? "", /^The CPU is used: this browser offers no WebGPU adapter/);
    await assert.rejects(choose("webgpu", none), { code: "device_unavailable" });
  }
});

const soon = { adapter: 50, again: 5 };

test("an adapter of a browser from before 2024, which does not describe itself, is none", async () => {
  const { name, reason } = await choose("auto", gpu({}));
  assert.equal(name, "cpu");
  assert.match(reason ?? "", /too old/);
  await assert.rejects(choose("webgpu", gpu({})), { code: "device_unavailable" });
});

test("an adapter that never comes, or fails at once, is given up", async () => {
  const odd: Gpu[] = [
    { requestAdapter: () => new Promise(() => undefined) },
    {
      requestAdapter: () => {
        throw new TypeError("odd");
      },
    },
  ];
  for (const one of odd) {
    assert.equal((await choose("auto", one, { waits: soon })).name, "cpu");
    await assert.rejects(choose("webgpu", one, { waits: soon }), { code: "device_unavailable" });
  }
});

test("an adapter that is null is asked for once more, with the same wish", async () => {
  const asked: unknown[] = [];
  const late: Gpu = {
    requestAdapter: (options) => {
      asked.push(options);
      return Promise.resolve(asked.length === 1 ? null : { info: { description: "" } });
    },
  };
  assert.deepEqual(await choose("auto", late, { waits: soon, power: "low-power" }), { name: "webgpu" });
  assert.deepEqual(asked, [{ powerPreference: "low-power" }, { powerPreference: "low-power" }]);
});

test("an adapter below WebGPU's own limits is refused by the name of the limit", async () => {
  const small = gpu({
    info: { description: "" },
    limits: { maxStorageBuffersPerShaderStage: 4 },
  });
  await assert.rejects(choose("webgpu", small), { message: /maxStorageBuffersPerShaderStage of 4/ });
  const plain = gpu({ info: { description: "" }, features: new Set(["shader-f16"]) });
  await assert.rejects(choose("webgpu", plain), { message: /no timestamp-query/ });
  const auto = await choose("auto", plain);
  assert.equal(auto.name, "cpu");
});

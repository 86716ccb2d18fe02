// The life of an engine: its GPU is lost, its worker or its adapter does not answer, its start is aborted, it ends in the midst of a run.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openBrowser, until } from "./browser.mjs";

let gpu, cpu;
before(async () => {
  gpu = await openBrowser({ webgpu: true });
  cpu = await openBrowser({ webgpu: false });
});
after(async () => {
  await gpu?.close();
  await cpu?.close();
});

/** Runs before the engine, on its thread: keeps its devices, takes SwiftShader for a GPU, and destroys the devices when told. */
const keepDevices = `
  if (globalThis.GPUAdapter) {
    const { requestDevice } = GPUAdapter.prototype;
    globalThis.devices = [];
    GPUAdapter.prototype.requestDevice = async function (...args) {
      const device = await requestDevice.apply(this, args);
      devices.push(device);
      return device;
    };
    Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });
    const channel = new BroadcastChannel("devices");
    channel.onmessage = () => devices.forEach((device) => device.destroy());
  }
`;
const script = readFileSync(new URL("../../pkg/dist/worker.js", import.meta.url), "utf8");

/** A page whose engines' devices can be destroyed. */
async function enter() {
  gpu.instead.set("worker.js", keepDevices + script);
  const visited = await gpu.openPackage();
  await visited.page.evaluate(keepDevices);
  await visited.page.evaluate(() => {
    const never = () => new Promise((resolve) => setTimeout(resolve, 10_000, { code: "never told" }));
    window.lossOf = (engine) => Promise.race([engine.lost, never()]);
    window.destroy = () => {
      (window.devices ?? []).forEach((device) => device.destroy());
      new BroadcastChannel("devices").postMessage("destroy");
    };
  });
  return visited;
}

const methods = {
  agi: { params: { samples: 3, steps: 6 } },
  rise: { params: { samples: 4000 } },
};

for (const worker of [true, false]) {
  const where = worker ? "in a worker" : "on the page's thread";

  test(`a GPU that is lost while nothing runs, ${where}: auto goes on on the CPU with the same model`, async () => {
    const { page, faults } = await enter();
    const seen = await page.evaluate(async (worker) => {
      const { lab } = window;
      const engine = await lab.adversight.createEngine({ device: "auto", worker });
      const model = await lab.loadTiny(engine);
      const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
      const on = engine.device.kind;
      const before = await model.explain(picture, { method: "saliency" });
      window.destroy();
      const loss = await window.lossOf(engine);
      const after = await model.explain(picture, { method: "saliency" });
      const largest = Math.max(...before.attribution.data.map(Math.abs));
      const difference = Math.max(
        ...before.attribution.data.map((value, i) => Math.abs(value - after.attribution.data[i])),
      );
      const { closed, device } = engine;
      engine.close();
      return { on, loss, closed, device: device.kind, told: after.info.device, share: difference / largest };
    }, worker);
    assert.equal(seen.on, "webgpu");
    assert.deepEqual([seen.loss.code, seen.loss.goesOn], ["device_lost", true]);
    assert.match(seen.loss.message, /goes on on the CPU/);
    assert.deepEqual([seen.closed, seen.device, seen.told], [false, "cpu", "cpu"]);
    assert.ok(seen.share < 1e-3, `the maps differ by ${seen.share} of the largest value`);
    assert.deepEqual(faults, []);
    await page.close();
  });

  for (const [method, options] of Object.entries(methods)) {
    if (!worker && method === "rise") continue; // a page's thread takes the same way
    test(`a GPU that is lost in the midst of ${method}, ${where}: the explanation ends on the CPU, or is refused where WebGPU was asked for`, async () => {
      for (const device of ["auto", "webgpu"]) {
        const { page, faults } = await enter();
        const seen = await page.evaluate(
          async ({ worker, device, method, options }) => {
            const { lab } = window;
            const engine = await lab.adversight.createEngine({ device, worker });
            const model = await lab.loadTiny(engine);
            const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
            let destroyed = 0;
            const outcome = await lab.outcome(() =>
              model.explain(picture, {
                method,
                ...options,
                seed: 7,
                onProgress: ({ done }) => {
                  if (destroyed || done < 2) return;
                  destroyed = performance.now();
                  window.destroy();
                },
              }),
            );
            const took = performance.now() - destroyed;
            const { closed } = engine;
            const loss = await window.lossOf(engine);
            const twice = await lab.outcome(() => model.classify(picture));
            engine.close();
            const other = await lab.adversight.createEngine({ device: "cpu", worker });
            const onCpu = await (await lab.loadTiny(other)).explain(picture, { method, ...options, seed: 7 });
            other.close();
            const data = outcome.value?.attribution.data;
            const difference =
              data && Math.max(...data.map((value, i) => Math.abs(value - onCpu.attribution.data[i])));
            const largest = Math.max(...onCpu.attribution.data.map(Math.abs));
            return {
              destroyed: destroyed > 0,
              error: outcome.error,
              share: data && difference / largest,
              on: outcome.value?.info.device,
              took,
              closed,
              loss,
              twice: twice.error?.code ?? twice.value.top[0].index,
            };
          },
          { worker, device, method, options },
        );
        assert.ok(seen.destroyed, "the device was destroyed while it ran");
        assert.equal(seen.loss.code, "device_lost");
        if (device === "auto") {
          assert.equal(seen.error, undefined, seen.error?.message);
          assert.equal(seen.on, "cpu");
          assert.ok(seen.share < 1e-4, `it differs from the CPU's by ${seen.share}`);
          assert.deepEqual([seen.closed, seen.loss.goesOn, seen.twice], [false, true, 6]);
        } else {
          assert.equal(seen.error?.code, "device_lost", seen.error?.message);
          assert.ok(seen.took < 10_000, `it took ${seen.took} ms`);
          assert.deepEqual([seen.closed, seen.loss.goesOn, seen.twice], [true, false, "device_lost"]);
        }
        assert.deepEqual(faults, []);
        await page.close();
      }
    });
  }
}

test("after a crash of the GPU's process the explanation ends on the CPU", async () => {
  const { page, faults } = await enter();
  const session = await gpu.session();
  await page.exposeFunction("crash", async () => {
    await session.send("Browser.crashGpuProcess").catch(() => undefined);
  });
  const seen = await page.evaluate(async () => {
    const { lab } = window;
    const engine = await lab.adversight.createEngine({ device: "auto" });
    const on = engine.device.kind;
    const model = await lab.loadTiny(engine);
    const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    let crashed = false;
    const outcome = await lab.outcome(() =>
      model.explain(picture, {
        method: "rise",
        params: { samples: 400 },
        onProgress: () => {
          if (!crashed) void window.crash();
          crashed = true;
        },
      }),
    );
    engine.close();
    return { on, crashed, device: outcome.value?.info.device, error: outcome.error };
  });
  assert.deepEqual(seen, { on: "webgpu", crashed: true, device: "cpu", error: undefined });
  assert.deepEqual(faults, []);
  await page.close();
});

test("adapters that are odd: auto takes the CPU and says why, WebGPU alone is refused with its code", async () => {
  const { page, faults } = await gpu.openPackage();
  const outcomes = await page.evaluate(async () => {
    const { lab } = window;
    const { requestAdapter } = GPU.prototype;
    const odd = {
      "without info": async function () {
        const adapter = await requestAdapter.call(this);
        Object.defineProperty(adapter, "info", { value: undefined });
        return adapter;
      },
      "that never comes": () => new Promise(() => undefined),
      "that fails": () => Promise.reject(new Error("blocked")),
      "that throws": () => {
        throw new TypeError("odd");
      },
      "of small limits": async function () {
        const adapter = await requestAdapter.call(this);
        Object.defineProperty(adapter, "info", { value: { description: "small", isFallbackAdapter: false } });
        Object.defineProperty(adapter, "limits", { value: { maxComputeInvocationsPerWorkgroup: 128 } });
        return adapter;
      },
      "without timestamps": async function () {
        const adapter = await requestAdapter.call(this);
        Object.defineProperty(adapter, "info", { value: { description: "plain", isFallbackAdapter: false } });
        Object.defineProperty(adapter, "features", { value: new Set() });
        return adapter;
      },
    };
    const outcomes = {};
    for (const [name, ask] of Object.entries(odd)) {
      GPU.prototype.requestAdapter = ask;
      const auto = await lab.outcome(async () => {
        const engine = await lab.adversight.createEngine({ worker: false });
        engine.close();
        return { kind: engine.device.kind, reason: engine.device.reason };
      });
      const alone = await lab.outcome(() => lab.adversight.createEngine({ worker: false, device: "webgpu" }));
      outcomes[name] = { auto, alone: alone.error };
    }
    GPU.prototype.requestAdapter = requestAdapter;
    return outcomes;
  });
  for (const [name, { auto, alone }] of Object.entries(outcomes)) {
    assert.equal(auto.value?.kind, "cpu", `an adapter ${name}: ${auto.error?.message}`);
    assert.match(auto.value.reason, /^The CPU is used: .+\.$/);
    assert.equal(alone?.code, "device_unavailable", `an adapter ${name}: ${alone?.message}`);
  }
  assert.match(outcomes["that never comes"].auto.value.reason, /did not answer within 5 seconds/);
  assert.match(outcomes["without timestamps"].auto.value.reason, /no timestamp-query/);
  assert.match(outcomes["of small limits"].auto.value.reason, /maxComputeInvocationsPerWorkgroup of 128/);
  assert.deepEqual(faults, []);
  await page.close();
});

test("an adapter that is null at first is asked for once more", async () => {
  const { page } = await gpu.openPackage();
  const kind = await page.evaluate(async () => {
    const { requestAdapter } = GPU.prototype;
    let asked = 0;
    GPU.prototype.requestAdapter = function (...args) {
      return asked++ === 0 ? Promise.resolve(null) : requestAdapter.apply(this, args);
    };
    const engine = await window.lab.adversight.createEngine({ worker: false, device: "webgpu" });
    engine.close();
    return engine.device.kind;
  });
  assert.equal(kind, "webgpu");
  await page.close();
});

test("the wanted one of two GPUs is asked for, by the page and by the engine", async () => {
  const { page } = await gpu.openPackage();
  const asked = await page.evaluate(async () => {
    const { requestAdapter } = GPU.prototype;
    const asked = [];
    GPU.prototype.requestAdapter = function (options) {
      asked.push(options?.powerPreference);
      return requestAdapter.call(this, options);
    };
    const options = { worker: false, device: "webgpu", powerPreference: "low-power" };
    (await window.lab.adversight.createEngine(options)).close();
    return asked;
  });
  assert.ok(asked.length >= 2, "the engine asks too");
  assert.deepEqual(new Set(asked), new Set(["low-power"]));
  await page.close();
});

test("a given GPUDevice is computed on, and no other is opened; what it lacks is refused by name before a shader fails", async () => {
  const { page, faults } = await gpu.openPackage();
  const got = await page.evaluate(async () => {
    const { lab } = window;
    const { createEngine } = lab.adversight;
    const adapter = () => navigator.gpu.requestAdapter();
    const own = async () => (await adapter()).requestDevice({ requiredFeatures: ["timestamp-query"] });
    const refusal = async (options) => {
      const { error } = await lab.outcome(() => createEngine(options));
      return `${error?.code}: ${error?.message}`;
    };
    const small = await own();
    Object.defineProperty(small, "limits", { value: { maxStorageBuffersPerShaderStage: 4 } });
    const lost = await own();
    lost.destroy();
    await lost.lost;
    const device = await own();
    const refused = {
      "in a worker": await refusal({ gpuDevice: device }),
      "and the CPU": await refusal({ gpuDevice: device, device: "cpu", worker: false }),
      "of something else": await refusal({ gpuDevice: {}, worker: false }),
      "without timestamps": await refusal({
        gpuDevice: await (await adapter()).requestDevice(),
        worker: false,
      }),
      "of small limits": await refusal({ gpuDevice: small, worker: false }),
      "that is lost": await refusal({ gpuDevice: lost, worker: false }),
    };
    let asked = 0;
    for (const [name, method] of [
      ["GPU", "requestAdapter"],
      ["GPUAdapter", "requestDevice"],
    ]) {
      const original = window[name].prototype[method];
      window[name].prototype[method] = function (...args) {
        asked++;
        return original.apply(this, args);
      };
    }
    const best = [];
    const engines = [];
    for (const options of [
      { gpuDevice: device, worker: false },
      { worker: false, device: "webgpu" },
      { device: "cpu" },
    ]) {
      const engine = await createEngine(options);
      const before = asked;
      const model = await lab.loadTiny(engine);
      const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
      const { info } = await model.explain(picture, { method: "saliency" });
      best.push([engine.device.kind, info.target.index, before]);
      engines.push(engine);
    }
    const other = await refusal({ gpuDevice: await own(), worker: false });
    const most = engines[0].device.limits?.maxStorageBufferBindingSize ?? null;
    engines.forEach((engine) => engine.close());
    const ended = await Promise.race([
      device.lost.then(() => "lost"),
      new Promise((r) => setTimeout(r, 300, "alive")),
    ]);
    return { refused, best, other, ended, most, has: device.limits.maxStorageBufferBindingSize };
  });
  assert.match(got.refused["in a worker"], /^device_unavailable: .*worker: false/);
  assert.match(got.refused["and the CPU"], /^device_unavailable: .*exclude/);
  assert.match(got.refused["of something else"], /^device_unavailable: .*no GPUDevice/);
  assert.match(got.refused["without timestamps"], /^device_unavailable: .*timestamp-query/);
  assert.match(got.refused["of small limits"], /^device_unavailable: .*maxStorageBuffersPerShaderStage of 4/);
  assert.match(got.refused["that is lost"], /^device_lost: /);
  assert.deepEqual(
    got.best[0],
    ["webgpu", 6, 0],
    "the given device, and neither adapter nor device asked for",
  );
  assert.deepEqual(got.best[1].slice(0, 2), ["webgpu", 6], "the thread's engines share it");
  assert.deepEqual(got.best[2].slice(0, 2), ["cpu", 6]);
  assert.match(got.other, /^device_unavailable: .*share/);
  assert.equal(got.ended, "alive", "closing leaves the page's device alone");
  if (got.most !== null) assert.equal(got.most, got.has);
  assert.deepEqual(faults, []);
  await page.close();
});

test("a worker that never answers is given up, with a code", async () => {
  const { page, faults } = await cpu.openPackage();
  const outcomes = await page.evaluate(async () => {
    const { lab } = window;
    const dumb = (text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const begin = performance.now();
    const outcomes = {};
    for (const [name, worker] of Object.entries({
      silent: new Worker(dumb("")),
      "an address": dumb("onmessage = () => {}"),
      missing: "/nothing/worker.js",
      "no address": "http://",
    })) {
      outcomes[name] = await lab.outcome(() => lab.adversight.createEngine({ worker, timeout: 1000 }));
    }
    return { outcomes, took: performance.now() - begin };
  });
  for (const [name, { error }] of Object.entries(outcomes.outcomes)) {
    assert.equal(error?.code, "engine_failed", `${name}: ${error?.message}`);
  }
  assert.match(outcomes.outcomes.silent.error.message, /did not answer within 1 second/);
  assert.ok(outcomes.took < 8000);
  assert.deepEqual(faults, []);
});

test("starting an engine can be aborted at any moment, and no worker stays", async () => {
  const { page, faults } = await cpu.openPackage();
  const before = await cpu.workers();
  const outcomes = await page.evaluate(async () => {
    const { lab } = window;
    const outcomes = [];
    for (const wait of [0, 0, 1, 5, 20, 60, 120]) {
      const controller = new AbortController();
      if (outcomes.length === 0) controller.abort();
      const started = lab.outcome(async () => {
        const engine = await lab.adversight.createEngine({ device: "cpu", signal: controller.signal });
        engine.close();
        return "started";
      });
      setTimeout(() => controller.abort(), wait);
      outcomes.push(await started);
    }
    return outcomes.map(({ value, error }) => value ?? error.name);
  });
  for (const outcome of outcomes) assert.match(outcome, /^(started|AbortError)$/);
  assert.equal(outcomes[0], "AbortError");
  assert.ok(outcomes.filter((outcome) => outcome === "AbortError").length > 2, outcomes.join(", "));
  await until(async () => (await cpu.workers()) === before, "the end of all workers", 10_000);
  assert.deepEqual(faults, []);
});

test("a model with other inputs can be aborted", async () => {
  const { page } = await cpu.openPackage();
  const name = await page.evaluate(async () => {
    const { lab } = window;
    const engine = await lab.adversight.createEngine({ device: "cpu" });
    const model = await lab.loadTiny(engine);
    const { error } = await lab.outcome(() => model.withInputs({}, { signal: AbortSignal.abort() }));
    engine.close();
    return error.name;
  });
  assert.equal(name, "AbortError");
});

test("closing on the page's own thread in the midst of a run ends it, and the next engine computes", async () => {
  const { page, faults } = await cpu.openPackage();
  const { code, best } = await page.evaluate(async () => {
    const { lab } = window;
    const { createEngine } = lab.adversight;
    const engine = await createEngine({ device: "cpu", worker: false });
    const model = await lab.loadTiny(engine);
    const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    const running = lab.outcome(() =>
      model.explain(picture, { method: "rise", params: { samples: 4000 }, onProgress: () => engine.close() }),
    );
    const { code } = (await running).error;
    const other = await createEngine({ device: "cpu", worker: false });
    const { top } = await (await lab.loadTiny(other)).classify(picture);
    other.close();
    return { code, best: top[0].index };
  });
  assert.deepEqual({ code, best }, { code: "engine_closed", best: 6 });
  assert.deepEqual(faults, []);
});

test("what is undefined among the moved parts is where it always is; bytes and compiled modules are taken", async () => {
  const { page } = await cpu.openPackage();
  const kinds = await page.evaluate(async () => {
    const { lab } = window;
    const { createEngine } = lab.adversight;
    const address = "/package/wasm/adversight_cpu_bg.wasm";
    const bytes = await lab.bytes(address);
    const kinds = [];
    for (const worker of [true, false]) {
      for (const cpu of [
        undefined,
        address,
        new URL(address, location.href),
        bytes,
        bytes.buffer,
        await WebAssembly.compile(bytes),
      ]) {
        if (!worker && cpu !== undefined) continue; // a thread has one instance
        const engine = await createEngine({ device: "cpu", worker, wasm: { cpu, webgpu: undefined } });
        kinds.push(engine.device.kind);
        engine.close();
      }
    }
    return kinds;
  });
  assert.deepEqual(kinds, Array(7).fill("cpu"));
});

test("a queued call that is aborted closes the bitmap that was sent with it", async () => {
  const { page } = await cpu.openPackage();
  const closed = await page.evaluate(async () => {
    const { lab } = window;
    let closed = 0;
    const { close } = ImageBitmap.prototype;
    ImageBitmap.prototype.close = function () {
      closed++;
      return close.call(this);
    };
    const engine = await lab.adversight.createEngine({ device: "cpu", worker: false });
    const model = await lab.loadTiny(engine);
    const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    const first = model.explain(picture, { method: "rise", params: { samples: 200 } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const controller = new AbortController();
    const queued = lab.outcome(() => model.classify(picture, { signal: controller.signal }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    controller.abort();
    await queued;
    await first;
    await model.layers(); // after it
    engine.close();
    return closed;
  });
  assert.equal(closed, 2, "the bitmap of the call that ran, and that of the one that did not");
});

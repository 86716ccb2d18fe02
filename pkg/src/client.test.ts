import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import test, { afterEach } from "node:test";

import { Engine } from "./client.js";
import type { Wasm } from "./choice.js";
import { createHost, watchForTraps, type EngineProtocol } from "./host.js";
import { serve } from "./rpc.js";
import type {
  ExplainOptions,
  ModelInput as InputValue,
  ModelOptions,
  TensorData,
} from "./wasm/adversight.js";

let open: MessagePort[] = [];
afterEach(() => {
  for (const port of open) port.close();
  open = [];
});

/** A WebAssembly module of JavaScript, which notes what it is asked. Its "explanation" of a tensor is the tensor doubled. */
function fakeWasm() {
  const log: string[] = [];
  const model = (name: string): object => ({
    info: { name, classes: 2 },
    classify: (input: TensorData | null, top: number) => {
      log.push(`classify ${name} top ${top}`);
      return Promise.resolve({ top: [], region: null, milliseconds: input?.data.length ?? 0 });
    },
    detect: (input: TensorData, options: object) => {
      log.push(`detect ${name} ${JSON.stringify(options)}`);
      return Promise.resolve({ boxes: [], region: null, notes: [], milliseconds: input.data.length });
    },
    async explain(
      input: TensorData,
      options: ExplainOptions,
      hooks: { onProgress: (progress: object) => void; isCancelled: () => boolean },
    ) {
      log.push(`explain ${name} ${JSON.stringify(options)}`);
      for (let done = 1; done <= 50; done++) {
        await sleep(1);
        if (hooks.isCancelled()) {
          log.push("cancelled");
          throw Object.assign(new Error("Cancelled."), { name: "AdversightError", code: "cancelled" });
        }
        hooks.onProgress({ done, total: 50, stage: options.method });
      }
      const data = input.data.map((value) => 2 * value);
      return { attribution: { data, shape: input.shape }, heatmap: { data, shape: [1, 2] }, words: [] };
    },
    logits: (input: TensorData) => Promise.resolve(input),
    withInputs: (inputs: object) => {
      log.push(`inputs of ${name}: ${Object.keys(inputs).join(", ")}`);
      return model(`${name} with inputs`);
    },
    prepare: (input: TensorData) => ({ ...input, shape: [1, ...input.shape] }),
    inputGradient: () => Promise.reject(new WebAssembly.RuntimeError("unreachable")),
    free: () => log.push(`free ${name}`),
  });
  const wasm = {
    default: () => Promise.resolve({}),
    readLabels: (text: string, classes: number) => {
      const names = text.split("\n");
      if (names.length === classes) return names;
      throw Object.assign(new Error(`There are ${names.length} names for ${classes}.`), {
        code: "labels_invalid",
      });
    },
    createEngine: () =>
      Promise.resolve({
        device: { kind: "cpu", reason: "This is a test." },
        inspect: (onnx: Uint8Array) => {
          if (onnx.byteLength === 0) throw Object.assign(new Error("Not ONNX."), { code: "model_malformed" });
          return { producer: "test", nodes: onnx.byteLength };
        },
        run: (
          onnx: Uint8Array,
          inputs: Record<string, InputValue>,
          options: Pick<ModelOptions, "external">,
        ) => {
          log.push(`run ${onnx.byteLength} bytes on ${Object.keys(inputs).join(", ")}`);
          if (options.external) log.push(`beside ${Object.keys(options.external).join(", ")}`);
          return onnx.byteLength === 0
            ? Promise.reject(Object.assign(new Error("Odd."), { code: "model_unsupported", node: "odd_one" }))
            : Promise.resolve(inputs);
        },
        loadModel: (onnx: Uint8Array, options: ModelOptions) => {
          const { name, ...others } = options;
          const known = Object.entries(others).filter(([, value]) => value !== null);
          log.push(`load ${onnx.byteLength} bytes`);
          if (known.length > 0) log.push(`with ${JSON.stringify(Object.fromEntries(known))}`);
          return onnx.byteLength === 0
            ? Promise.reject(Object.assign(new Error("Not ONNX."), { code: "model_malformed" }))
            : Promise.resolve(model(name ?? "model"));
        },
        free: () => log.push("free engine"),
      }),
    methods: () => [{ name: "agi", params: [] }],
    metrics: () => [{ name: "deletion", params: [] }],
    attacks: () => [],
    colourMap: (name: string) => new Uint8Array(768).fill(name.length),
  };
  return { wasm: wasm as unknown as Wasm, log };
}

function hostOf(module: Wasm) {
  const url = () => new URL("file:///none.wasm");
  return createHost({ webgpu: { module, url }, cpu: { module, url } });
}

async function openEngine(device: "auto" | "webgpu" = "auto") {
  const { wasm, log } = fakeWasm();
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  serve<EngineProtocol>(port2, hostOf(wasm));
  const engine = await Engine.open(() => ({ endpoint: port1 }), { device, wasm: {} });
  return { engine, log };
}

const tensor = { data: new Float32Array([1, 2]), shape: [1, 2] };
const onnx = new Uint8Array([1, 2, 3]);

test("an engine tells its device, its methods and its colour maps", async () => {
  const { engine } = await openEngine();
  assert.equal(engine.device.reason, "This is a test.");
  assert.deepEqual(engine.methods(), [{ name: "agi", params: [] }]);
  assert.equal(engine.colourMap("magma")[0], 5);
});

test("where the engine for WebGPU is missing, the CPU's is used and says why, unless WebGPU was asked for", async (t) => {
  const { wasm } = fakeWasm();
  const missing: Wasm = { ...wasm, default: () => Promise.reject(new TypeError("404")) };
  const asked: unknown[] = [];
  const cpu: Wasm = {
    ...wasm,
    createEngine: (options) => {
      asked.push(options);
      return wasm.createEngine(options);
    },
  };
  const url = () => new URL("file:///none.wasm");
  const host = createHost({ webgpu: { module: missing, url }, cpu: { module: cpu, url } });
  const requestAdapter = () => Promise.resolve({ info: { description: "", isFallbackAdapter: false } });
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { gpu: { requestAdapter } }, configurable: true });
  t.after(() => {
    if (before) Object.defineProperty(globalThis, "navigator", before);
    else Reflect.deleteProperty(globalThis, "navigator");
  });
  const hooks = { isCancelled: () => false, onProgress: () => undefined, onPartial: undefined };
  await host.open({ device: "auto", wasm: {} }, hooks);
  const reason =
    "The CPU is used, since the engine for WebGPU is not there. The engine could not be loaded from file:///none.wasm (404).";
  assert.deepEqual(asked, [{ device: "cpu", reason }]);
  await assert.rejects(async () => host.open({ device: "webgpu", wasm: {} }, hooks), {
    code: "engine_failed",
  });
});

test("a device that is not there rejects with its code", async () => {
  await assert.rejects(openEngine("webgpu"), {
    code: "device_unavailable",
    message: "this browser offers no WebGPU adapter.",
  });
});

test("a model is loaded, asked, and freed", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx, name: "tiny" });
  assert.equal(model.info.name, "tiny");
  assert.equal(onnx.byteLength, 3, "the caller keeps the bytes");
  await model.classify(tensor);
  await model.classify(tensor, { top: 2 });
  assert.deepEqual(await model.logits(tensor), tensor);
  model.close();
  await assert.rejects(model.classify(tensor), { code: "engine_closed" });
  assert.deepEqual(log, ["load 3 bytes", "classify tiny top 5", "classify tiny top 2", "free tiny"]);
});

test("a detector is asked for its boxes, and one of them is explained", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx, name: "yolo" });
  const { boxes } = await model.detect(tensor, { threshold: 0.5, signal: new AbortController().signal });
  assert.deepEqual(boxes, []);
  assert.equal(log.at(-1), 'detect yolo {"threshold":0.5}');
  await model.explain(tensor, { method: "odam", target: { box: { number: 1, explain: "left" } } });
  const asked = log.find((line) => line.startsWith("explain"));
  assert.equal(asked, 'explain yolo {"method":"odam","target":{"box":{"number":1,"explain":"left"}}}');
});

test("a model that cannot be read leaves the engine usable", async () => {
  const { engine } = await openEngine();
  await assert.rejects(engine.loadModel({ onnx: new Uint8Array(0) }), { code: "model_malformed" });
  await engine.loadModel({ onnx: new Blob([onnx]) });
});

test("a file is inspected without being loaded, and one that is no model rejects with its code", async () => {
  const { engine, log } = await openEngine();
  assert.deepEqual(await engine.inspect(onnx), { producer: "test", nodes: 3 });
  assert.deepEqual(await engine.inspect(new Blob([onnx, onnx])), { producer: "test", nodes: 6 });
  await assert.rejects(engine.inspect(new Uint8Array(0)), { code: "model_malformed", message: "Not ONNX." });
  assert.deepEqual(log, []);
});

test("a graph is run as it is, and the caller's values stay theirs", async () => {
  const { engine, log } = await openEngine();
  const inputs = {
    x: tensor,
    ids: { data: BigInt64Array.of(7n), shape: [1] },
    mask: { data: Uint8Array.of(0, 1), shape: [2] },
  };
  assert.deepEqual(await engine.run(onnx, inputs), inputs);
  await engine.run(new Blob([onnx]), { x: tensor }, { external: { "more.bin": new Uint8Array([9]) } });
  assert.deepEqual(log, ["run 3 bytes on x, ids, mask", "run 3 bytes on x", "beside more.bin"]);
  assert.equal(inputs.mask.data.byteLength, 2);
  assert.equal(onnx.byteLength, 3);
});

test("a graph that cannot run names the node, and one value too few is refused before it is sent", async () => {
  const { engine, log } = await openEngine();
  const odd = { code: "model_unsupported", node: "odd_one" };
  await assert.rejects(engine.run(new Uint8Array(0), { x: tensor }), odd);
  const short = { x: { data: new Int32Array(3), shape: [2, 2] } };
  await assert.rejects(engine.run(onnx, short), { code: "input_shape", message: /asks for 4 values/ });
  assert.deepEqual(log, ["run 0 bytes on x"]);
  assert.ok(!engine.closed);
});

test("what is known about a model reaches the engine, with the weights beside it as bytes", async () => {
  const { engine, log } = await openEngine();
  await engine.loadModel({
    onnx,
    output: "logits",
    activation: "none",
    sizes: { "pixels:2": 32 },
    layout: "sound",
    masker: new Blob([new Uint8Array([5])]),
    external: { "model.onnx.data": new Blob([new Uint8Array([7, 8])]), "more.bin": new Uint8Array([9]) },
  });
  const external = { "model.onnx.data": { 0: 7, 1: 8 }, "more.bin": { 0: 9 } };
  const known = { output: "logits", sizes: { "pixels:2": 32 }, activation: "none", layout: "sound" };
  const options = { ...known, masker: { 0: 5 }, external };
  assert.equal(log.at(-1), `with ${JSON.stringify(options)}`);
});

test("a model whose loading is aborted is freed when it comes", async () => {
  const { engine, log } = await openEngine();
  const abort = new AbortController();
  const loading = engine.loadModel({
    onnx,
    name: "unwanted",
    signal: abort.signal,
    onProgress: () => {
      queueMicrotask(() => {
        abort.abort(); // when the call is on its way
      });
    },
  });
  await assert.rejects(loading, { name: "AbortError" });
  await engine.loadModel({ onnx });
  await sleep(5);
  assert.deepEqual(log, ["load 3 bytes", "load 3 bytes", "free unwanted"]);
});

test("a file that can no longer be read is named", async () => {
  const { engine } = await openEngine();
  const file = Object.assign(new Blob([onnx]), {
    name: "model.onnx",
    arrayBuffer: () => Promise.reject(new DOMException("gone", "NotReadableError")),
  });
  await assert.rejects(engine.loadModel({ onnx: file }), {
    code: "download_failed",
    message: /^model\.onnx could not be read: .*Choose it again\.$/,
  });
});

test("a model with values for its other inputs is a model of its own", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx, name: "words" });
  const bound = await model.withInputs({ tokens: { data: Int32Array.of(101, 7), shape: [1, 2] } });
  assert.equal(bound.info.name, "words with inputs");
  assert.equal((await bound.classify(null)).milliseconds, 0);
  model.close();
  await bound.classify(tensor);
  assert.deepEqual(log.slice(1), [
    "inputs of words: tokens",
    "classify words with inputs top 5",
    "free words",
    "classify words with inputs top 5",
  ]);
});

test("values of further inputs are given with the model, as tensors of any numbers or as lists", async () => {
  const { engine, log } = await openEngine();
  const inputs = { age: [[42]], mask: { data: Uint8Array.of(1, 0), shape: [2] } };
  const model = await engine.loadModel({ onnx, name: "clinic", inputs });
  assert.equal(model.info.name, "clinic with inputs");
  const [, loaded] = log;
  assert.match(loaded ?? "", /"inputs":\{"age":.*"mask":/);
  assert.deepEqual(log.slice(2), ["inputs of clinic: age, mask", "free clinic"]);
  const short = { data: Uint8Array.of(1), shape: [2] };
  await assert.rejects(engine.loadModel({ onnx, inputs: { mask: short } }), { code: "input_shape" });
  await assert.rejects(engine.loadModel({ onnx, inputs: { age: [[1], [2, 3]] } }), /"age"/);
  assert.deepEqual(await model.logits({ data: Uint8Array.of(3, 255), shape: [1, 2] }), {
    data: Float32Array.of(3, 255),
    shape: [1, 2],
  });
});

test("names of classes are read by the engine, which says where they do not fit", async () => {
  const { engine } = await openEngine();
  assert.deepEqual(await engine.readLabels("cat\ndog", 2), ["cat", "dog"]);
  await assert.rejects(engine.readLabels("cat\ndog", 3), {
    code: "labels_invalid",
    message: /2 names for 3/,
  });
});

test("a file that is no network is told by what it is", async () => {
  const { engine } = await openEngine();
  const nothing = new File([], "net.pth");
  await assert.rejects(engine.inspect(nothing), {
    code: "model_malformed",
    message: /no ONNX file.*PyTorch/,
  });
  await assert.rejects(engine.loadModel({ onnx: nothing }), { code: "model_malformed", message: /PyTorch/ });
  await assert.rejects(engine.inspect(new Uint8Array(0)), { code: "model_malformed", message: "Not ONNX." });
});

test("the tensor that the network is given can be looked at", async () => {
  const { engine } = await openEngine();
  const model = await engine.loadModel({ onnx });
  assert.deepEqual(await model.prepare(tensor), { data: tensor.data, shape: [1, 1, 2] });
  await assert.rejects(model.prepare({ data: new Float32Array(3), shape: [2] }), { code: "input_shape" });
});

test("an explanation arrives whole, and only the method's own options reach the engine", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx });
  const stages: string[] = [];
  const explanation = await model.explain(tensor, {
    method: "agi",
    params: { steps: 3 },
    signal: new AbortController().signal,
    onProgress: ({ stage }) => stages.push(stage),
  });
  assert.deepEqual(explanation.attribution, { data: new Float32Array([2, 4]), shape: [1, 2] });
  assert.equal(stages.length, 50);
  assert.equal(log.at(-1), 'explain model {"method":"agi","params":{"steps":3}}');
  assert.deepEqual(tensor.data, new Float32Array([1, 2]));
});

test("cancelling an explanation stops it in the engine, which then answers the next call", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx });
  const controller = new AbortController();
  const running = model.explain(tensor, {
    method: "agi",
    signal: controller.signal,
    onProgress: ({ done }) => {
      if (done === 2) controller.abort();
    },
  });
  await assert.rejects(running, { name: "AbortError" });
  await model.classify(tensor);
  assert.deepEqual(log.slice(-2), ["cancelled", "classify model top 5"]);
});

test("closing an engine cancels what runs, frees everything, and refuses later calls", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx, name: "tiny" });
  const running = model.explain(tensor, { method: "agi" });
  await sleep(5);
  engine.close();
  await assert.rejects(running, { code: "engine_closed" });
  await assert.rejects(model.classify(tensor), { code: "engine_closed" });
  assert.ok(engine.closed);
  await sleep(20);
  assert.deepEqual(log.slice(-3), ["cancelled", "free tiny", "free engine"]);
});

test("after a trap the engine is dead, and a new one works", async () => {
  const { engine } = await openEngine();
  const model = await engine.loadModel({ onnx });
  await assert.rejects(model.inputGradient(tensor, 0), { code: "engine_failed" });
  assert.ok(engine.closed);
  await assert.rejects(model.classify(tensor), { code: "engine_failed" });
  const second = await openEngine();
  await second.engine.loadModel({ onnx });
});

test("a crash of the thread itself ends the engine and terminates the thread", async () => {
  const { wasm } = fakeWasm();
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  serve<EngineProtocol>(port2, hostOf(wasm));
  let crash: (error: unknown) => void = () => undefined;
  let terminated = 0;
  const engine = await Engine.open(
    (onCrash) => {
      crash = onCrash;
      return { endpoint: port1, terminate: () => (terminated += 1) };
    },
    { device: "auto", wasm: {} },
  );
  const model = await engine.loadModel({ onnx });
  const running = model.explain(tensor, { method: "agi" });
  crash("Uncaught RuntimeError: unreachable");
  await assert.rejects(running, { code: "engine_failed", message: /unreachable/ });
  assert.equal(terminated, 1);
});

test("traps that no call sees are watched for, other uncaught errors are not ours", () => {
  const scope = new EventTarget();
  const traps: unknown[] = [];
  watchForTraps(scope, (trap) => traps.push(trap));
  const trap = new WebAssembly.RuntimeError("unreachable");
  scope.dispatchEvent(Object.assign(new Event("error"), { error: new Error("a bug of the page") }));
  scope.dispatchEvent(Object.assign(new Event("error"), { error: trap }));
  scope.dispatchEvent(Object.assign(new Event("unhandledrejection"), { reason: trap }));
  assert.deepEqual(traps, [trap, trap]);
});

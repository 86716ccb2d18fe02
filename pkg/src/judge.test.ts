import assert from "node:assert/strict";
import test, { afterEach } from "node:test";

import type { Wasm } from "./choice.js";
import { Engine } from "./client.js";
import { createHost, type EngineProtocol } from "./host.js";
import { gameFrame, gameScore } from "./judge.js";
import { serve } from "./rpc.js";
import type { Explanation, Game, PixelPicture, TensorData } from "./wasm/adversight.js";

let open: MessagePort[] = [];
afterEach(() => {
  for (const port of open) port.close();
  open = [];
});

/** A WebAssembly module of JavaScript, which notes what it is asked. Randomising a file takes off its first byte. */
async function openEngine() {
  const log: unknown[] = [];
  const note =
    (name: string, answer: object | object[] = {}) =>
    (...args: unknown[]) => {
      log.push([name, ...args.filter((arg) => typeof arg !== "function" && !hooks(arg))]);
      return Promise.resolve(structuredClone(answer)); // its arrays are handed over
    };
  const hooks = (arg: unknown) => typeof arg === "object" && arg !== null && "isCancelled" in arg;
  const model = (name: string): object => ({
    info: { name },
    measure: note(`measure ${name}`, [{ metric: "deletion", value: 0.25 }]),
    measureBeside: (other: { info: { name: string } }, ...rest: unknown[]) => {
      log.push(`${name} beside ${other.info.name}`);
      return note("measureBeside", [{ metric: "randomisation", value: 0.5 }])(...rest);
    },
    play: note(`play ${name}`, game),
    attack: note(`attack ${name}`, { input: tensor, change: tensor, pictures: null }),
    retrieve: note(`retrieve ${name}`, { top: [], picture: null }),
    picture: () => picture,
    withInputs: () => model(`${name} with inputs`),
    free: () => log.push(`free ${name}`),
  });
  const wasm = {
    default: () => Promise.resolve({}),
    createEngine: () =>
      Promise.resolve({
        device: { kind: "cpu" },
        loadModel: (onnx: Uint8Array, options: { labels?: string[] }) => {
          log.push(`load ${[...onnx].join("")} ${options.labels?.join("") ?? ""}`);
          return Promise.resolve(model([...onnx].join("")));
        },
        free: () => undefined,
      }),
    methods: () => [],
    metrics: () => [{ name: "deletion", better: "lower" }],
    attacks: () => [],
    layers: (onnx: Uint8Array) => [...onnx].map((byte) => ({ name: `layer ${byte}`, operator: "Conv" })),
    randomise: (onnx: Uint8Array, options: object) => {
      log.push(["randomise", options]);
      return onnx.slice(1);
    },
    colourMap: () => new Uint8Array(768),
  };
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  const build = { module: wasm as unknown as Wasm, url: () => new URL("file:///none.wasm") };
  serve<EngineProtocol>(port2, createHost({ webgpu: build, cpu: build }));
  const engine = await Engine.open(() => ({ endpoint: port1 }), { device: "cpu", wasm: {} });
  return { engine, log };
}

const tensor: TensorData = { data: new Float32Array([1, 2, 3, 4]), shape: [1, 1, 2, 2] };
const bytes = (...grey: number[]) =>
  new Uint8ClampedArray(grey.flatMap((value) => [value, value, value, 255]));
const picture: PixelPicture = { pixels: bytes(10, 20, 30, 40), width: 2, height: 2 };
const game: Game = {
  ranks: Uint32Array.of(2, 0, 3, 1),
  from: picture,
  to: { pixels: bytes(0, 0, 0, 0), width: 2, height: 2 },
  step: 2,
  curve: { x: [0, 0.5, 1], y: [0.8, 0.4, 0] },
  area: 0.4,
  forwardPasses: 3,
  milliseconds: 1,
};
const explanation = {
  attribution: tensor,
  segments: {
    labels: Uint32Array.of(0, 0, 1, 1),
    values: Float32Array.of(1, 2),
    chosen: Uint32Array.of(1),
  },
  info: { method: "relex", params: { samples: 1 }, seed: 7, target: { index: 3 } },
} as unknown as Explanation;
const onnx = new Uint8Array([1, 2, 3]);

test("an engine tells its metrics", async () => {
  const { engine } = await openEngine();
  assert.deepEqual(engine.metrics(), [{ name: "deletion", better: "lower" }]);
});

test("an explanation tells its class, its method and its segments, and a metric may go by its name", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx });
  const [found] = await model.measure(tensor, explanation, {
    metrics: ["deletion", { name: "insertion", params: { step: 2 } }],
  });
  assert.equal(found?.value, 0.25);
  const [name, input, map, options] = log.at(-1) as [string, TensorData, TensorData, Record<string, unknown>];
  assert.deepEqual([name, input, map], ["measure 123", tensor, tensor]);
  assert.deepEqual(options.metrics, [{ name: "deletion" }, { name: "insertion", params: { step: 2 } }]);
  assert.equal(options.target, 3);
  assert.deepEqual(options.explained, { method: "relex", params: { samples: 1 }, seed: 7 });
  assert.deepEqual(options.segments, explanation.segments);
});

test("what is judged of a box is the box", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx });
  const target = { box: { number: 0, class: 3 } };
  const ofABox = { ...explanation, info: { ...explanation.info, aim: { target } } } as unknown as Explanation;
  await model.measure(tensor, ofABox, { metrics: ["deletion"] });
  const options = (log.at(-1) as unknown[])[3] as Record<string, unknown>;
  assert.deepEqual(options.target, target);
});

test("of a mere map the class must be said", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx });
  await assert.rejects(model.measure(tensor, tensor, { metrics: ["deletion"] }), { code: "input_invalid" });
  await model.measure(tensor, tensor, { metrics: ["deletion"], target: 2, reference: tensor });
  const options = (log.at(-1) as unknown[])[3] as Record<string, unknown>;
  assert.equal(options.target, 2);
  assert.equal(options.explained, null);
  assert.deepEqual(options.reference, tensor);
});

test("a masking method's map is a mask as it is, another's is scaled to one", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx });
  await model.retrieve(tensor, explanation, { top: 1 });
  assert.deepEqual(log.at(-1), ["retrieve 123", tensor, tensor, "raw", 1]);
  await model.retrieve(tensor, tensor);
  assert.deepEqual(log.at(-1), ["retrieve 123", tensor, tensor, "scaled", 5]);
});

test("an attack takes its own options alone", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx });
  const signal = new AbortController().signal;
  await model.attack(tensor, { epsilon: 0.1, top: 2, signal, towards: null });
  assert.deepEqual(log.at(-1), ["attack 123", tensor, { epsilon: 0.1, towards: null }, 2]);
});

test("a model that forgets is made of the same file, with what is known about it", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx, labels: ["a", "b"] });
  assert.deepEqual(
    (await model.layers()).map(({ name }) => name),
    ["layer 1", "layer 2", "layer 3"],
  );
  const forgetful = await model.randomise({ layers: 2, seed: 5 });
  assert.equal(forgetful.info.name, "23");
  assert.deepEqual(log, ["load 123 ab", ["randomise", { layers: 2, seed: 5 }], "load 23 ab"]);
  assert.equal((await forgetful.randomise()).info.name, "3", "and can forget more");

  await model.measure(tensor, explanation, { metrics: ["randomisation"], randomised: forgetful });
  assert.ok(log.includes("123 beside 23"));
  forgetful.close();
  await assert.rejects(model.measure(tensor, explanation, { metrics: [], randomised: forgetful }), {
    code: "engine_closed",
  });
});

test("a model that forgets keeps the values of its other inputs, and the one without them is freed", async () => {
  const { engine, log } = await openEngine();
  const model = await engine.loadModel({ onnx });
  const bound = await model.withInputs({ tokens: { data: Int32Array.of(1), shape: [1, 1] } });
  assert.equal((await bound.randomise()).info.name, "23 with inputs");
  assert.ok(log.includes("free 23"));
});

test("a game shows any moment of itself without the engine", async () => {
  const { engine } = await openEngine();
  const model = await engine.loadModel({ onnx });
  const played = await model.play(tensor, explanation, { kind: "deletion", step: 2 });
  const greys = (changed: number) =>
    [...(gameFrame(played, changed)?.pixels ?? [])].filter((_, i) => i % 4 === 0);
  assert.deepEqual(greys(0), [10, 20, 30, 40]);
  assert.deepEqual(greys(1), [10, 0, 30, 40]);
  assert.deepEqual(greys(2), [10, 0, 30, 0]);
  assert.deepEqual(greys(4), [0, 0, 0, 0]);
  assert.equal(gameFrame({ ...played, from: null }, 1), null);
  assert.deepEqual([...picture.pixels], [...bytes(10, 20, 30, 40)], "the game's own pictures stay");

  assert.equal(gameScore(played, 0), 0.8);
  assert.equal(gameScore(played, 0.5), 0.4);
  assert.equal(gameScore(played, 1), 0);
  assert.ok(Math.abs(gameScore(played, 0.25) - 0.6) < 1e-12);
});

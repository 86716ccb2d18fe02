// One library in a thread of its own, so that none disturbs another and one that hangs can be ended. The page tells it what to do.

import { countGpu, takeCounts, type GpuCounts } from "./count.ts";
import type { CreateEngine, Engine, EngineOptions, Explanation, Loaded, Prepared, Shape } from "./engine.ts";
import { readOnnx } from "./onnx.ts";

/** What a thread can be asked. */
export interface Requests {
  /** Loads the library; with `count`, what it asks of WebGPU is counted. */
  start: { send: EngineOptions & { count: boolean }; reply: { description: string; milliseconds: number } };
  load: {
    send: { name: string; onnx: Uint8Array; preprocessing: Record<string, unknown> | null };
    reply: { milliseconds: number };
  };
  /** Makes an input ready under a name. */
  prepare: {
    send: { input: string; model: string; data: Float32Array<ArrayBuffer>; shape: Shape };
    reply: { gradient: boolean };
  };
  logits: { send: { input: string }; reply: { values: Float32Array; milliseconds: number } };
  gradient: {
    send: { input: string; target: number };
    reply: { values: Float32Array; milliseconds: number };
  };
  gradientOfProbability: { send: { input: string; target: number }; reply: { milliseconds: number } };
  /** Runs again and again for `budget` milliseconds, once at least. */
  time: {
    send: { input: string; quantity: Quantity; target: number; budget: number };
    reply: { milliseconds: number[] };
  };
  /** What was asked of WebGPU since the last such question. */
  counted: { send: null; reply: GpuCounts };
  /** Runs once, and says what was asked of WebGPU. */
  count: { send: { input: string; quantity: Quantity; target: number }; reply: GpuCounts };
  /** Explains a picture once. */
  explain: {
    send: { model: string; picture: Blob; explanation: Explanation };
    reply: { milliseconds: number; counts: GpuCounts };
  };
}

export type Quantity = "logits" | "gradient";

let engine: Engine | null = null;
const models = new Map<string, Loaded>();
const inputs = new Map<string, Prepared>();

const handlers: { [K in keyof Requests]: (send: Requests[K]["send"]) => Promise<Requests[K]["reply"]> } = {
  async start({ count, ...options }) {
    if (count) countGpu();
    // Some libraries take the threads that the browser says there are, and one where memory cannot be shared.
    if (options.threads === 1) Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    Object.defineProperty(navigator, "hardwareConcurrency", { value: options.threads, configurable: true });
    const begin = performance.now();
    const { default: create } = (await import(`${options.base}engine.js`)) as { default: CreateEngine };
    engine = await create(options);
    return { description: engine.description, milliseconds: performance.now() - begin };
  },

  async load({ name, onnx, preprocessing }) {
    if (!engine) throw new Error("The library is not loaded.");
    const begin = performance.now();
    models.set(name, await engine.load({ name, graph: readOnnx(onnx), onnx, preprocessing }));
    return { milliseconds: performance.now() - begin };
  },

  async prepare({ input, model, data, shape }) {
    const prepared = modelNamed(model).prepare(data, shape);
    inputs.set(input, prepared);
    return { gradient: prepared.gradient !== undefined };
  },

  async logits({ input }) {
    const begin = performance.now();
    const values = await inputNamed(input).logits();
    return { milliseconds: performance.now() - begin, values };
  },

  async gradient({ input, target }) {
    const prepared = inputNamed(input);
    const begin = performance.now();
    const values = await run(prepared, "gradient", target);
    const milliseconds = performance.now() - begin;
    return { milliseconds, values: prepared.toNchw?.(values) ?? values };
  },

  async gradientOfProbability({ input, target }) {
    const { gradientOfProbability } = inputNamed(input);
    if (!gradientOfProbability) throw new Error("This library has gradients of logits alone.");
    const begin = performance.now();
    await gradientOfProbability(target);
    return { milliseconds: performance.now() - begin };
  },

  async time({ input, quantity, target, budget }) {
    const prepared = inputNamed(input);
    const milliseconds = [];
    const start = performance.now();
    do {
      const begin = performance.now();
      await run(prepared, quantity, target);
      milliseconds.push(performance.now() - begin);
    } while (performance.now() - start < budget);
    return { milliseconds };
  },

  async counted() {
    return takeCounts();
  },

  async count({ input, quantity, target }) {
    const prepared = inputNamed(input);
    takeCounts();
    await run(prepared, quantity, target);
    return takeCounts();
  },

  async explain({ model, picture, explanation }) {
    const { explain } = modelNamed(model);
    if (!explain) throw new Error("This library explains nothing.");
    takeCounts();
    const begin = performance.now();
    await explain(picture, explanation);
    return { milliseconds: performance.now() - begin, counts: takeCounts() };
  },
};

function run(input: Prepared, quantity: Quantity, target: number): Promise<Float32Array> {
  if (quantity === "logits") return input.logits();
  if (!input.gradient) throw new Error("This library has no gradients.");
  return input.gradient(target);
}

function modelNamed(name: string): Loaded {
  const model = models.get(name);
  if (!model) throw new Error(`The model ${name} is not loaded.`);
  return model;
}

function inputNamed(name: string): Prepared {
  const input = inputs.get(name);
  if (!input) throw new Error(`The input ${name} is not ready.`);
  return input;
}

interface Message<K extends keyof Requests = keyof Requests> {
  id: number;
  request: K;
  send: Requests[K]["send"];
}

addEventListener("message", ({ data }: MessageEvent<Message | undefined>) => {
  // Libraries talk to threads of theirs with messages of their own.
  if (typeof data !== "object" || !("request" in data)) return;
  const { id, request, send } = data;
  (handlers[request] as (send: unknown) => Promise<unknown>)(send).then(
    (reply) => {
      postMessage({ id, reply });
    },
    (error: unknown) => {
      postMessage({ id, error: error instanceof Error ? error.message : describe(error) });
    },
  );
});

const describe = (error: unknown): string =>
  typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error);

// What stands beside the WebAssembly module and answers calls: in the worker, or on the page's own thread.

import { choose, type Build, type BuildName } from "./choice.js";
import { AdversightError, asAdversightError, isFatal } from "./errors.js";
import { toWasmInput, type SentInput } from "./input.js";
import { colourMapNames } from "./picture.js";
import type { Handlers } from "./rpc.js";
import type {
  Classification,
  ColourMap,
  DeviceChoice,
  DeviceReport,
  ExplainOptions,
  Explanation,
  MethodDescription,
  Engine as WasmEngine,
  ModelInput as InputValue,
  Model as WasmModel,
  ModelInfo,
  ModelOptions,
  ModelReport,
  TensorData,
} from "./wasm/adversight.js";

/** 256 colours as RGB bytes, for each name. */
export type ColourMaps = Record<ColourMap, Uint8Array>;

/** Where the WebAssembly of a build lies, where it was moved from its place. */
export type Moved = Partial<Record<BuildName, string>>;

/** Every call that the engine's side answers. A model is named by the number that `loadModel` gave. */
export interface EngineProtocol {
  open: {
    send: { device: DeviceChoice; wasm: Moved };
    reply: { device: DeviceReport; methods: MethodDescription[]; colourMaps: ColourMaps };
  };
  inspect: { send: { onnx: Uint8Array }; reply: ModelReport };
  loadModel: { send: { onnx: Uint8Array; options: ModelOptions }; reply: { model: number; info: ModelInfo } };
  classify: { send: { model: number; input: SentInput; top: number }; reply: Classification };
  explain: { send: { model: number; input: SentInput; options: ExplainOptions }; reply: Explanation };
  withInputs: {
    send: { model: number; inputs: Record<string, InputValue> };
    reply: { model: number; info: ModelInfo };
  };
  prepare: { send: { model: number; input: SentInput }; reply: TensorData };
  logits: { send: { model: number; input: TensorData }; reply: TensorData };
  inputGradient: { send: { model: number; input: TensorData; target: number }; reply: TensorData };
  closeModel: { send: { model: number }; reply: undefined };
  close: { send: undefined; reply: undefined };
}

export function createHost(builds: Record<BuildName, Build>): Handlers<EngineProtocol> {
  let engine: WasmEngine | null = null;
  const models = new Map<number, WasmModel>();
  let next = 0;

  const engineOf = (): WasmEngine => {
    if (!engine) throw new AdversightError("engine_closed", "The engine was closed.");
    return engine;
  };
  const modelOf = (id: number): WasmModel => {
    const model = models.get(id);
    if (!model) throw new AdversightError("engine_closed", "This model was closed. Load it again.");
    return model;
  };

  const keep = (model: WasmModel) => {
    const id = next++;
    models.set(id, model);
    return { model: id, info: model.info };
  };

  return {
    async open({ device, wasm: moved }) {
      const { name, reason } = await choose(device);
      const { module: wasm, url } = builds[name];
      await instantiate(wasm, new URL(moved[name] ?? url));
      engine = await wasm.createEngine(reason === undefined ? { device } : { device: "cpu", reason });
      const colourMaps = Object.fromEntries(
        colourMapNames.map((name) => [name, wasm.colourMap(name)]),
      ) as ColourMaps;
      return { value: { device: engine.device, methods: wasm.methods(), colourMaps } };
    },

    inspect({ onnx }) {
      return attempt(() => ({ value: engineOf().inspect(onnx) }));
    },

    async loadModel({ onnx, options }) {
      return { value: keep(await engineOf().loadModel(onnx, options)) };
    },

    async classify({ model, input, top }) {
      return { value: await modelOf(model).classify(toWasmInput(input), top) };
    },

    async explain({ model, input, options }, { onProgress, isCancelled }) {
      const value = await modelOf(model).explain(toWasmInput(input), options, { onProgress, isCancelled });
      const { attribution, heatmap, segments } = value;
      const parts = segments ? [segments.labels, segments.values, segments.chosen] : [];
      return { value, transfer: whole(attribution.data, heatmap.data, ...parts) };
    },

    withInputs({ model, inputs }) {
      return attempt(() => ({ value: keep(modelOf(model).withInputs(inputs)) }));
    },

    prepare({ model, input }) {
      return attempt(() => {
        const value = modelOf(model).prepare(toWasmInput(input));
        return { value, transfer: whole(value.data) };
      });
    },

    async logits({ model, input }) {
      const value = await modelOf(model).logits(input);
      return { value, transfer: whole(value.data) };
    },

    async inputGradient({ model, input, target }) {
      const value = await modelOf(model).inputGradient(input, target);
      return { value, transfer: whole(value.data) };
    },

    closeModel({ model }) {
      models.get(model)?.free();
      models.delete(model);
      return Promise.resolve({ value: undefined });
    },

    close() {
      for (const model of models.values()) model.free();
      models.clear();
      engine?.free();
      engine = null;
      return Promise.resolve({ value: undefined });
    },
  };
}

/** What a call gives that does not wait, as a promise: an error rejects it. */
async function attempt<T>(call: () => T): Promise<T> {
  return Promise.resolve(call());
}

async function instantiate(wasm: Build["module"], url: URL): Promise<void> {
  try {
    await wasm.default({ module_or_path: url });
  } catch (cause) {
    if (isFatal(cause)) throw cause;
    throw new AdversightError(
      "engine_failed",
      `The engine could not be loaded from ${url.href} (${asAdversightError(cause).message}).`,
      { cause },
    );
  }
}

/** The buffers that hold one array and nothing else. (A view into the engine's own memory must never be handed over.) */
function whole(...arrays: (Float32Array | Uint32Array)[]): ArrayBuffer[] {
  const buffers = arrays
    .filter((array) => array.byteLength === array.buffer.byteLength)
    .map((array) => array.buffer)
    .filter((buffer) => buffer instanceof ArrayBuffer);
  return [...new Set(buffers)];
}

/**
 * Tells `onTrap` of a trap that no call sees: wasm-bindgen runs Rust's futures in microtasks of its own, so that a panic in one
 * surfaces as an uncaught error of the thread while the promise of the call stays pending for ever.
 */
export function watchForTraps(
  scope: Pick<EventTarget, "addEventListener">,
  onTrap: (trap: unknown) => void,
): void {
  scope.addEventListener("error", (event) => {
    const error: unknown = (event as ErrorEvent).error;
    if (isFatal(error)) onTrap(error);
  });
  scope.addEventListener("unhandledrejection", (event) => {
    const reason: unknown = (event as PromiseRejectionEvent).reason;
    if (isFatal(reason)) onTrap(reason);
  });
}

/**
 * Adversight in a page: ONNX image classifiers and attribution methods on the user's own device.
 *
 * ```ts
 * const engine = await createEngine();
 * const model = await engine.loadModel({ onnx: "model.onnx", preprocessing: "preprocessor_config.json" });
 * const explanation = await model.explain(photograph, { method: "agi" });
 * ```
 *
 * Importing this module does nothing by itself and is safe on a server.
 */

import { Engine, type Thread } from "./client.js";
import { AdversightError } from "./errors.js";
import { spawn } from "./spawn.js";
import type { DeviceChoice } from "./wasm/adversight.js";

export { Model } from "./client.js";
export type {
  ClassifyOptions,
  ExplainOptions,
  FileSource,
  InputGradientOptions,
  InspectOptions,
  ModelSource,
  RunOptions,
} from "./client.js";
export { AdversightError, errorCodes } from "./errors.js";
export type { ErrorCode } from "./errors.js";
export { decodeImage, maxPixels } from "./input.js";
export type { ImageInput, ModelInput, NamedInputs, TensorInput } from "./input.js";
export { colourMapNames, doubtOf, drawExplanation, heatmapPixels } from "./picture.js";
export type { DrawOptions, PaintOptions, View } from "./picture.js";
export { gameFrame, gameScore } from "./judge.js";
export type {
  AttackOptions,
  Judged,
  MeasureOptions,
  PlayOptions,
  RandomiseOptions,
  RetrieveOptions,
} from "./judge.js";
export { recognise, recogniseFile, recognisedBytes } from "./recognise.js";
export type { FileKind, Recognised } from "./recognise.js";
export { parseNpy, parseValue, toInputValue } from "./values.js";
export type { InputLike, Nested } from "./values.js";
export { presetNames, presetPreprocessing } from "./preprocessing.js";
export type { PresetName, PresetSize, Preprocessing } from "./preprocessing.js";
export { segmentHeatmap, segmentRanking } from "./segments.js";
export type {
  Activation,
  Attacked,
  Classification,
  ClassScore,
  ColourMap,
  Curve,
  DeviceChoice,
  DeviceReport,
  Explanation,
  ExplanationInfo,
  Layer,
  Layout,
  Game,
  LearnedLayer,
  MaskRule,
  Measurement,
  GraphOutput,
  MethodDescription,
  MethodSupport,
  MetricDescription,
  MetricNeed,
  MetricRequest,
  ModelInput as InputValue,
  ModelInfo,
  ModelReport,
  Numbers,
  OperatorSupport,
  ParamDescription,
  PartialExplanation,
  PixelPicture,
  Progress,
  Region,
  Retrieval,
  Score,
  Segmentation,
  TensorData,
  ValueInfo,
  Anytime,
  Memory,
  Stop,
  Stopped,
} from "./wasm/adversight.js";
export type { Engine };

export interface EngineOptions {
  /** The GPU, the CPU, or the better of what is there ("auto", the default). */
  device?: DeviceChoice;
  /** In a worker (true, the default), on the page's own thread (false), or in a given worker made from "adversight/worker". */
  worker?: boolean | Worker;
  /**
   * How many threads compute on the CPU, in a worker of a page that is cross-origin isolated; elsewhere it is one. As many as there are
   * processors, up to 8, where it is left out. Results do not depend on it.
   */
  threads?: number;
  /**
   * The addresses of `adversight_bg.wasm` (the package's "adversight/wasm"), `adversight_cpu_bg.wasm` ("adversight/wasm-cpu") and
   * `adversight_cpu_threads_bg.wasm` ("adversight/wasm-threads"), where they were moved from their place. Only the one that is needed is
   * fetched.
   */
  wasm?: { webgpu?: URL | string; cpu?: URL | string; threads?: URL | string };
  /**
   * Bytes that the values of one batch may take, beside the weights; larger batches are computed in parts. Where it is left out 256 MiB on
   * the CPU, and on a GPU half of the largest buffer that its adapter allows.
   */
  batchMemory?: number;
}

export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const { device = "auto", worker = true, threads, batchMemory } = options;
  if (typeof WebAssembly === "undefined" || typeof location === "undefined") {
    throw new AdversightError(
      "device_unavailable",
      "Adversight runs in a browser: call createEngine in a page.",
    );
  }
  const base = typeof document === "undefined" ? location.href : document.baseURI;
  const wasm = Object.fromEntries(
    Object.entries(options.wasm ?? {}).map(([name, url]) => [name, new URL(url, base).href]),
  );
  const opening = { device, wasm, threads, batchMemory };
  if (!worker) {
    const { startHere } = await import("./here.js");
    return Engine.open(() => ({ endpoint: startHere() }), opening);
  }
  const thread = worker === true ? createWorker() : worker;
  return Engine.open((onCrash) => workerThread(thread, onCrash), opening);
}

function workerThread(worker: Worker, onCrash: (error: unknown) => void): Thread {
  worker.addEventListener("error", (event) => {
    event.preventDefault(); // it is reported through the calls that it ends
    onCrash(
      event.message || new AdversightError("engine_failed", "The engine's worker could not be loaded."),
    );
  });
  worker.addEventListener("messageerror", () => {
    onCrash("a message of its worker could not be read");
  });
  return {
    endpoint: worker,
    terminate() {
      worker.terminate();
    },
  };
}

function createWorker(): Worker {
  return spawn(
    "worker.js",
    () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "adversight" }),
  );
}

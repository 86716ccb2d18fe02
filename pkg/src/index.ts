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

import type { Engine } from "./client.js";
import { openEngine, type EngineOptions } from "./start.js";

export * from "./common.js";
export type {
  ClassifyOptions,
  ExplainOptions,
  FileSource,
  DetectOptions,
  InputGradientOptions,
  InspectOptions,
  ModelSource,
  RunOptions,
} from "./client.js";
export type { ErrorCode } from "./errors.js";
export type { ImageInput, ModelInput, NamedInputs, TensorInput } from "./input.js";
export type {
  AnyName,
  AttackChoice,
  AttackName,
  MethodChoice,
  MethodName,
  MetricChoice,
  MetricName,
} from "./methods.js";
export type { AttackParams, MethodParams, MetricParams } from "./parameters.js";
export type { TextInput, TokenizerOptions } from "./texts.js";
export type { Colour, Stretch, WordsOptions, Written } from "./words.js";
export type { SignedMap } from "./signs.js";
export type { DrawOptions, PaintOptions, View } from "./picture.js";
export type {
  AttackOptions,
  Judged,
  MeasureOptions,
  PlayOptions,
  RandomiseOptions,
  RetrieveOptions,
} from "./judge.js";
export type { RecordOptions, Samples, SoundInput } from "./sound.js";
export type { HeardPart, SoundPaint, SoundPlace, SoundShown, Spectrogram } from "./sound-view.js";
export type { Cell, TableInput, TableSource } from "./tables.js";
export type { ColumnBar, ColumnsOptions, SeriesOptions } from "./table-view.js";
export type { FileKind, Recognised } from "./recognise.js";
export type { InputLike, Nested } from "./values.js";
export type { PresetName, PresetSize, Preprocessing } from "./preprocessing.js";
export type {
  Activation,
  AttackDescription,
  Attacked,
  Chance,
  Background,
  BoxFormat,
  BoxTarget,
  BoxUnit,
  Aim,
  Classification,
  Detected,
  Detections,
  DetectorInfo,
  DetectorOptions,
  RegionTarget,
  Scoring,
  HeadStyle,
  Target,
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
  Heard,
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
  Part,
  PartialExplanation,
  PixelPicture,
  Progress,
  Region,
  Retrieval,
  Score,
  Segmentation,
  SeriesView,
  SoundData,
  SoundInfo,
  SoundOptions,
  TableColumn,
  TableKind,
  TableView,
  TensorData,
  TokensInfo,
  ValueInfo,
  Anytime,
  Memory,
  Stop,
  Stopped,
} from "./wasm/adversight.js";
export type { Engine };

export type { EngineFile, EngineOptions } from "./start.js";
export type { PowerPreference } from "./choice.js";
export type { GpuDevice } from "./gpu.js";
export type { CachedModel } from "./cache.js";
export type { LoadProgress } from "./tally.js";
export type { Loss } from "./failover.js";

export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  return openEngine(options, {
    worker: () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "adversight" }),
    here: () => import("./here.js"),
  });
}

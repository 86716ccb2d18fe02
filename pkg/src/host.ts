// What stands beside the WebAssembly module and answers calls: in the worker, or on the page's own thread.

import {
  before,
  choose,
  late,
  type Build,
  type BuildName,
  type PowerPreference,
  type WasmSource,
} from "./choice.js";
import { AdversightError, asAdversightError, isFatal } from "./errors.js";
import { guardLoss, type EngineEvent, type Guard } from "./failover.js";
import { checkDevice, openingGpu, unfollow, type GpuDevice } from "./gpu.js";
import { canvasIsNoisy, discardInput, noisyCanvas, toWasmInput, type SentInput } from "./input.js";
import { colourMapNames } from "./picture.js";
import { refused, watchPolicy } from "./policy.js";
import {
  isSentText,
  tokenizerOf,
  tokensOf,
  type SentTokenizer,
  type TextBuild,
  type TextTokenizer,
} from "./texts.js";
import { serve, teller, type Endpoint, type Handlers, type Hooks, type Protocol } from "./rpc.js";
import { unmoved } from "./spawn.js";
import { takesSound } from "./sound.js";
import { openThreaded, threadsHere, type MovedThreads, type ThreadedBuild } from "./threads.js";
import type {
  Attacked,
  AttackDescription,
  AttackOptions,
  Classification,
  DetectOptions,
  Detections,
  ColourMap,
  DeviceChoice,
  DeviceReport,
  ExplainOptions,
  Explanation,
  Game,
  Heard,
  JudgeOptions,
  LearnedLayer,
  MaskRule,
  MeasureOptions,
  Measurement,
  GraphOutput,
  MethodDescription,
  MetricDescription,
  Engine as WasmEngine,
  ModelInput as InputValue,
  Model as WasmModel,
  ModelInfo,
  ModelOptions,
  ModelReport,
  PixelPicture,
  PlayOptions,
  RandomiseOptions,
  Retrieval,
  Score,
  SoundData,
  TensorData,
  WasmInput,
} from "./wasm/adversight.js";

/** 256 colours as RGB bytes, for each name. */
export type ColourMaps = Record<ColourMap, Uint8Array>;

/** A map that is judged. */
interface Sent<Options extends JudgeOptions> {
  model: number;
  input: SentInput;
  map: TensorData;
  options: Options;
}

/** What a model was made of, to make it again with other weights. */
interface Origin {
  /** The file, which a browser may keep on the disk. */
  onnx: Blob;
  options: ModelOptions;
  inputs?: Record<string, InputValue>;
  /** What makes tokens of texts; it is freed with the last model that has it. */
  tokenizer?: TextTokenizer;
  /** The files beside it, where the model may have to be made again on another device. */
  external?: Record<string, Blob>;
}

/** Where the WebAssembly of a build lies, where it was moved from its place. */
export type Moved = Partial<Record<BuildName | "sound" | "text", WasmSource>> & MovedThreads;

/** What decodes sounds: a module of its own, whose WebAssembly is fetched with the first file of a sound. */
export interface Decoder {
  module: Pick<typeof import("./wasm/adversight_sound.js"), "decodeSound"> & Pick<Build["module"], "default">;
  url: () => URL;
}

/** The builds that an entry of the package has. */
export interface Builds {
  cpu: Build;
  webgpu?: Build;
  threads?: ThreadedBuild;
  text?: TextBuild;
  sound?: Decoder;
}

/** Every call that the engine's side answers. A model is named by the number that `loadModel` gave. */
export interface EngineProtocol {
  open: {
    send: {
      device: DeviceChoice;
      wasm: Moved;
      threads?: number | undefined;
      batchMemory?: number | undefined;
      powerPreference?: PowerPreference | undefined;
    };
    reply: {
      device: DeviceReport;
      methods: MethodDescription[];
      metrics: MetricDescription[];
      attacks: AttackDescription[];
      colourMaps: ColourMaps;
    };
  };
  inspect: { send: { onnx: Uint8Array }; reply: ModelReport };
  readLabels: { send: { text: string; classes: number }; reply: string[] };
  run: {
    send: {
      onnx: Uint8Array;
      inputs: Record<string, InputValue>;
      options: Pick<ModelOptions, "external">;
    };
    reply: Record<string, GraphOutput>;
  };
  loadModel: {
    send: {
      onnx: Uint8Array;
      options: ModelOptions;
      inputs?: Record<string, InputValue>;
      tokenizer?: SentTokenizer;
    };
    reply: { model: number; info: ModelInfo };
  };
  classify: { send: { model: number; input: SentInput; top: number }; reply: Classification };
  detect: { send: { model: number; input: SentInput; options: DetectOptions }; reply: Detections };
  explain: { send: { model: number; input: SentInput; options: ExplainOptions }; reply: Explanation };
  heard: {
    send: { model: number; input: SentInput; explanation: Pick<Explanation, "segments" | "parts"> };
    reply: Heard;
  };
  soundOf: { send: { model: number; input: TensorData }; reply: SoundData };
  withInputs: {
    send: { model: number; inputs: Record<string, InputValue> };
    reply: { model: number; info: ModelInfo };
  };
  prepare: { send: { model: number; input: SentInput }; reply: TensorData };
  picture: { send: { model: number; input: SentInput }; reply: PixelPicture | null };
  logits: { send: { model: number; input: TensorData }; reply: TensorData };
  inputGradient: {
    send: { model: number; input: TensorData; target: number; score: Score | undefined };
    reply: TensorData;
  };
  measure: { send: Sent<MeasureOptions> & { randomised: number | null }; reply: Measurement[] };
  play: { send: Sent<PlayOptions>; reply: Game };
  attack: { send: { model: number; input: SentInput; options: AttackOptions; top: number }; reply: Attacked };
  retrieve: {
    send: { model: number; input: SentInput; map: TensorData; mask: MaskRule; top: number };
    reply: Retrieval;
  };
  layers: { send: { model: number }; reply: LearnedLayer[] };
  randomise: {
    send: { model: number; options: RandomiseOptions };
    reply: { model: number; info: ModelInfo };
  };
  closeModel: { send: { model: number }; reply: undefined };
  close: { send: undefined; reply: undefined };
}

/** How long an engine may take to open a GPU that has answered, in milliseconds: compiling its shaders included. */
const patience = 60_000;

/** Whether the GPU that this thread's engines share was lost: the WebAssembly keeps what it has opened, and a thread has one instance. */
let gpuWasLost = false;

export interface Host {
  handlers: Handlers<EngineProtocol>;
  guard: Guard;
}

/** The handlers alone. */
export function createHost(builds: Builds): Handlers<EngineProtocol> {
  return hostOf(
    builds,
    () => undefined,
    () => undefined,
  ).handlers;
}

/** `tell` is given what nobody has asked for, and `end` the error after which nothing can go on; `gpuDevice` is a device of the page's own. */
export function hostOf(
  builds: Builds,
  tell: (event: EngineEvent) => void,
  end: (error: AdversightError) => void,
  gpuDevice?: GpuDevice,
): Host {
  let engine: WasmEngine | null = null;
  let wasm: Build["module"] | null = null;
  const models = new Map<number, { model: WasmModel; origin: Origin }>();
  let next = 0;
  /** Whether a model may have to be made again. */
  let recoverable = false;
  const guard = guardLoss(tell, end);
  const lose = (message: string) => {
    gpuWasLost = true;
    guard.lose(message);
  };

  const engineOf = (): WasmEngine => {
    if (!engine) throw new AdversightError("engine_closed", "The engine was closed.");
    return engine;
  };
  const wasmOf = (): Build["module"] => {
    if (!wasm) throw new AdversightError("engine_closed", "The engine was closed.");
    return wasm;
  };
  const find = (id: number) => {
    const found = models.get(id);
    if (!found) throw new AdversightError("engine_closed", "This model was closed. Load it again.");
    return found;
  };
  const modelOf = (id: number): WasmModel => find(id).model;
  const fileOf = async (id: number) => new Uint8Array(await find(id).origin.onnx.arrayBuffer());

  let movedTo: Moved = {};
  let decoder: Promise<Decoder["module"]> | null = null;

  /** The samples of a sound's file. What decodes them is fetched once. */
  const decode = async (bytes: Uint8Array): Promise<SoundData> => {
    const { sound } = builds;
    if (!sound) throw new AdversightError("engine_failed", "This build of the engine decodes no sounds.");
    decoder ??= instantiate(sound, movedTo.sound).then(() => sound.module);
    decoder.catch(() => (decoder = null)); // it may be there the next time
    return (await decoder).decodeSound(bytes);
  };

  /** The model for an input. One that hears is made for sounds of a length, and made again for a sound of another. */
  const fitting = async (id: number, input: WasmInput): Promise<WasmModel> => {
    const found = find(id);
    if (input === null || !("channels" in input)) return found.model;
    const { sound } = found.model.info;
    const { options } = found.origin;
    const hears = (sound: NonNullable<ModelOptions["sound"]>) =>
      again(engineOf(), { ...found.origin, options: { ...options, sound } });
    // A network on samples needs no more to be said than that.
    const hearing = sound ? found.model : await hears({});
    const length = hearing.soundLength(input);
    const fits = length === hearing.info.sound?.length;
    // The one before may still be at work, and is left to the garbage collector.
    found.model = fits ? hearing : await hears({ ...options.sound, length });
    return found.model;
  };

  /** A model and an input that belong together, as the engine takes them: a text as its tokens, a sound as its samples. */
  const taken = async (id: number, sent: SentInput): Promise<[WasmModel, WasmInput]> => {
    const { model, origin } = find(id);
    if (isSentText(sent)) return [model, tokensOf(origin.tokenizer, sent)];
    if (sent !== null && ("encoded" in sent || "channels" in sent) && !takesSound(model.info)) {
      throw new AdversightError(
        "input_invalid",
        "This is a sound, and the network takes none. If it hears, load it with the preprocessing of its sounds, or with the option " +
          "`sound`.",
      );
    }
    const decoded = sent !== null && "encoded" in sent ? await decode(sent.encoded) : sent;
    const input = toWasmInput(decoded);
    return [await fitting(id, input), input];
  };

  const keep = (model: WasmModel, origin: Origin) => {
    const id = next++;
    models.set(id, { model, origin });
    return { model: id, info: model.info };
  };

  const handlers: Handlers<EngineProtocol> = {
    async open({ device, wasm: moved, threads, batchMemory, powerPreference }) {
      movedTo = moved;
      const memory = batchMemory === undefined ? {} : { batchMemory };
      const onCpu = async (reason: string | undefined) => {
        const module = await load(builds, "cpu", moved, threadsHere(threads));
        const choice = reason === undefined ? { device } : { device: "cpu" as const, reason };
        return { module, opened: await module.createEngine({ ...choice, ...memory }) };
      };
      const onGpu = async () => {
        const module = await load(builds, "webgpu", moved, 1);
        const opened = await before(
          patience,
          // A device that is given is wanted, also where it is emulated.
          openingGpu({ power: powerPreference, device: gpuDevice }, lose, () =>
            module.createEngine({ device: gpuDevice ? "webgpu" : device, ...memory }),
          ),
        );
        if (opened !== late) return { module, opened };
        throw new AdversightError(
          "device_unavailable",
          `the GPU did not open within ${patience / 1000} seconds.`,
        );
      };
      const { name, reason } = await choiceOf(builds, device, powerPreference, gpuDevice);
      let made: { module: Build["module"]; opened: WasmEngine };
      try {
        made = name === "webgpu" ? await onGpu() : await onCpu(reason);
      } catch (error) {
        // Whoever asks for WebGPU alone gets it or the error.
        if (name === "cpu" || device !== "auto") throw error;
        made = await onCpu(
          `The CPU is used, since the engine for WebGPU is not there. ${asAdversightError(error).message}`,
        );
      }
      const { module, opened } = made;
      wasm = module;
      engine = opened;
      if (engine.device.kind === "webgpu") {
        recoverable = device === "auto";
        const recover = async () => {
          // Nothing of the other instance may be called any more, not even to free it.
          const { module, opened } = await onCpu("The CPU is used: the GPU was lost.");
          wasm = module;
          engine = opened;
          for (const kept of models.values()) kept.model = await again(opened, kept.origin);
          recoverable = false;
          return opened.device;
        };
        guard.arm(recoverable ? recover : null);
      }
      const colourMaps = Object.fromEntries(
        colourMapNames.map((name) => [name, module.colourMap(name)]),
      ) as ColourMaps;
      return {
        value: {
          device: engine.device,
          methods: module.methods(),
          metrics: module.metrics(),
          attacks: module.attacks(),
          colourMaps,
        },
      };
    },

    inspect({ onnx }) {
      return attempt(() => ({ value: engineOf().inspect(onnx) }));
    },

    readLabels({ text, classes }) {
      return attempt(() => ({ value: wasmOf().readLabels(text, classes) }));
    },

    async run({ onnx, inputs, options }) {
      const value = await engineOf().run(onnx, inputs, options);
      return { value, transfer: whole(...Object.values(value).map(({ data }) => data)) };
    },

    async loadModel({ onnx, options, inputs, tokenizer }) {
      const reader = tokenizer && (await tokenizerOf(builds.text, tokenizer, movedTo.text));
      // What decides what is computed has to be known while the file is read.
      const all = inputs ? { ...options, inputs } : options;
      const loaded = given(await engineOf().loadModel(onnx, all), inputs);
      // Files beside it are kept in memory only where it may have to be made again.
      const remade = recoverable || takesSound(loaded.info);
      const origin = {
        ...(reader ? { tokenizer: reader } : {}),
        onnx: new Blob([onnx as Uint8Array<ArrayBuffer>]),
        options: { ...options, external: null },
        ...(inputs ? { inputs } : {}),
        ...(remade && options.external ? { external: blobsOf(options.external) } : {}),
      };
      return { value: keep(loaded, origin) };
    },

    async classify({ model, input, top }) {
      const [judge, given] = await taken(model, input);
      return { value: await judge.classify(given, top) };
    },

    async detect({ model, input, options }) {
      const [detector, given] = await taken(model, input);
      return { value: await detector.detect(given, options) };
    },

    async explain({ model, input, options }, { onProgress, onPartial, isCancelled }) {
      const [asked, given] = await taken(model, input);
      const value = await asked.explain(given, options, {
        onProgress,
        isCancelled,
        onPartial:
          onPartial &&
          ((partial) => {
            onPartial(partial, whole(partial.attribution.data, partial.heatmap.data));
          }),
      });
      if (input && "bitmap" in input && canvasIsNoisy()) value.info.notes.push(noisyCanvas);
      const { attribution, heatmap, segments } = value;
      const parts = segments ? [segments.labels, segments.values, segments.chosen] : [];
      return { value, transfer: whole(attribution.data, heatmap.data, ...parts) };
    },

    async heard({ model, input, explanation }) {
      const [hearing, sound] = await taken(model, input);
      if (sound === null || !("channels" in sound)) {
        throw new AdversightError("input_invalid", "Only a sound can be heard.");
      }
      const value = hearing.heard(sound, explanation);
      return {
        value,
        transfer: whole(...[value.sound, value.only, value.left].flatMap(({ channels }) => channels)),
      };
    },

    soundOf({ model, input }) {
      return attempt(() => {
        const value = modelOf(model).soundOf(input);
        return { value, transfer: whole(...value.channels) };
      });
    },

    withInputs({ model, inputs }) {
      return attempt(() => ({
        value: keep(modelOf(model).withInputs(inputs), {
          ...find(model).origin,
          inputs: { ...find(model).origin.inputs, ...inputs },
        }),
      }));
    },

    async prepare({ model, input }) {
      const [asked, given] = await taken(model, input);
      const value = asked.prepare(given);
      return { value, transfer: whole(value.data) };
    },

    async picture({ model, input }) {
      const [asked, given] = await taken(model, input);
      const value = asked.picture(given);
      return { value, transfer: whole(...pixelsOf(value)) };
    },

    async logits({ model, input }) {
      const value = await modelOf(model).logits(input);
      return { value, transfer: whole(value.data) };
    },

    async inputGradient({ model, input, target, score }) {
      const value = await modelOf(model).inputGradient(input, target, score);
      return { value, transfer: whole(value.data) };
    },

    async measure({ model, input, map, options, randomised }, hooks) {
      const [judge, given] = await taken(model, input);
      const value =
        randomised === null
          ? await judge.measure(given, map, options, hooks)
          : await judge.measureBeside(modelOf(randomised), given, map, options, hooks);
      return { value };
    },

    async play({ model, input, map, options }, hooks) {
      const [judge, given] = await taken(model, input);
      const value = await judge.play(given, map, options, hooks);
      return { value, transfer: whole(value.ranks, ...pixelsOf(value.from, value.to)) };
    },

    async attack({ model, input, options, top }, hooks) {
      const [attacked, given] = await taken(model, input);
      const value = await attacked.attack(given, options, top, hooks);
      const { before = null, after = null, change = null } = value.pictures ?? {};
      return {
        value,
        transfer: whole(value.input.data, value.change.data, ...pixelsOf(before, after, change)),
      };
    },

    async retrieve({ model, input, map, mask, top }) {
      const [judge, given] = await taken(model, input);
      const value = await judge.retrieve(given, map, mask, top);
      return { value, transfer: whole(...pixelsOf(value.picture)) };
    },

    async layers({ model }) {
      return { value: wasmOf().layers(await fileOf(model)) };
    },

    async randomise({ model, options }) {
      const { origin } = find(model);
      const onnx = wasmOf().randomise(await fileOf(model), options) as Uint8Array<ArrayBuffer>;
      const all = origin.inputs ? { ...origin.options, inputs: origin.inputs } : origin.options;
      const forgetful = given(await engineOf().loadModel(onnx, all), origin.inputs);
      return { value: keep(forgetful, { ...origin, onnx: new Blob([onnx]) }) };
    },

    closeModel({ model }) {
      models.get(model)?.model.free();
      models.delete(model);
      return Promise.resolve({ value: undefined });
    },

    close() {
      unfollow(lose);
      for (const { model } of models.values()) model.free();
      models.clear();
      engine?.free();
      engine = null;
      return Promise.resolve({ value: undefined });
    },
  };
  return { handlers: guarded(handlers, guard), guard };
}

/** The build, where this entry of the package has it and this thread's GPU is whole. */
async function choiceOf(
  builds: Builds,
  device: DeviceChoice,
  power: PowerPreference | undefined,
  gpuDevice: GpuDevice | undefined,
): ReturnType<typeof choose> {
  const against = !builds.webgpu
    ? 'this is "adversight/cpu", which has no engine for WebGPU.'
    : gpuWasLost
      ? "the GPU was lost on this thread: load the page again, or run the engine in a worker."
      : null;
  if (against === null && gpuDevice && device !== "cpu") {
    await checkDevice(gpuDevice);
    return { name: "webgpu" };
  }
  if (against === null || !["auto", "webgpu"].includes(device)) return choose(device, undefined, { power });
  if (device === "auto") return { name: "cpu", reason: `The CPU is used: ${against}` };
  throw new AdversightError(builds.webgpu ? "device_lost" : "device_unavailable", against);
}

/** The handlers, whose calls go on elsewhere where the device is lost under them. */
function guarded<P extends Protocol<P>>(handlers: Handlers<P>, guard: Guard): Handlers<P> {
  const call = (name: keyof P) => (args: P[keyof P]["send"], hooks: Hooks) =>
    guard.run(() => handlers[name](args, hooks));
  return Object.fromEntries(
    Object.keys(handlers).map((name) => [name, call(name as keyof P)]),
  ) as unknown as Handlers<P>;
}

/** Serves an engine on this thread; `onTrap` is told when its WebAssembly is of no more use. */
export function serveHost(
  endpoint: Endpoint,
  builds: Builds,
  scope: Pick<EventTarget, "addEventListener">,
  { onTrap = () => undefined, gpuDevice }: { onTrap?: () => void; gpuDevice?: GpuDevice | undefined } = {},
): void {
  let die: (error: unknown) => void = () => undefined;
  const { handlers, guard } = hostOf(
    builds,
    teller(endpoint),
    (error) => {
      die(error);
    },
    gpuDevice,
  );
  die = serve<EngineProtocol>(endpoint, handlers, discardInput);
  watchForTraps(scope, (trap) => {
    void guard.survives(trap).then((survived) => {
      if (survived) return;
      onTrap();
      die(trap);
    });
  });
}

/** Serves an engine in a worker. */
export function work(builds: Builds): void {
  const scope = globalThis as unknown as Endpoint & EventTarget;
  serveHost(scope, builds, scope);
}

const blobsOf = (files: Record<string, Uint8Array>) =>
  Object.fromEntries(
    Object.entries(files).map(([name, bytes]) => [name, new Blob([bytes as Uint8Array<ArrayBuffer>])]),
  );

const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());

/** A model once more, on another engine. */
async function again(engine: WasmEngine, { onnx, options, inputs, external }: Origin): Promise<WasmModel> {
  const files = Object.entries(external ?? {}).map(
    async ([name, blob]) => [name, await bytesOf(blob)] as const,
  );
  const all = {
    ...options,
    ...(inputs ? { inputs } : {}),
    ...(external ? { external: Object.fromEntries(await Promise.all(files)) } : {}),
  };
  return given(await engine.loadModel(await bytesOf(onnx), all), inputs);
}

/** A model that was just loaded, with values for inputs that are not explained. */
function given(loaded: WasmModel, inputs: Record<string, InputValue> | undefined): WasmModel {
  if (!inputs || Object.keys(inputs).length === 0) return loaded;
  try {
    return loaded.withInputs(inputs);
  } finally {
    loaded.free();
  }
}

const pixelsOf = (...pictures: (PixelPicture | null)[]) =>
  pictures.flatMap((picture) => (picture ? [picture.pixels] : []));

/** What a call gives that does not wait, as a promise: an error rejects it. */
async function attempt<T>(call: () => T): Promise<T> {
  return Promise.resolve(call());
}

/** The build of this name; where there may be threads, the one for threads if it can be had. */
async function load(
  builds: Builds,
  name: BuildName,
  moved: Moved,
  threads: number,
): Promise<Build["module"]> {
  const threaded = builds.threads;
  if (threaded && threads > 1) {
    try {
      return await openThreaded(threaded, moved, threads);
    } catch (error) {
      console.warn("Adversight computes in one thread:", error);
    }
  }
  const build = builds[name];
  if (!build) throw new AdversightError("internal", `There is no engine for ${name} here.`);
  await instantiate(build, moved[name]);
  return build.module;
}

async function instantiate(
  { module, url }: Pick<Build, "url"> & { module: Pick<Build["module"], "default"> },
  moved: WasmSource | undefined,
): Promise<void> {
  let source = moved;
  try {
    source ??= unmoved(url());
  } catch (cause) {
    throw new AdversightError(
      "engine_failed",
      "Where the engine's WebAssembly lies is not known here, since a bundler has taken its address away. Give createEngine its addresses or bytes, as the " +
        "option `wasm`.",
      { cause },
    );
  }
  const watch = watchPolicy();
  try {
    await module.default({ module_or_path: typeof source === "string" ? new URL(source) : source });
  } catch (cause) {
    if (isFatal(cause)) throw cause;
    const from = source instanceof URL || typeof source === "string" ? ` from ${String(source)}` : "";
    const { message } = asAdversightError(cause);
    const refusal = await watch.refusal();
    const policy = /unsafe-eval|Content Security Policy/i.test(message)
      ? " The page's Content Security Policy has to allow WebAssembly: script-src 'wasm-unsafe-eval'."
      : refusal
        ? ` ${refused(refusal)}`
        : "";
    throw new AdversightError(
      "engine_failed",
      `The engine could not be loaded${from} (${message}).${policy}`,
      { cause },
    );
  } finally {
    watch.end();
  }
}

/** The buffers that hold one array and nothing else. (A view into the engine's own memory must never be handed over.) */
function whole(
  ...arrays: (Float32Array | Int32Array | Uint32Array | Uint8Array | Uint8ClampedArray)[]
): ArrayBuffer[] {
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

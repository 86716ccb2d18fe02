// The engine and its models as the user of the package sees them.

import { before, late } from "./choice.js";
import { download, downloadJson, downloadOnce, readBlob } from "./download.js";
import { AdversightError, engineFailure } from "./errors.js";
import type { EngineEvent, Loss } from "./failover.js";
import type { ColourMaps, EngineProtocol } from "./host.js";
import {
  checkTensor,
  foreignPixels,
  prepareInput,
  tensorOf,
  tight,
  type ModelInput,
  type SentInput,
  type TensorInput,
} from "./input.js";
import {
  judging,
  mapOf,
  maskRule,
  segmentsOf,
  tokenOf,
  type AttackOptions,
  type Judged,
  type MeasureOptions,
  type PlayOptions,
  type RandomiseOptions,
  type RetrieveOptions,
} from "./judge.js";
import { requested, type MethodChoice } from "./methods.js";
import { recognise, recognisedBytes } from "./recognise.js";
import { Caller, type CallOptions, type Endpoint } from "./rpc.js";
import { takesSound } from "./sound.js";
import type { Preprocessing } from "./preprocessing.js";
import { nameOf, Tally, type LoadProgress } from "./tally.js";
import { isSentText, type TokenChoice, type TokenizerOptions } from "./texts.js";
import { toInputValue, type InputLike } from "./values.js";
import type {
  Activation,
  Attacked,
  Classification,
  DetectOptions as Detecting,
  DetectorOptions,
  Detections,
  ColourMap,
  DeviceReport,
  ExplainOptions as MethodOptions,
  Explanation,
  Layout,
  Game,
  Heard,
  LearnedLayer,
  Measurement,
  GraphOutput,
  MethodDescription,
  AttackDescription,
  MetricDescription,
  ModelInput as InputValue,
  ModelInfo,
  ModelOptions,
  ModelReport,
  PartialExplanation,
  PixelPicture,
  Progress,
  Retrieval,
  Score,
  SoundData,
  SoundOptions,
  TensorData,
} from "./wasm/adversight.js";

/** A file: its address, the file itself, or its bytes. */
export type FileSource = URL | string | Blob | Uint8Array | ArrayBuffer | SharedArrayBuffer;

export interface ModelSource {
  /** The model: its address, its file, or its bytes. */
  onnx: FileSource;
  /**
   * The SHA-256 of the file at the address `onnx`, in hexadecimal. It is then checked, and the file is kept in the browser's storage, so
   * that it is downloaded once.
   */
  sha256?: string | undefined;
  /** The names of the classes in order, or the address of a JSON list of them. */
  labels?: string[] | URL | string | undefined;
  /** A `preprocessor_config.json` (Hugging Face), or its address. Images can be given only where it is known. */
  preprocessing?: Preprocessing | URL | string | undefined;
  /** A `config.json` (Hugging Face), of which `id2label` is read, or its address. */
  config?: Record<string, unknown> | URL | string | undefined;
  /** What to call the model. */
  name?: string | undefined;
  /**
   * The input to explain, by its name in the file, where there are several. A list of inputs is explained at once: give their values as
   * `{ inputs: { name: tensor } }`, and read `explanation.inputs`.
   */
  input?: string | string[] | undefined;
  /**
   * Values of the inputs that are not explained (of those explained at once, for sizes that the file leaves open), by their names: tensors, numbers, or lists of numbers. What is not given is filled by the
   * engine's rules where there is one (`model.info` says which), and asked for by name where there is none.
   */
  inputs?: Record<string, InputLike> | undefined;
  /** The output (head) to explain, by its name in the file, where there are several. */
  output?: string | undefined;
  /** Explain at the output of this node instead of at the input, as for embeddings. */
  at?: string | undefined;
  /** Sizes of dimensions that the file leaves open: by symbolic name ("height"), or by input and axis ("pixels:2"). */
  sizes?: Record<string, number> | undefined;
  /** The shape of an input at hand, from which the explained input takes the sizes that the file leaves open and `sizes` does not name. */
  shape?: number[] | undefined;
  /** What turns the network's scores into probabilities. Found at the end of the graph where it is left out. */
  activation?: Activation | undefined;
  /** How a detector's outputs are arranged: `{}` where several are read together, more where the file does not say (docs/detectors.md). */
  detector?: DetectorOptions | undefined;
  /** What the axes of the explained value mean. Found by its shape and the graph where it is left out (`model.info.layout`). */
  layout?: Layout | undefined;
  /**
   * What makes tokens of texts, for networks that read: a `tokenizer.json` (Hugging Face) or a vocabulary of one word a line, by its address, as a
   * file, or its bytes; "bytes" for networks that read the bytes of any file, as magika does. Strings can be given only where it is known.
   */
  tokenizer?: FileSource | undefined;
  /** What the tokenizer's file does not say. */
  tokenizerOptions?: TokenizerOptions | undefined;
  /** The most tokens of a text, where the network takes any number: as many as it has places for, or 512, where it is left out. */
  longest?: number | undefined;
  /**
   * The axis of the network's tokens that holds the texts: 0 for `[texts, tokens]`, 1 for `[tokens, texts]`, as PyTorch's recurrent layers have it.
   * Found by trying both where it is left out.
   */
  batchAxis?: number | undefined;
  /**
   * How it hears, for a network on sounds whose preprocessing does not say so: samples a second, and whether cells of time and frequency
   * or samples are explained. `{}` for the usual.
   */
  sound?: Pick<SoundOptions, "rate" | "view"> | undefined;
  /** An ONNX network that was trained to mask what this one looks at, which the method `rt_sal` needs. */
  masker?: FileSource | undefined;
  /** Files that weights lie in, by the location that the ONNX file names (`ModelReport.external`). */
  external?: Record<string, FileSource> | undefined;
  signal?: AbortSignal | undefined;
  /**
   * Called with bytes while the model and the files beside it are downloaded (stage "download"; `file` says which one has come on), and
   * while it is read.
   */
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

export interface InspectOptions {
  signal?: AbortSignal | undefined;
  /** Called with bytes while the file is downloaded. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface RunOptions {
  /** Files that weights lie in, by the location that the ONNX file names (`ModelReport.external`). */
  external?: Record<string, FileSource> | undefined;
  signal?: AbortSignal | undefined;
  /** Called with bytes while the file is downloaded. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface ClassifyOptions {
  /** How many of the best classes to give (5). */
  top?: number;
  /** The token that is asked about, where the network gives each a class. */
  token?: TokenChoice | undefined;
  signal?: AbortSignal | undefined;
}

export interface DetectOptions extends Detecting {
  signal?: AbortSignal | undefined;
}

export interface InputGradientOptions {
  /** What is differentiated ("logit"). */
  score?: Score;
  signal?: AbortSignal | undefined;
}

/** What to explain, and how: the parameters are those of the method that is named. */
export type ExplainOptions = Omit<MethodOptions, "method" | "params"> &
  MethodChoice &
  Watched & {
    /** The token that is asked about, where the network gives each a class (`model.info.tokens.labelsTokens`): its number, or its word. */
    token?: TokenChoice | undefined;
  };

/** How an explanation is watched and stopped. */
export interface Watched {
  /** Aborting it stops the method at its next step; the promise is rejected with the signal's reason. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * Called with the map so far while a method runs that has one (`MethodDescription.anytime`), twice a second at most; on a GPU, where
   * each map is a readback, half as often after each.
   */
  onPartial?: ((partial: PartialExplanation) => void) | undefined;
}

/** A place where the engine runs: a port to it, and how to end it. */
export interface Thread {
  endpoint: Endpoint;
  terminate?: () => void;
}

/** How an engine is waited for. */
export interface Waiting {
  signal?: AbortSignal | undefined;
  /** How long its thread may take to answer at all, in milliseconds. */
  timeout?: number | undefined;
}

/** A worker's script comes over the network; whoever waits longer waits for nothing. */
const patience = 30_000;

export class Engine {
  /** Resolves when the engine, or the GPU under it, has failed; it never rejects, and a mere `close()` is no loss. */
  readonly lost: Promise<Loss>;
  #device: DeviceReport;
  readonly #caller: Caller<EngineProtocol>;
  readonly #thread: Thread;
  readonly #methods: MethodDescription[];
  readonly #metrics: MetricDescription[];
  readonly #attacks: AttackDescription[];
  readonly #colourMaps: ColourMaps;

  private constructor(
    thread: Thread,
    caller: Caller<EngineProtocol>,
    opened: EngineProtocol["open"]["reply"],
    lost: Promise<Loss>,
  ) {
    this.#thread = thread;
    this.#caller = caller;
    this.lost = lost;
    this.#device = opened.device;
    this.#methods = opened.methods;
    this.#metrics = opened.metrics;
    this.#attacks = opened.attacks;
    this.#colourMaps = opened.colourMaps;
  }

  /** Opens the engine that waits at the other end of `thread`. */
  static async open(
    start: (onCrash: (error: unknown) => void) => Thread,
    options: EngineProtocol["open"]["send"],
    { signal, timeout = patience }: Waiting = {},
  ): Promise<Engine> {
    let caller: Caller<EngineProtocol> | null = null;
    let engine: Engine | null = null;
    let lose: (loss: Loss) => void = () => undefined;
    const lost = new Promise<Loss>((resolve) => (lose = resolve));
    const thread = start((error) => {
      caller?.die(engineFailure(error));
    });
    const onDeath = ({ code, message }: AdversightError) => {
      lose({ code: code === "device_lost" ? code : "engine_failed", message, goesOn: false });
      thread.terminate?.();
    };
    const onEvent = (told: unknown) => {
      const event = told as EngineEvent;
      if (event.type === "device") {
        if (engine) engine.#device = event.device;
        return;
      }
      const why = event.message === "" ? "" : ` (${event.message.replace(/\.$/, "")})`;
      const message = `The GPU was lost${why}: the engine goes on on the CPU.`;
      lose({ code: "device_lost", message, goesOn: true });
    };
    caller = new Caller<EngineProtocol>(thread.endpoint, onDeath, onEvent);
    try {
      const opened = caller.call("open", options, { signal });
      const heard = await before(timeout, Promise.race([caller.heard, opened]));
      if (heard === late) {
        opened.catch(() => undefined);
        throw new AdversightError(
          "engine_failed",
          `The engine's worker did not answer within ${timeout / 1000} seconds: its script did not come, or is not the package's.`,
        );
      }
      engine = new Engine(thread, caller, await opened, lost);
      return engine;
    } catch (error) {
      const ended = new AdversightError("engine_closed", "The engine was not opened.");
      caller.end(ended, thread.terminate ? undefined : "close");
      thread.terminate?.();
      throw error;
    }
  }

  /** The device in use, with the reason in words. Where a GPU is lost it becomes the CPU, if "auto" was asked for. */
  get device(): DeviceReport {
    return this.#device;
  }

  /** The methods that can be asked for, each with its parameters. */
  methods(): MethodDescription[] {
    return structuredClone(this.#methods);
  }

  /** The metrics that can be measured, each with its parameters. */
  metrics(): MetricDescription[] {
    return structuredClone(this.#metrics);
  }

  /** The attacks on one input, each with its parameters and the options that it reads. */
  attacks(): AttackDescription[] {
    return structuredClone(this.#attacks);
  }

  /** 256 colours as RGB bytes, from the lowest value to the highest. */
  colourMap(name: ColourMap): Uint8Array {
    return this.#colourMaps[name].slice();
  }

  /** Whether the engine is of no more use: closed, or ended by a failure or by the loss of its GPU. */
  get closed(): boolean {
    return this.#caller.ended;
  }

  /**
   * What an ONNX file holds, and whether it can be loaded (`problems` says what is in the way). Quick: nothing is loaded. Rejects with
   * "model_malformed" where the file is no ONNX model.
   */
  async inspect(onnx: FileSource, options: InspectOptions = {}): Promise<ModelReport> {
    const file = await readFile(onnx, options);
    return otherwise(file, () =>
      this.#caller.call(
        "inspect",
        { onnx: file.bytes },
        { transfer: file.ours ? [file.bytes.buffer] : [], signal: options.signal },
      ),
    );
  }

  /**
   * The names of so many classes from the text of a file: JSON (a list, an object by number, a `config.json`), or one name a line. Rejects
   * with "labels_invalid" where there are none, or not as many; ImageNet's 1000 names fit 1001 classes, whose first is the background.
   */
  async readLabels(
    text: string,
    classes: number,
    { signal }: Pick<CallOptions, "signal"> = {},
  ): Promise<string[]> {
    return this.#caller.call("readLabels", { text, classes }, { signal });
  }

  /**
   * What the engine makes of a graph: any ONNX file, a value for each of its inputs by name, and each of its outputs by name. For
   * comparing with another runtime; nothing is kept for the next run. Real numbers are computed in 32 bits, and so are whole ones. What
   * the numbers of an input are is said by its element type in the file: those of a Uint8Array are pixels to an input of type uint8, and
   * truth values, 0 and 1, to one of type bool.
   */
  async run(
    onnx: FileSource,
    inputs: Record<string, InputLike>,
    options: RunOptions = {},
  ): Promise<Record<string, GraphOutput>> {
    const values = tensorsOf(inputs);
    const [file, weights] = await Promise.all([readFile(onnx, options), readExternal(options)]);
    return otherwise(file, () =>
      this.#caller.call(
        "run",
        { onnx: file.bytes, inputs: values, options: weights.given },
        { transfer: [...(file.ours ? [file.bytes.buffer] : []), ...weights.ours], signal: options.signal },
      ),
    );
  }

  async loadModel(source: ModelSource): Promise<Model> {
    const { signal, onProgress, name, input, output, at, sizes, shape, activation, layout, sound, detector } =
      source;
    const inputs = source.inputs && tensorsOf(source.inputs);
    const tally = new Tally(onProgress);
    const { tokenizer, tokenizerOptions, longest, batchAxis } = source;
    const [onnx, masker, words, weights, labels, preprocessing, config] = await Promise.all([
      readFile(source.onnx, source, source.sha256, tally),
      source.masker === undefined ? null : readFile(source.masker, source, undefined, tally),
      tokenizer === undefined || tokenizer === "bytes" ? null : readFile(tokenizer, source, undefined, tally),
      readExternal(source, tally),
      readJson(source.labels, signal),
      readJson(source.preprocessing, signal),
      readJson(source.config, signal),
    ]);
    const options: ModelOptions = {
      labels: labels as string[] | null,
      preprocessing: preprocessing as Preprocessing | null,
      config: config as (ModelOptions["config"] & object) | null,
      ...defined({
        name,
        input,
        output,
        at,
        sizes,
        shape,
        activation,
        layout,
        sound,
        detector,
        masker: masker?.bytes,
      }),
      ...(tokenizer === undefined ? {} : { text: true, ...defined({ longest, batchAxis }) }),
      ...weights.given,
    };
    const reader = tokenizer !== undefined && {
      tokenizer: { file: words?.bytes ?? null, ...(tokenizerOptions ? { options: tokenizerOptions } : {}) },
    };
    const files = [onnx, ...(masker ? [masker] : []), ...(words ? [words] : [])];
    const ours = [...files.filter((file) => file.ours).map(({ bytes }) => bytes.buffer), ...weights.ours];
    onProgress?.({ done: 0, total: 0, stage: "read" });
    const { model, info } = await otherwise(onnx, () =>
      this.#caller.call(
        "loadModel",
        { onnx: onnx.bytes, options, ...(inputs ? { inputs } : {}), ...(reader || {}) },
        {
          transfer: ours,
          signal,
          onLate: (late) => {
            closeModel(this.#caller, (late as EngineProtocol["loadModel"]["reply"]).model);
          },
        },
      ),
    );
    return new Model(this, this.#caller, model, info);
  }

  /** Ends the engine and frees its memory; what still runs is rejected with the code "engine_closed". */
  close(): void {
    if (this.#caller.ended) return;
    const { terminate } = this.#thread;
    this.#caller.end(
      new AdversightError("engine_closed", "The engine was closed."),
      terminate ? undefined : "close",
    );
    terminate?.();
  }
}

export class Model {
  readonly info: ModelInfo;
  /** The engine that it was loaded into. */
  readonly engine: Engine;
  readonly #caller: Caller<EngineProtocol>;
  readonly #model: number;

  /** @internal */
  constructor(engine: Engine, caller: Caller<EngineProtocol>, model: number, info: ModelInfo) {
    this.engine = engine;
    this.#caller = caller;
    this.#model = model;
    this.info = info;
  }

  /** The best classes for a text, an image or a tensor. */
  async classify(
    source: ModelInput,
    { top = 5, token, signal }: ClassifyOptions = {},
  ): Promise<Classification> {
    return this.#withInput(
      source,
      signal,
      (input, transfer) =>
        this.#caller.call("classify", { model: this.#model, input, top }, { transfer, signal }),
      token,
    );
  }

  /** The boxes that a detector finds in an image or a tensor, the best first. */
  async detect(source: ModelInput, { signal, ...options }: DetectOptions = {}): Promise<Detections> {
    return this.#withInput(source, signal, (input, transfer) =>
      this.#caller.call("detect", { model: this.#model, input, options }, { transfer, signal }),
    );
  }

  /** Why the model gave what it gave: by the named method, for `target` or else for the best class, of a detector the best box. */
  async explain(source: ModelInput, options: ExplainOptions): Promise<Explanation> {
    const { signal, onProgress, onPartial, token, ...rest } = options;
    const method = defined(rest) as unknown as MethodOptions;
    return this.#withInput(
      source,
      signal,
      (input, transfer) =>
        this.#caller.call(
          "explain",
          { model: this.#model, input, options: method },
          { transfer, signal, onProgress, onPartial },
        ),
      token,
    );
  }

  /**
   * The same model with values for the inputs that are not explained (numbers of tokens, masks), by their names. It shares the model's
   * weights, and is closed by itself.
   */
  async withInputs(
    inputs: Record<string, InputLike>,
    { signal }: Pick<CallOptions, "signal"> = {},
  ): Promise<Model> {
    const { model, info } = await this.#caller.call(
      "withInputs",
      { model: this.#model, inputs: tensorsOf(inputs) },
      {
        signal,
        onLate: (late) => {
          closeModel(this.#caller, (late as EngineProtocol["withInputs"]["reply"]).model);
        },
      },
    );
    return new Model(this.engine, this.#caller, model, info);
  }

  /** The tensor that the network is given for an image: scaled, cut, normalised. A tensor comes back as it is. */
  async prepare(source: ModelInput, { signal }: Pick<CallOptions, "signal"> = {}): Promise<TensorData> {
    return this.#withInput(source, signal, (input, transfer) =>
      this.#caller.call("prepare", { model: this.#model, input }, { transfer, signal }),
    );
  }

  /** What the network is given of an image or a tensor, as a picture; null where it is none. */
  async picture(
    source: ModelInput,
    { signal }: Pick<CallOptions, "signal"> = {},
  ): Promise<PixelPicture | null> {
    return this.#withInput(source, signal, (input, transfer) =>
      this.#caller.call("picture", { model: this.#model, input }, { transfer, signal }),
    );
  }

  /**
   * A sound taken apart by its explanation: as the network hears it, only what mattered, and only what is left, each as loud as the sound.
   * To be played (`SoundView`) or saved (`soundFile`).
   */
  async heard(
    source: ModelInput,
    { segments, parts }: Pick<Explanation, "segments" | "parts">,
    { signal }: Pick<CallOptions, "signal"> = {},
  ): Promise<Heard> {
    const explanation = { parts, ...(segments ? { segments } : {}) };
    return this.#withInput(source, signal, (input, transfer) =>
      this.#caller.call("heard", { model: this.#model, input, explanation }, { transfer, signal }),
    );
  }

  /** The sound of a tensor that the network is given, as `prepare` gives it, or as an attack has made it (`Attacked.input`). */
  async soundOf(input: TensorInput, options: Pick<CallOptions, "signal"> = {}): Promise<SoundData> {
    return this.#caller.call("soundOf", { model: this.#model, input: tensorOf(input) }, options);
  }

  /** The network's raw output for a tensor. */
  async logits(input: TensorInput, options: Pick<CallOptions, "signal"> = {}): Promise<TensorData> {
    return this.#caller.call("logits", { model: this.#model, input: tensorOf(input) }, options);
  }

  /** The gradient of the logit of class `target`, or of another score of it, with respect to the tensor. */
  async inputGradient(
    input: TensorInput,
    target: number,
    { score, signal }: InputGradientOptions = {},
  ): Promise<TensorData> {
    return this.#caller.call(
      "inputGradient",
      { model: this.#model, input: tensorOf(input), target, score },
      { signal },
    );
  }

  /**
   * How good an explanation of this input is, by one metric or several. All that cannot be told from the explanation itself is given along:
   * a second map as `reference`, the `object`, a `randomised` model. Rejects with "metric_unsuited" where something is missing.
   */
  async measure(source: ModelInput, judged: Judged, options: MeasureOptions<Model>): Promise<Measurement[]> {
    const { signal, onProgress, randomised, metrics, ...rest } = options;
    const measuring = {
      segments: segmentsOf(judged),
      ...judging(judged, rest),
      metrics: metrics.map(requested),
    };
    return this.#withInput(
      source,
      signal,
      (input, transfer) =>
        this.#caller.call(
          "measure",
          {
            model: this.#model,
            input,
            map: mapOf(judged),
            options: measuring,
            randomised: randomised ? randomised.#model : null,
          },
          { transfer, signal, onProgress },
        ),
      tokenOf(judged),
    );
  }

  /**
   * Plays deletion or insertion: the pixels change in the order of their importance while the class's probability is followed. What comes
   * back shows every moment of it (`gameFrame`, `gameScore`) without the engine.
   */
  async play(source: ModelInput, judged: Judged, options: PlayOptions = {}): Promise<Game> {
    const { signal, onProgress, ...rest } = options;
    const playing = judging(judged, rest);
    return this.#withInput(
      source,
      signal,
      (input, transfer) =>
        this.#caller.call(
          "play",
          { model: this.#model, input, map: mapOf(judged), options: playing },
          { transfer, signal, onProgress },
        ),
      tokenOf(judged),
    );
  }

  /** Attacks an input by projected gradient descent, or by the fast gradient method with `steps: 1`. */
  async attack(source: ModelInput, options: AttackOptions = {}): Promise<Attacked> {
    const { signal, onProgress, top = 5, token, ...rest } = options;
    return this.#withInput(
      source,
      signal,
      (input, transfer) =>
        this.#caller.call(
          "attack",
          { model: this.#model, input, options: defined(rest), top },
          { transfer, signal, onProgress },
        ),
      token,
    );
  }

  /** The classes that the network finds in what a map leaves of its input: RelEx's class retrieval. */
  async retrieve(source: ModelInput, judged: Judged, options: RetrieveOptions = {}): Promise<Retrieval> {
    const { mask = maskRule(judged), top = 5, signal } = options;
    return this.#withInput(
      source,
      signal,
      (input, transfer) =>
        this.#caller.call(
          "retrieve",
          { model: this.#model, input, map: mapOf(judged), mask, top },
          { transfer, signal },
        ),
      tokenOf(judged),
    );
  }

  /** The layers of the model's file with learned weights, from the output to the input. */
  async layers({ signal }: Pick<CallOptions, "signal"> = {}): Promise<LearnedLayer[]> {
    return this.#caller.call("layers", { model: this.#model }, { signal });
  }

  /** The same model, whose last layers, or all, have forgotten what they learned: random weights of the same mean and deviation. */
  async randomise({ signal, ...options }: RandomiseOptions = {}): Promise<Model> {
    const { model, info } = await this.#caller.call(
      "randomise",
      { model: this.#model, options: defined(options) },
      {
        signal,
        onLate: (late) => {
          closeModel(this.#caller, (late as EngineProtocol["randomise"]["reply"]).model);
        },
      },
    );
    return new Model(this.engine, this.#caller, model, info);
  }

  /** Frees the model's memory, after the calls that still run on it. */
  close(): void {
    closeModel(this.#caller, this.#model);
  }

  async #withInput<T>(
    source: ModelInput,
    signal: AbortSignal | undefined,
    call: (input: SentInput, transfer: Transferable[]) => Promise<T>,
    token?: TokenChoice,
  ): Promise<T> {
    signal?.throwIfAborted();
    const { input, transfer } = await prepareInput(source, {
      reads: this.info.tokens !== undefined,
      hears: takesSound(this.info),
    });
    if (token !== undefined && isSentText(input)) input.token = token;
    try {
      return await call(input, transfer);
    } catch (error) {
      // A bitmap whose pixels are another site's cannot leave its thread.
      if (error instanceof DOMException && error.name === "DataCloneError") {
        throw new AdversightError("input_invalid", foreignPixels, { cause: error });
      }
      throw error;
    }
  }
}

function closeModel(caller: Caller<EngineProtocol>, model: number): void {
  caller.call("closeModel", { model }).catch(() => undefined); // the engine has ended: nothing left to free
}

/** Values of inputs as tensors, each with as many numbers as its shape asks for. */
function tensorsOf(inputs: Record<string, InputLike>): Record<string, InputValue> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => {
      const tensor = toInputValue(value, name);
      checkTensor(tensor);
      return [name, tensor];
    }),
  );
}

/** Makes a call about an ONNX file; where the file turns out to be none, the error says what it is instead. */
async function otherwise<T>({ bytes, name }: FileBytes, call: () => Promise<T>): Promise<T> {
  const start = new Uint8Array(bytes.subarray(0, recognisedBytes)); // the call may hand the bytes over
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof AdversightError) || error.code !== "model_malformed") throw error;
    const found = recognise(start, name);
    if (!found || found.kind === "onnx") throw error;
    throw new AdversightError("model_malformed", `This is no ONNX file. ${found.sentence}`, { cause: error });
  }
}

interface FileBytes {
  bytes: Uint8Array<ArrayBuffer>;
  /** Whether the bytes were read here, and so may be handed over instead of copied. */
  ours: boolean;
  /** The file's name, where it has one. */
  name?: string;
}

async function readFile(
  file: FileSource,
  options: InspectOptions,
  sha256?: string,
  tally?: Tally,
): Promise<FileBytes> {
  // By name instead of `instanceof`: a frame's objects have classes of their own.
  const kind = Object.prototype.toString.call(file).slice(8, -1);
  if (ArrayBuffer.isView(file)) {
    const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
    return { bytes: tight(bytes) as Uint8Array<ArrayBuffer>, ours: false };
  }
  if (kind === "ArrayBuffer" || kind === "SharedArrayBuffer") {
    return { bytes: tight(new Uint8Array(file as ArrayBuffer)), ours: false };
  }
  if (kind === "Blob" || kind === "File") {
    const blob = file as Blob;
    const name = "name" in blob ? { name: String(blob.name) } : {};
    return { bytes: await readBlob(blob), ours: true, ...name };
  }
  if (typeof file !== "string" && kind !== "URL") {
    throw new AdversightError(
      "input_invalid",
      `A file is given by its address, as a Blob, or by its bytes (Uint8Array, ArrayBuffer), not as ${kind}.`,
    );
  }
  const address = file as URL | string;
  const entry = tally?.file(nameOf(address));
  const following = { signal: options.signal, onProgress: entry ? entry.onProgress : options.onProgress };
  const bytes = await (sha256 === undefined
    ? download(address, following)
    : downloadOnce(address, sha256, following));
  entry?.came(bytes.byteLength);
  return { bytes, ours: true, name: String(address) };
}

/** The files beside a model, as the engine takes them, and the buffers that may be handed over. */
async function readExternal(
  options: RunOptions,
  tally?: Tally,
): Promise<{ given: Pick<ModelOptions, "external">; ours: ArrayBuffer[] }> {
  const named = Object.entries(options.external ?? {});
  if (named.length === 0) return { given: {}, ours: [] };
  const files = await Promise.all(
    named.map(async ([location, file]) => ({
      location,
      ...(await readFile(file, options, undefined, tally)),
    })),
  );
  return {
    given: { external: Object.fromEntries(files.map(({ location, bytes }) => [location, bytes])) },
    ours: files.filter(({ ours }) => ours).map(({ bytes }) => bytes.buffer),
  };
}

/** What is undefined is left out: the engine has its defaults. */
function defined<T extends object>(options: T): { [Key in keyof T]?: NonNullable<T[Key]> } {
  return Object.fromEntries(
    (Object.entries(options) as [string, unknown][]).filter(([, value]) => value !== undefined),
  ) as { [Key in keyof T]?: NonNullable<T[Key]> };
}

function readJson(value: object | URL | string | undefined, signal: AbortSignal | undefined): unknown {
  if (value === undefined) return null;
  const isAddress = typeof value === "string" || Object.prototype.toString.call(value) === "[object URL]";
  return isAddress ? downloadJson(value as URL | string, signal) : value;
}

/**
 * `<adversight-explainer model="model.onnx" preprocessing="preprocessor_config.json" labels="labels.json" src="photo.jpg" method="agi">`:
 * a photograph with the explanation over it and the words under it. With `tokenizer` and `text` in place of `src`: a text with its words
 * coloured. With `audio="clip.wav"`: a sound, with its waveform and its spectrogram, played whole or in parts.
 *
 * Its attributes stand in attributes.ts, each with what it means; every one is a property too, which also takes what no text can say: `image` (a
 * file, ImageData ...), `model` (a Model, a file), `params` (an object). They may be set before the element is defined or after. Events, which
 * bubble: `adversight-progress`, `adversight-partial`, `adversight-explanation` and `adversight-error`, with the Progress, PartialExplanation,
 * Explanation or AdversightError as their detail. Parts for styling: `picture`, `legend`, `caption`, `words`, `status`, `progress`; slots: `placeholder`,
 * `controls`. The words of its own can be put into another language by the property `strings`.
 *
 * Importing this module does nothing; `define()` registers the element, and so does importing "adversight/register".
 */

import { attributes, colourMap, oneOf, record, share, size, wholeNumber } from "./attributes.js";
import { Model, type Engine, type FileSource, type ModelSource } from "./client.js";
import { AdversightError, asAdversightError } from "./errors.js";
import { download } from "./download.js";
import { createEngine } from "./index.js";
import { decodeImage, type ImageInput } from "./input.js";
import { anyName } from "./methods.js";
import { drawExplanation, heatmapPixels, signedPixels, type View } from "./picture.js";
import type { SoundInput } from "./sound.js";
import { SoundView, spectrogram, type SoundPaint } from "./sound-view.js";
import { presetNames, presetPreprocessing, type PresetName, type Preprocessing } from "./preprocessing.js";
import { Shared } from "./shared.js";
import { showsSigns, signedMap, tellsSigns, type SignedMap } from "./signs.js";
import type { TextInput } from "./texts.js";
import { parseNpy, type InputLike } from "./values.js";
import { drawWords } from "./words.js";
import type {
  Activation,
  ColourMap,
  DeviceChoice,
  Explanation,
  Layout,
  PartialExplanation,
  Progress,
} from "./wasm/adversight.js";

/** The element's own words. Explanations are told in English, and marked as such. */
export interface Strings {
  /** Tells what the picture is, to those who do not see it; an `aria-label` of the element takes its place. */
  photograph: string;
  loading: string;
  computing: string;
  /** While a quick map is shown until the one that was asked for is there. */
  firstLook: string;
  /** At the ends of the scale of a map that only says how much a place counts. */
  little: string;
  much: string;
  /** At the ends of the scale of a map with signs; of the class's name. */
  speaksFor: (label: string) => string;
  speaksAgainst: (label: string) => string;
  /** Where there is something to explain, but no network. */
  noModel: string;
  /** Tells how far it is, to those who do not see the bar; null for nothing. */
  progress: (share: number) => string | null;
  /** What is told of an error: its own sentence by default. */
  error: (error: AdversightError) => string;
}

const english: Strings = {
  photograph: "Photograph",
  loading: "Loading…",
  computing: "Computing…",
  firstLook: "A first look. Computing…",
  little: "counts little",
  much: "much",
  speaksFor: (label) => `for “${label}”`,
  speaksAgainst: (label) => `against “${label}”`,
  noModel: "There is no network: the attribute model is missing.",
  progress: (share) => `${Math.round(100 * share)}%`,
  error: ({ message }) => message,
};

/** Which settings are used where `params` says nothing: the paper's, or the quick ones of methods that have such. */
export type Quality = "paper" | "quick";

/** Whether what speaks against the class is shown in a colour of its own. */
export type Signs = "auto" | "show" | "hide";

/** The properties of the element; each is an attribute too, where a text can say it. */
export interface ExplainerProperties {
  /** The network: the address of an ONNX file, the file itself, or a model that was loaded before, which stays its owner's. */
  model: Model | FileSource | null;
  /** The SHA-256 of the model's file, by which the browser keeps it. */
  sha256: string | null;
  preprocessing: Preprocessing | URL | string | null;
  preset: PresetName | null;
  size: number | string | null;
  labels: string[] | URL | string | null;
  config: Record<string, unknown> | URL | string | null;
  /** What makes tokens of texts, for networks that read. */
  tokenizer: FileSource | null;
  output: string | null;
  /** Values of the inputs that are not explained, by their names. */
  inputs: Record<string, InputLike> | string | null;
  activation: Activation | null;
  layout: Layout | null;
  device: DeviceChoice | null;
  /** The address of the photograph. */
  src: string | null;
  /** The photograph itself, in place of `src`. */
  image: ImageInput | null;
  /** The text to explain, or a pair of texts, in place of a photograph. */
  text: TextInput | null;
  /** A sound in place of the photograph, for a network that hears: its address, its file, or its samples. */
  audio: SoundInput | Blob | string | null;
  method: string | null;
  target: number | null;
  params: Record<string, unknown> | string | null;
  seed: number | null;
  quality: Quality | null;
  opacity: number | string | null;
  colourMap: ColourMap | null;
  view: View | null;
  segments: number | null;
  smooth: number | null;
  signs: Signs | null;
  /** The element's own words, in another language; those that are left out stay English. */
  strings: Partial<Strings> | null;
}

/** The element's events, with what they tell. */
export interface ExplainerEventMap {
  "adversight-progress": CustomEvent<Progress>;
  "adversight-partial": CustomEvent<PartialExplanation>;
  "adversight-explanation": CustomEvent<Explanation>;
  "adversight-error": CustomEvent<AdversightError>;
}

export interface AdversightExplainer extends HTMLElement, ExplainerProperties {
  /** The explanation that is shown, or null. */
  readonly explanation: Explanation | null;
  /** Computes again, as for a canvas or a video whose picture has changed. */
  refresh(): void;
  addEventListener<Name extends keyof ExplainerEventMap>(
    type: Name,
    listener: (this: AdversightExplainer, event: ExplainerEventMap[Name]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener<Name extends keyof HTMLElementEventMap>(
    type: Name,
    listener: (this: AdversightExplainer, event: HTMLElementEventMap[Name]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "adversight-explainer": AdversightExplainer;
  }
}

const style = `
  :host { display: inline-block; max-width: 100%; }
  :host([hidden]) { display: none; }
  figure { margin: 0; }
  canvas { display: block; max-width: 100%; height: auto; border-radius: inherit; }
  figcaption { margin-top: 0.5em; }
  progress { width: 100%; }
  [part="legend"] { display: flex; flex-wrap: wrap; gap: 0 0.5em; align-items: center; margin-top: 0.25em; font-size: 0.875em; }
  [part="legend"] canvas { width: 8em; height: 0.6em; border-radius: 0.3em; outline: 1px solid rgb(128 128 128 / 0.4); }
  [hidden] { display: none; }
  [part="status"] { opacity: 0.75; }
  [part="status"]:empty { display: none; }
`;

/** One engine for each kind of device, shared by the elements of a page, and one model for each description. */
const engines = new Shared<Engine>(
  (engine) => engine.closed,
  (engine) => {
    engine.close();
  },
);
const models = new Shared<{ model: Model; release: () => void }>(
  ({ model }) => model.engine.closed,
  ({ model, release }) => {
    model.close();
    release();
  },
);

/** Values that are no text, each with a number, which stands for them in a key. */
const numbered = new WeakMap<object, number>();
let lastNumber = 0;

function keyOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Object.prototype.toString.call(value) === "[object URL]") return (value as URL).href;
  // Plain data is the same where it says the same: frameworks make a new object each time they draw.
  const isPlain = [Object.prototype, null, Array.prototype].includes(
    Object.getPrototypeOf(value) as object | null,
  );
  if (isPlain) {
    return Object.entries(value).map(([name, inner]) => [name, keyOf(inner)]);
  }
  const number = numbered.get(value) ?? ++lastNumber;
  numbered.set(value, number);
  return { number };
}

/** What is asked of a model, and a key that is the same for the same. */
interface Wanted {
  device: DeviceChoice;
  source: Model | (Omit<ModelSource, "inputs"> & { inputs: unknown });
  key: string;
}

/** All that an element's values ask for. */
interface Asked {
  model: Wanted;
  image: ImageInput | string | null;
  /** A text in place of an image. */
  text: TextInput | null;
  /** In place of the image. */
  audio: SoundInput | Blob | string | null;
  question: { method: string; target: number | null; params: Record<string, unknown>; seed?: number };
  quality: Quality;
  key: string;
}

/** The model for an element, and what says that the element needs it no more. */
async function takeModel({ device, source, key }: Wanted, onProgress: (progress: Progress) => void) {
  if (source instanceof Model) return { model: source, release: () => undefined };
  const { value, release } = await models.take(key, async () => {
    const engine = await engines.take(device, () => createEngine({ device }));
    try {
      const inputs = await readInputs(source.inputs);
      const model = await engine.value.loadModel({ ...source, inputs, onProgress });
      return { model, release: engine.release };
    } catch (error) {
      engine.release();
      throw error;
    }
  });
  return { model: value.model, release };
}

/** The quickest method, whose map is shown while a slow one is at work. */
const firstLookMethod = "saliency";
/** A method that costs as many passes as this, forward and backward, is worth a first look. */
const slow = 12;

/** What a method of the engine is called by, and how much it takes. */
const describedBy = (engine: Engine, method: string) => engine.methods().find(({ name }) => name === method);

/** The settings of a method: those that were given, and the quick ones where they are wanted. */
function settingsOf(engine: Engine, { question, quality }: Asked): Record<string, unknown> {
  const quick = quality === "quick" ? (describedBy(engine, question.method)?.quick ?? {}) : {};
  return { ...quick, ...question.params };
}

/** Whether a quick map is shown before a slow one of a photograph. */
function deservesFirstLook(model: Model, { question, quality, image }: Asked): boolean {
  const { cost, quick_cost: quickCost } = describedBy(model.engine, question.method) ?? {};
  const passes = quality === "quick" ? (quickCost ?? cost) : cost;
  const support = model.info.methods.find(({ name }) => name === firstLookMethod);
  return (
    image !== null &&
    passes !== undefined &&
    passes.forward + 2 * passes.backward >= slow &&
    (support?.applies ?? true)
  );
}

/** The values of `inputs`: tensors and numbers; in JSON a text is the address of a .npy file. */
async function readInputs(declared: unknown): Promise<Record<string, InputLike> | undefined> {
  if (declared === null || declared === undefined) return undefined;
  let values: unknown = declared;
  if (typeof declared === "string") {
    try {
      values = JSON.parse(declared) as unknown;
    } catch {
      values = null;
    }
  }
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    throw new AdversightError(
      "input_invalid",
      'The attribute inputs is an object in JSON, as {"age": [[42]], "state": "zeros.npy"}: numbers, lists of numbers, or addresses of ' +
        ".npy files by the names of inputs.",
    );
  }
  const read = Object.entries(values as Record<string, InputLike | string>).map(
    async ([name, value]) =>
      [name, typeof value === "string" ? parseNpy(await download(value, {})) : value] as const,
  );
  return Object.fromEntries(await Promise.all(read));
}

/** The preprocessing that the attributes `preset` and `size` name. */
function presetOf(name: string | null, size: number | string | null): Preprocessing | undefined {
  const preset = oneOf("preset", presetNames, name);
  if (preset === undefined) return undefined;
  const sides = String(size ?? 224).match(/\d+/g) ?? [];
  const [height = NaN, width = height] = sides.map(Number);
  if (!(height > 0 && width > 0)) {
    throw new AdversightError(
      "parameter_invalid",
      `The attribute size is "224" or "height width", not "${String(size)}".`,
    );
  }
  return presetPreprocessing(preset, { height, width });
}

/** So long a network may be missing before that is told, in milliseconds: frameworks set one thing after another. */
const patience = 1000;

const observed = attributes.flatMap(({ attribute }) => (attribute === null ? [] : [attribute]));
const byAttribute = new Map(attributes.map((one) => [one.attribute, one]));
const byProperty = new Map(attributes.map((one) => [one.property, one]));

/** Registers the element, once; does nothing on a server. */
export function define(tag = "adversight-explainer"): void {
  if (typeof customElements === "undefined" || customElements.get(tag)) return;

  class Explainer extends HTMLElement {
    static readonly observedAttributes = observed;

    /** What was set as a property and is no text, by the property's name. */
    readonly #values = new Map<string, unknown>();
    #explanation: Explanation | null = null;
    #partial: PartialExplanation | null = null;
    readonly #canvas = document.createElement("canvas");
    readonly #text = document.createElement("div");
    readonly #words = document.createElement("span");
    readonly #status = document.createElement("span");
    readonly #bar = document.createElement("progress");
    readonly #legend = document.createElement("div");
    /** The map with its signs of what is shown, made once. */
    #signed: { of: Explanation; map: SignedMap | null } | null = null;
    #layout: string | undefined;
    #lonely: ReturnType<typeof setTimeout> | undefined;
    readonly #placeholder = document.createElement("slot");
    #photograph: ImageBitmap | null = null;
    #sound: SoundView | null = null;
    #engine: Engine | null = null;
    #running: AbortController | null = null;
    /** What is computed or was computed last, so that the same is not computed again. */
    #answered: string | null = null;
    #held: { key: string; taken: ReturnType<typeof takeModel> } | null = null;
    #scheduled = false;
    #strings: Partial<Strings> | null = null;
    /** Whether an attribute is being changed by its property. */
    #writing = false;
    /** Whether the status tells of a value that nothing can be drawn by. */
    #misdrawn = false;

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet(); // unlike a style element, it passes a strict content security policy
      sheet.replaceSync(style);
      root.adoptedStyleSheets = [sheet];
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      this.#canvas.part.add("picture");
      this.#canvas.setAttribute("role", "img");
      this.#canvas.width = this.#canvas.height = 0;
      this.#text.part.add("text");
      this.#text.hidden = true;
      caption.part.add("caption");
      caption.setAttribute("aria-live", "polite");
      this.#words.part.add("words");
      this.#words.lang = "en";
      this.#status.part.add("status");
      this.#legend.part.add("legend");
      this.#legend.hidden = true;
      this.#bar.part.add("progress");
      this.#bar.hidden = true;
      this.#placeholder.name = "placeholder";
      const controls = document.createElement("slot");
      controls.name = "controls";
      caption.append(this.#words, this.#status);
      figure.append(this.#canvas, this.#text, this.#placeholder, this.#legend, this.#bar, caption, controls);
      root.append(figure);
    }

    get explanation(): Explanation | null {
      return this.#explanation;
    }

    get strings(): Partial<Strings> | null {
      return this.#strings;
    }

    set strings(strings: Partial<Strings> | null) {
      this.#strings = strings;
      this.#draw();
    }

    connectedCallback(): void {
      // What was set before the element was defined lies on it and hides the property.
      for (const property of [...attributes.map(({ property }) => property), "strings"]) {
        if (!Object.hasOwn(this, property)) continue;
        const self = this as unknown as Record<string, unknown>;
        const value = self[property];
        Reflect.deleteProperty(self, property);
        self[property] = value;
      }
      this.#schedule();
    }

    /** A move within the page, where the browser can tell it from taking out and putting in. */
    connectedMoveCallback(): void {
      // nothing changes
    }

    disconnectedCallback(): void {
      // Whoever moves it puts it in again at once.
      queueMicrotask(() => {
        if (!this.isConnected) this.#stop();
      });
    }

    attributeChangedCallback(name: string, before: string | null, now: string | null): void {
      const described = byAttribute.get(name);
      if (!described || this.#writing) return;
      const hidden = this.#values.delete(described.property); // what was said last counts
      if (before !== now || hidden) this.#changed(described.effect);
    }

    static {
      for (const { property } of attributes) {
        Object.defineProperty(this.prototype, property, {
          configurable: true,
          enumerable: true,
          get(this: Explainer) {
            return this.#read(property);
          },
          set(this: Explainer, value: unknown) {
            this.#write(property, value);
          },
        });
      }
    }

    /** The value of a property: what was set, or what the attribute says. */
    #read(property: string): unknown {
      const raw = this.#raw(property);
      const isNumber = typeof raw === "string" && byProperty.get(property)?.type === "number | null";
      return isNumber && raw.trim() !== "" && Number.isFinite(Number(raw)) ? Number(raw) : raw;
    }

    #raw(property: string): unknown {
      if (this.#values.has(property)) return this.#values.get(property);
      const attribute = byProperty.get(property)?.attribute ?? null;
      return attribute === null ? null : this.getAttribute(attribute);
    }

    #write(property: string, value: unknown): void {
      const described = byProperty.get(property);
      if (!described || Object.is(this.#raw(property), value)) return;
      const { attribute, effect } = described;
      const isText = typeof value === "string" || typeof value === "number";
      const isNone = value === null || value === undefined;
      if ((isText && attribute !== null) || isNone) this.#values.delete(property);
      else this.#values.set(property, value);
      if (attribute !== null) {
        this.#writing = true;
        try {
          if (isText) this.setAttribute(attribute, String(value));
          else if (isNone) this.removeAttribute(attribute);
        } finally {
          this.#writing = false;
        }
      }
      this.#changed(effect);
    }

    /** Computes again, as for a canvas or a video whose picture has changed. */
    refresh(): void {
      this.#answered = null;
      this.#schedule();
    }

    #changed(effect: (typeof attributes)[number]["effect"]): void {
      if (effect === "drawing") this.#draw();
      else this.#schedule();
    }

    /** Several values that change together start one computation. */
    #schedule(): void {
      if (this.#scheduled || !this.isConnected) return;
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        if (this.isConnected) void this.#run();
      });
    }

    /** Ends what runs and lets the model go; what is shown stays. */
    #stop(): void {
      this.#running?.abort();
      this.#running = null;
      if (this.#explanation === null) this.#answered = null;
      this.#calm();
      this.#status.textContent = "";
      this.#release();
    }

    #release(): void {
      this.#held?.taken.then(
        ({ release }) => {
          release();
        },
        () => undefined,
      );
      this.#held = null;
    }

    /** The model that is wanted; the one before is let go when this one is asked for. */
    #hold(wanted: Wanted, onProgress: (progress: Progress) => void): ReturnType<typeof takeModel> {
      if (this.#held?.key === wanted.key) {
        const { taken } = this.#held;
        return taken.then((found) => {
          if (!found.model.engine.closed) return found;
          this.#release(); // it was lost meanwhile
          return this.#hold(wanted, onProgress);
        });
      }
      const taken = takeModel(wanted, onProgress);
      const held = { key: wanted.key, taken };
      this.#release();
      this.#held = held;
      taken.catch(() => {
        if (this.#held === held) this.#held = null;
      });
      return taken;
    }

    /** What the element's values ask for; null where the model or the photograph is missing. */
    #wanted(): Asked | null {
      // An attribute without a value says nothing.
      const value = (property: string) => {
        const raw = this.#raw(property);
        return raw === "" || raw === undefined ? null : raw;
      };
      const text = (property: string) => value(property) as string | null;
      const onnx = value("model") as Model | FileSource | null;
      const image = (value("image") ?? value("src")) as ImageInput | string | null;
      const written = (image === null ? value("text") : null) as TextInput | null;
      const audio = value("audio") as SoundInput | Blob | string | null;
      if (onnx === null || (image === null && written === null && audio === null)) return null;
      const device = oneOf("device", ["auto", "webgpu", "cpu"] as const, text("device")) ?? "auto";
      const given = (property: string): unknown => value(property) ?? undefined;
      const preset = presetOf(text("preset"), text("size"));
      const source =
        onnx instanceof Model
          ? onnx
          : {
              onnx,
              sha256: given("sha256") as string | undefined,
              preprocessing: (given("preprocessing") as Preprocessing | string | undefined) ?? preset,
              labels: given("labels") as string[] | string | undefined,
              config: given("config") as Record<string, unknown> | string | undefined,
              tokenizer: given("tokenizer") as FileSource | undefined,
              output: given("output") as string | undefined,
              activation: oneOf("activation", ["softmax", "sigmoid", "none"] as const, text("activation")),
              layout: given("layout") as Layout | undefined, // the engine says which there are
              inputs: value("inputs"),
              sound: audio === null ? undefined : {},
            };
      const model: Wanted = { device, source, key: JSON.stringify(keyOf([device, source])) };
      const question = {
        method: text("method") ?? (written === null ? "agi" : "integrated_gradients"),
        target: wholeNumber("target", "the number of a class", text("target")) ?? null,
        params: record("params", this.#raw("params")),
        ...(text("seed") === null ? {} : { seed: wholeNumber("seed", "a whole number", text("seed")) ?? 0 }),
      };
      const quality = oneOf("quality", ["paper", "quick"] as const, text("quality")) ?? "paper";
      const key = JSON.stringify(keyOf([model.key, image, written, audio, question, quality]));
      return { model, image, text: written, audio, question, quality, key };
    }

    /** Tells that the network is missing where there is something to explain, unless it comes within a moment. */
    #missModel(): void {
      const isSet = (property: string) => ![null, undefined, ""].includes(this.#raw(property) as null);
      if (isSet("model") || !["image", "src", "text", "audio"].some(isSet)) return;
      this.#lonely = setTimeout(() => {
        if (!this.isConnected || isSet("model")) return;
        this.#fail(new AdversightError("parameter_invalid", this.#string("noModel")));
      }, patience);
    }

    async #run(): Promise<void> {
      clearTimeout(this.#lonely);
      let wanted: Asked | null;
      try {
        wanted = this.#wanted();
      } catch (error) {
        this.#end();
        this.#fail(asAdversightError(error));
        return;
      }
      if (wanted === null) {
        this.#end();
        this.#clear();
        this.#status.textContent = "";
        this.#missModel();
        return;
      }
      if (wanted.key === this.#answered) return;
      this.#running?.abort();
      this.#answered = wanted.key;
      const controller = (this.#running = new AbortController());
      const { signal } = controller;

      this.setAttribute("aria-busy", "true");
      this.#tellStatus("loading");
      let shown = false;
      try {
        const loading = this.#hold(wanted.model, (progress) => {
          if (!signal.aborted) this.#advance(progress);
        });
        loading.catch(() => undefined); // it is awaited below, where the photograph may have failed before
        const given = await this.#given(wanted, signal);
        if (given === null) return;
        shown = wanted.audio === null;
        this.#explanation = this.#partial = null;
        this.#words.textContent = "";
        this.#draw();

        const { model } = await loading;
        signal.throwIfAborted();
        this.#engine = model.engine;
        this.#layout = model.info.layout;
        this.#tellStatus("computing");
        const params = settingsOf(model.engine, wanted);
        if (deservesFirstLook(model, wanted)) {
          // What is wrong with the question is told by the explanation that was asked for.
          const { target } = wanted.question;
          const look = { method: anyName(firstLookMethod), target, signal };
          const first = await model.explain(given, look).catch(() => null);
          signal.throwIfAborted();
          this.#explanation = first;
          if (first) {
            this.#tellStatus("firstLook");
            this.#draw();
            this.#explanation = null;
          }
        }
        this.#explanation = await model.explain(given, {
          ...wanted.question,
          params,
          method: anyName(wanted.question.method),
          signal,
          onProgress: (progress) => {
            this.#advance(progress);
          },
          onPartial: (partial) => {
            this.#partial = partial;
            this.#draw();
            this.#tell("adversight-partial", partial);
          },
        });
        this.#partial = null;
        if (wanted.audio !== null) await this.#hear(model, given as SoundInput | Blob, this.#explanation);
        signal.throwIfAborted();
        this.#calm();
        this.#words.textContent = this.#explanation.words.join(" ");
        this.#status.textContent = "";
        if (this.#draw()) this.#tell("adversight-explanation", this.#explanation);
      } catch (thrown) {
        if (signal.aborted) return;
        if (!shown) this.#clear();
        this.#fail(asAdversightError(thrown));
      } finally {
        if (this.#running === controller) {
          this.#running = null;
          this.#calm();
        }
      }
    }

    /** Shows what is asked about, and gives it to be explained; null where it came too late. */
    async #given(
      wanted: Asked,
      signal: AbortSignal,
    ): Promise<ImageBitmap | TextInput | SoundInput | Blob | null> {
      const { audio } = wanted;
      if (audio !== null) {
        const sound = typeof audio === "string" ? new Blob([await download(audio, { signal })]) : audio;
        signal.throwIfAborted();
        this.#hush();
        this.#clear();
        return sound;
      }
      this.#hush();
      if (wanted.image === null) {
        const { text } = wanted;
        if (text === null) return null;
        this.#clear();
        this.#placeholder.hidden = true;
        this.#text.hidden = false;
        drawWords(this.#text, { texts: typeof text === "string" ? [text] : [...text], parts: [] });
        return text;
      }
      const photograph = await decodeImage(
        typeof wanted.image === "string" ? await loadImage(wanted.image) : wanted.image,
      );
      if (signal.aborted) {
        photograph.close();
        return null;
      }
      this.#clear();
      this.#photograph = photograph;
      return photograph;
    }

    /** Shows a sound with its map, to be played. */
    async #hear(model: Model, input: SoundInput | Blob, explanation: Explanation): Promise<void> {
      const [heard, prepared] = await Promise.all([model.heard(input, explanation), model.prepare(input)]);
      const { sound } = explanation;
      if (!sound || this.#explanation !== explanation) return;
      this.#hush();
      const view = (this.#sound = new SoundView(this.#paint(model.engine)));
      view.show({ heard, sound, cells: sound.view === "cells" ? spectrogram(prepared) : null, explanation });
      this.#canvas.before(view.element);
      this.#placeholder.hidden = true;
    }

    #paint(engine: Engine): SoundPaint {
      const value = (property: string) => this.#raw(property) as string | number | null;
      return {
        colours: engine.colourMap(colourMap(value("colourMap"))),
        opacity: share("opacity", value("opacity")),
      };
    }

    /** Takes the sound away. */
    #hush(): void {
      this.#sound?.close();
      this.#sound?.element.remove();
      this.#sound = null;
    }

    /** Ends what runs, and what it holds. */
    #end(): void {
      this.#stop();
      this.#hush();
      this.#answered = null;
      this.#explanation = this.#partial = null;
      this.#words.textContent = "";
    }

    /** Nothing is being done any more. */
    #calm(): void {
      this.removeAttribute("aria-busy");
      this.#bar.hidden = true;
      this.#bar.removeAttribute("value");
    }

    #fail(error: AdversightError): void {
      // An answer about another photograph, or to another question, is none. The same is tried again when it is asked for again.
      this.#explanation = this.#partial = null;
      this.#answered = null;
      this.#words.textContent = "";
      this.#draw();
      this.#status.textContent = this.#string("error")(error);
      this.#tell("adversight-error", error);
    }

    #string<Name extends keyof Strings>(name: Name): Strings[Name] {
      return this.#strings?.[name] ?? english[name];
    }

    #tellStatus(wanted: "loading" | "computing" | "firstLook"): void {
      // Who has put the one into another language, and not yet the other.
      const isOld =
        wanted === "firstLook" && this.#strings?.firstLook === undefined && this.#strings?.computing;
      const name = isOld ? "computing" : wanted;
      this.#status.textContent = this.#string(name);
      this.#setLanguage(this.#status, name);
      this.#bar.removeAttribute("value");
      this.#bar.hidden = false;
      this.#bar.setAttribute("aria-label", this.#string(name));
      this.#setLanguage(this.#bar, name);
    }

    /** The words of the element are English, whatever the page is, unless they were put into its language. */
    #setLanguage(element: HTMLElement, name: keyof Strings): void {
      if (this.#strings?.[name] === undefined) element.lang = "en";
      else element.removeAttribute("lang");
    }

    #advance(progress: Progress): void {
      if (progress.total > 0) {
        this.#bar.value = Math.min(1, progress.done / progress.total);
        const text = this.#string("progress")(this.#bar.value);
        if (text === null) this.#bar.removeAttribute("aria-valuetext");
        else this.#bar.setAttribute("aria-valuetext", text);
      } else {
        this.#bar.removeAttribute("value");
      }
      this.#tell("adversight-progress", progress);
    }

    /** Takes the photograph or the text away. */
    #clear(): void {
      this.#text.hidden = true;
      this.#text.replaceChildren();
      this.#photograph?.close();
      this.#photograph = null;
      this.#canvas.width = this.#canvas.height = 0;
      this.#legend.hidden = true;
      this.#placeholder.hidden = false;
      this.#name();
    }

    /** What the picture is called: what the author says, or else what the explanation says. */
    #name(): void {
      const words = this.#explanation?.words.join(" ");
      this.#canvas.setAttribute(
        "aria-label",
        this.getAttribute("aria-label") ?? words ?? this.#string("photograph"),
      );
    }

    /** Whether everything was drawn as it was asked for. */
    #draw(): boolean {
      this.#name();
      if (this.#explanation && this.#explanation.texts.length > 0) drawWords(this.#text, this.#explanation);
      if (this.#sound && this.#engine) this.#sound.draw(this.#paint(this.#engine));
      if (!this.#photograph) return true;
      this.#placeholder.hidden = true;
      const value = (property: string) => this.#raw(property) as string | number | null;
      const faults: AdversightError[] = [];
      const read = <T>(parse: () => T, otherwise: T): T => {
        try {
          return parse();
        } catch (error) {
          faults.push(asAdversightError(error));
          return otherwise;
        }
      };
      const map = read(() => colourMap(value("colourMap")), "magma");
      const opacity = read(() => share("opacity", value("opacity")), undefined);
      const view = read(
        () => oneOf("view", ["overlay", "heatmap", "photograph"] as const, value("view")),
        undefined,
      );
      const segments = read(
        () => wholeNumber("segments", "how many segments are shown", value("segments")),
        undefined,
      );
      const smooth = read(
        () => size("smooth", "the width of a blur in the map's pixels, 0 or more", value("smooth")),
        undefined,
      );
      const signs = read(() => oneOf("signs", ["auto", "show", "hide"] as const, value("signs")), undefined);
      const signed = this.#partial ? null : this.#signedMap(signs ?? "auto");
      const colours = this.#engine?.colourMap(map) ?? new Uint8Array(768);
      drawExplanation(this.#canvas, this.#photograph, this.#partial ?? this.#explanation, {
        colours,
        opacity: opacity ?? 0.8,
        view: view ?? "overlay",
        segments,
        signed,
        ...(smooth === undefined ? {} : { smooth }),
      });
      this.#explain(colours, signed !== null, view ?? "overlay");
      const [fault] = faults;
      if (fault) {
        this.#status.textContent = this.#string("error")(fault);
        this.#tell("adversight-error", fault);
      } else if (this.#misdrawn && !this.#running) {
        this.#status.textContent = "";
      }
      this.#misdrawn = fault !== undefined;
      return !fault;
    }

    /** The map of what is shown with its signs, where they are wanted. */
    #signedMap(signs: Signs): SignedMap | null {
      const explanation = this.#explanation;
      if (!explanation) return null;
      const { method } = explanation.info;
      if (!(signs === "auto" ? showsSigns(method) : signs === "show" && tellsSigns(method))) return null;
      if (this.#signed?.of !== explanation)
        this.#signed = {
          of: explanation,
          map: signedMap(explanation, {
            method,
            ...(this.#layout === undefined ? {} : { layout: this.#layout }),
          }),
        };
      return this.#signed.map;
    }

    /** What the colours mean, with both ends of the scale in words. */
    #explain(colours: Uint8Array, signed: boolean, view: View): void {
      const explanation = this.#explanation;
      this.#legend.hidden = explanation === null || view === "photograph";
      if (!explanation || this.#legend.hidden) return;
      const { label } = explanation.info.target;
      const end = (name: "little" | "much" | "speaksFor" | "speaksAgainst") => {
        const text = this.#string(name);
        const span = document.createElement("span");
        span.textContent = typeof text === "string" ? text : text(label);
        this.#setLanguage(span, name);
        return span;
      };
      const scale = document.createElement("canvas");
      const ramp = Float32Array.from({ length: 256 }, (_, i) => (signed ? i / 127.5 - 1 : i / 255));
      const painted = signed
        ? signedPixels({ data: ramp, shape: [1, 256] }, {})
        : heatmapPixels({ data: ramp, shape: [1, 256], rule: "" }, { colours });
      [scale.width, scale.height] = [256, 1];
      scale.getContext("2d")?.putImageData(new ImageData(painted.data, 256, 1), 0, 0);
      scale.setAttribute("aria-hidden", "true");
      this.#legend.replaceChildren(
        end(signed ? "speaksAgainst" : "little"),
        scale,
        end(signed ? "speaksFor" : "much"),
      );
    }

    #tell(type: keyof ExplainerEventMap, detail: unknown): void {
      this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
    }
  }

  customElements.define(tag, Explainer);
}

async function loadImage(src: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.crossOrigin = "anonymous";
  await new Promise<void>((resolve) => {
    image.addEventListener("load", () => {
      resolve();
    });
    image.addEventListener("error", () => {
      resolve(); // decodeImage says what is wrong
    });
    image.src = src;
  });
  return image;
}

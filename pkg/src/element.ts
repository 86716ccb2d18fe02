/**
 * `<adversight-explainer model="model.onnx" preprocessing="preprocessor_config.json" labels="labels.json" src="photo.jpg" method="agi">`:
 * a photograph with the explanation over it and the words under it.
 *
 * Further attributes: `config`, `preset` instead of `preprocessing` (imagenet, timm, keras_tf, keras_caffe, unit, bytes) with `size`
 * (224, or "height width"), `output` (of a model with several), `inputs` (values of the inputs that are not explained, as JSON by name:
 * numbers, lists of numbers, or addresses of .npy files; the property `inputs` takes tensors too), `activation` (softmax, sigmoid, none),
 * `layout` (what the input's axes mean), `device` (auto, webgpu, cpu),
 * `target` (a class's number), `params` (JSON), `opacity` (0 to 1), `colour-map` (magma, viridis, turbo), `view` (overlay, heatmap,
 * photograph), `segments` (how many are shown). Events, which bubble: `adversight-progress`, `adversight-partial`,
 * `adversight-explanation` and `adversight-error`, with the Progress, PartialExplanation, Explanation or AdversightError as their detail. Parts for styling: `picture`,
 * `caption`, `status`.
 *
 * Importing this module does nothing; `define()` registers the element.
 */

import type { Engine, Model } from "./client.js";
import { AdversightError, asAdversightError } from "./errors.js";
import { download } from "./download.js";
import { createEngine } from "./index.js";
import { decodeImage } from "./input.js";
import { colourMapNames, drawExplanation } from "./picture.js";
import { presetNames, presetPreprocessing, type Preprocessing } from "./preprocessing.js";
import { parseNpy, type InputLike } from "./values.js";
import type { DeviceChoice, Explanation, Layout, PartialExplanation } from "./wasm/adversight.js";

export interface AdversightExplainer extends HTMLElement {
  /** Values of the inputs that are not explained, by their names, in place of the attribute `inputs`; null for that. */
  inputs: Record<string, InputLike> | null;
  /** The explanation that is shown, or null. */
  readonly explanation: Explanation | null;
}

declare global {
  interface HTMLElementTagNameMap {
    "adversight-explainer": AdversightExplainer;
  }
}

const style = `
  :host { display: inline-block; max-width: 100%; }
  figure { margin: 0; }
  canvas { display: block; max-width: 100%; height: auto; border-radius: inherit; }
  figcaption { margin-top: 0.5em; }
  [part="status"] { opacity: 0.75; }
  [part="status"]:empty { display: none; }
`;

/** Changing one of these computes anew; the others only draw anew. */
const computing = [
  "model",
  "preprocessing",
  "preset",
  "size",
  "labels",
  "config",
  "output",
  "inputs",
  "activation",
  "layout",
  "src",
  "method",
  "target",
  "params",
  "device",
];
const drawing = ["opacity", "colour-map", "view", "segments"];

/** One engine for each kind of device and one model for each address, shared by the elements of a page. */
const engines = new Map<DeviceChoice, Promise<Engine>>();
const models = new Map<string, Promise<{ engine: Engine; model: Model }>>();

async function sharedEngine(device: DeviceChoice): Promise<Engine> {
  const present = engines.get(device);
  if (present && !(await present.catch(() => null))?.closed) return present;
  const engine = createEngine({ device });
  engines.set(device, engine);
  engine.catch(() => engines.delete(device));
  return engine;
}

/** Values that were set as a property, each with a number, which stands for them in a model's key. */
const numbered = new WeakMap<object, number>();
let lastNumber = 0;

function numberOf(inputs: object): number {
  const number = numbered.get(inputs) ?? ++lastNumber;
  numbered.set(inputs, number);
  return number;
}

async function sharedModel(
  device: DeviceChoice,
  attribute: (name: string) => string | undefined,
  property: Record<string, InputLike> | null,
) {
  const onnx = attribute("model");
  if (onnx === undefined)
    throw new TypeError("The attribute model, the address of an ONNX file, is missing.");
  const options = {
    preprocessing: attribute("preprocessing") ?? presetOf(attribute),
    labels: attribute("labels"),
    config: attribute("config"),
    output: attribute("output"),
    activation: oneOf(["softmax", "sigmoid", "none"] as const, attribute("activation")),
    layout: attribute("layout") as Layout | undefined, // the engine says which there are
  };
  const declared = attribute("inputs");
  const values = property ? numberOf(property) : declared;
  const key = JSON.stringify([device, onnx, options, values]);
  const present = models.get(key);
  if (present && !(await present.catch(() => null))?.engine.closed) return present;
  const loading = sharedEngine(device).then(async (engine) => {
    const inputs = property ?? (declared === undefined ? undefined : await readInputs(declared));
    return { engine, model: await engine.loadModel({ onnx, ...options, inputs }) };
  });
  models.set(key, loading);
  loading.catch(() => models.delete(key));
  return loading;
}

/** The values of the attribute `inputs`: JSON, in which a text is the address of a .npy file. */
async function readInputs(declared: string): Promise<Record<string, InputLike>> {
  let values: unknown;
  try {
    values = JSON.parse(declared);
  } catch {
    values = null;
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
function presetOf(attribute: (name: string) => string | undefined): Preprocessing | undefined {
  const name = attribute("preset");
  if (name === undefined) return undefined;
  const preset = oneOf(presetNames, name);
  if (!preset)
    throw new TypeError(`The attribute preset is one of ${presetNames.join(", ")}, not "${name}".`);
  const [height = 224, width = height] = (attribute("size") ?? "224").split(/\D+/).map(Number);
  return presetPreprocessing(preset, { height, width });
}

function oneOf<Name extends string>(names: readonly Name[], value: string | undefined): Name | undefined {
  return names.find((name) => name === value);
}

/** Registers the element, once; does nothing on a server. */
export function define(tag = "adversight-explainer"): void {
  if (typeof customElements === "undefined" || customElements.get(tag)) return;

  class Explainer extends HTMLElement implements AdversightExplainer {
    static readonly observedAttributes = [...computing, ...drawing];

    explanation: Explanation | null = null;
    #partial: PartialExplanation | null = null;
    readonly #canvas = document.createElement("canvas");
    readonly #words = document.createElement("span");
    readonly #status = document.createElement("span");
    #photograph: ImageBitmap | null = null;
    #engine: Engine | null = null;
    #running: AbortController | null = null;
    #scheduled = false;
    #inputs: Record<string, InputLike> | null = null;

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
      caption.part.add("caption");
      caption.setAttribute("aria-live", "polite");
      this.#status.part.add("status");
      caption.append(this.#words, this.#status);
      figure.append(this.#canvas, caption);
      root.append(figure);
    }

    get inputs(): Record<string, InputLike> | null {
      return this.#inputs;
    }

    set inputs(inputs: Record<string, InputLike> | null) {
      this.#inputs = inputs;
      this.#schedule();
    }

    connectedCallback(): void {
      this.#schedule();
    }

    disconnectedCallback(): void {
      this.#running?.abort();
    }

    attributeChangedCallback(name: string): void {
      if (drawing.includes(name)) this.#draw();
      else this.#schedule();
    }

    /** Several attributes that change together start one computation. */
    #schedule(): void {
      if (this.#scheduled || !this.isConnected) return;
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        if (this.isConnected) void this.#run();
      });
    }

    async #run(): Promise<void> {
      this.#running?.abort();
      const { signal } = (this.#running = new AbortController());
      const attribute = (name: string) => this.getAttribute(name) ?? undefined;
      const src = attribute("src");
      if (src === undefined || attribute("model") === undefined) {
        this.explanation = this.#partial = null;
        this.#words.textContent = this.#status.textContent = "";
        this.#clear();
        return;
      }

      this.setAttribute("aria-busy", "true");
      this.#status.textContent = "Loading…";
      let shown = false;
      try {
        const device = oneOf(["auto", "webgpu", "cpu"] as const, attribute("device")) ?? "auto";
        const question = {
          method: attribute("method") ?? "agi",
          target: targetOf(attribute("target")),
          params: paramsOf(attribute("params")),
        };
        const loading = sharedModel(device, attribute, this.#inputs);
        loading.catch(() => undefined); // it is awaited below, where the photograph may have failed before
        const photograph = await decodeImage(await loadImage(src));
        if (signal.aborted) {
          photograph.close();
          return;
        }
        this.#photograph?.close();
        this.#photograph = photograph;
        shown = true;
        this.explanation = this.#partial = null;
        this.#words.textContent = "";
        this.#draw();

        const { engine, model } = await loading;
        this.#engine = engine;
        this.#status.textContent = "Computing…";
        this.explanation = await model.explain(photograph, {
          ...question,
          signal,
          onProgress: (progress) => {
            this.#tell("adversight-progress", progress);
          },
          onPartial: (partial) => {
            this.#partial = partial;
            this.#draw();
            this.#tell("adversight-partial", partial);
          },
        });
        this.#partial = null;
        this.#words.textContent = this.explanation.words.join(" ");
        this.#status.textContent = "";
        this.#draw();
        this.#tell("adversight-explanation", this.explanation);
      } catch (thrown) {
        if (signal.aborted) return;
        const error = asAdversightError(thrown);
        // An answer about another photograph, or to another question, is none.
        this.explanation = this.#partial = null;
        this.#words.textContent = "";
        if (!shown) this.#clear();
        this.#draw();
        this.#status.textContent = error.message;
        this.#tell("adversight-error", error);
      } finally {
        if (!signal.aborted) this.removeAttribute("aria-busy");
      }
    }

    /** Takes the photograph away. */
    #clear(): void {
      this.#photograph?.close();
      this.#photograph = null;
      this.#canvas.width = this.#canvas.height = 0;
      this.#canvas.setAttribute("aria-label", this.getAttribute("aria-label") ?? "Photograph");
    }

    #draw(): void {
      if (!this.#photograph) return;
      const map = oneOf(colourMapNames, this.getAttribute("colour-map") ?? undefined) ?? "magma";
      const view = oneOf(
        ["overlay", "heatmap", "photograph"] as const,
        this.getAttribute("view") ?? undefined,
      );
      drawExplanation(this.#canvas, this.#photograph, this.#partial ?? this.explanation, {
        colours: this.#engine?.colourMap(map) ?? new Uint8Array(768),
        opacity: Number(this.getAttribute("opacity") ?? 0.8),
        view: view ?? "overlay",
        segments: this.hasAttribute("segments") ? Number(this.getAttribute("segments")) : undefined,
      });
      const words = this.explanation?.words.join(" ");
      this.#canvas.setAttribute("aria-label", words ?? this.getAttribute("aria-label") ?? "Photograph");
    }

    #tell(type: string, detail: unknown): void {
      this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
    }
  }

  customElements.define(tag, Explainer);
}

/** The class that the attribute `target` names; null for the network's own answer. */
function targetOf(value: string | undefined): number | null {
  if (value === undefined || value.trim() === "") return null;
  const target = Number(value);
  if (Number.isInteger(target)) return target;
  throw new AdversightError(
    "parameter_invalid",
    `The attribute target is the number of a class, not "${value}".`,
  );
}

function paramsOf(value: string | undefined): Record<string, unknown> {
  if (value === undefined || value.trim() === "") return {};
  try {
    const params: unknown = JSON.parse(value);
    if (typeof params === "object" && params !== null) return params as Record<string, unknown>;
  } catch {
    // told below
  }
  throw new AdversightError("parameter_invalid", `The attribute params is an object in JSON, not ${value}.`);
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

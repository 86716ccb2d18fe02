// The one list of what `<adversight-explainer>` understands: of each attribute its property, its values, and whether another value computes
// anew. The element's observed attributes and properties, custom-elements.json and the tests follow from it.

import { AdversightError } from "./errors.js";
import { colourMapNames } from "./picture.js";
import { presetNames } from "./preprocessing.js";

/** What a change of a value asks for: another model, another explanation of the same, or another drawing of the same. */
export type Effect = "model" | "question" | "drawing";

export interface Attribute {
  /** Null for values that no text can say. */
  attribute: string | null;
  property: string;
  effect: Effect;
  /** The type of the property, in TypeScript. */
  type: string;
  about: string;
}

const text = "string | null";

export const attributes: readonly Attribute[] = [
  {
    attribute: "model",
    property: "model",
    effect: "model",
    type: "Model | FileSource | null",
    about: "The network: the address of an ONNX file, the file itself, or a Model that was loaded before.",
  },
  {
    attribute: "sha256",
    property: "sha256",
    effect: "model",
    type: text,
    about: "The SHA-256 of the model's file, by which the browser keeps it, so that it is downloaded once.",
  },
  {
    attribute: "preprocessing",
    property: "preprocessing",
    effect: "model",
    type: "Preprocessing | URL | string | null",
    about: "A preprocessor_config.json (Hugging Face), or its address.",
  },
  {
    attribute: "preset",
    property: "preset",
    effect: "model",
    type: "PresetName | null",
    about: `The preprocessing by a name instead: ${presetNames.join(", ")}.`,
  },
  {
    attribute: "size",
    property: "size",
    effect: "model",
    type: "number | string | null",
    about: 'The size that the preset scales to: "224", or "height width".',
  },
  {
    attribute: "labels",
    property: "labels",
    effect: "model",
    type: "string[] | URL | string | null",
    about: "The names of the classes in order, or the address of a JSON list of them.",
  },
  {
    attribute: "config",
    property: "config",
    effect: "model",
    type: "Record<string, unknown> | URL | string | null",
    about: "A config.json (Hugging Face), of which id2label is read, or its address.",
  },
  {
    attribute: "tokenizer",
    property: "tokenizer",
    effect: "model",
    type: "FileSource | null",
    about:
      'For networks that read: a tokenizer.json (Hugging Face) or a vocabulary of one word a line, or its address; "bytes" for networks of bytes.',
  },
  {
    attribute: "output",
    property: "output",
    effect: "model",
    type: text,
    about: "The output to explain, by its name, where the model has several.",
  },
  {
    attribute: "inputs",
    property: "inputs",
    effect: "model",
    type: "Record<string, InputLike> | string | null",
    about:
      "Values of the inputs that are not explained, by name: numbers, lists, or addresses of .npy files.",
  },
  {
    attribute: "activation",
    property: "activation",
    effect: "model",
    type: "Activation | null",
    about: "What turns scores into probabilities: softmax, sigmoid or none.",
  },
  {
    attribute: "layout",
    property: "layout",
    effect: "model",
    type: "Layout | null",
    about: "What the axes of the explained input mean.",
  },
  {
    attribute: "device",
    property: "device",
    effect: "model",
    type: "DeviceChoice | null",
    about: "auto, webgpu or cpu.",
  },
  {
    attribute: "src",
    property: "src",
    effect: "question",
    type: text,
    about: "The address of the photograph.",
  },
  {
    attribute: "audio",
    property: "audio",
    effect: "model",
    type: "SoundInput | Blob | string | null",
    about:
      "A sound in place of the photograph, for a network that hears: its address, its file, or its samples.",
  },
  {
    attribute: null,
    property: "image",
    effect: "question",
    type: "ImageInput | null",
    about:
      "The photograph itself, in place of src: a file, ImageData, ImageBitmap, VideoFrame, or an element.",
  },
  {
    attribute: "text",
    property: "text",
    effect: "question",
    type: "TextInput | null",
    about: "The text to explain, or a pair of texts, in place of a photograph; its words are shown coloured.",
  },
  {
    attribute: "method",
    property: "method",
    effect: "question",
    type: text,
    about: "The name of the method (agi; integrated_gradients for a text).",
  },
  {
    attribute: "target",
    property: "target",
    effect: "question",
    type: "number | null",
    about: "The number of the explained class; the network's answer where it is left out.",
  },
  {
    attribute: "params",
    property: "params",
    effect: "question",
    type: "Record<string, unknown> | string | null",
    about: "The method's parameters, as JSON in the attribute.",
  },
  {
    attribute: "seed",
    property: "seed",
    effect: "question",
    type: "number | null",
    about: "The seed of everything random.",
  },
  {
    attribute: "quality",
    property: "quality",
    effect: "question",
    type: "Quality | null",
    about:
      "The settings that params leaves open: paper (the default), or quick, with which a processor is done in seconds or within a minute.",
  },
  {
    attribute: "opacity",
    property: "opacity",
    effect: "drawing",
    type: "number | string | null",
    about: "How much the strongest values cover the photograph: 0 to 1, or a percentage (0.8).",
  },
  {
    attribute: "colour-map",
    property: "colourMap",
    effect: "drawing",
    type: "ColourMap | null",
    about: "magma, viridis or turbo.",
  },
  {
    attribute: "view",
    property: "view",
    effect: "drawing",
    type: "View | null",
    about: "overlay, heatmap or photograph.",
  },
  {
    attribute: "segments",
    property: "segments",
    effect: "drawing",
    type: "number | null",
    about: "How many segments are shown, of methods that work on segments.",
  },
  {
    attribute: "smooth",
    property: "smooth",
    effect: "drawing",
    type: "number | null",
    about:
      "The width of the blur under which the map is shown, in its own pixels (3); 0 for none. The values stay as they are.",
  },
  {
    attribute: "signs",
    property: "signs",
    effect: "drawing",
    type: "Signs | null",
    about:
      "Whether what speaks against the class is shown in a colour of its own: auto (of methods that tell it, but for those whose papers show only what speaks for it), show, or hide.",
  },
];

/** The events that the element sends, with the type of their detail. */
export const events = {
  "adversight-progress": "Progress",
  "adversight-partial": "PartialExplanation",
  "adversight-explanation": "Explanation",
  "adversight-error": "AdversightError",
} as const;

export const parts = {
  picture: "The canvas with the photograph and the map.",
  text: "The text with its words coloured.",
  word: "A word of the text.",
  caption: "What stands under it.",
  words: "The explanation in words.",
  status: "What is being done, or what went wrong.",
  legend: "What the colours mean.",
  progress: "The bar while something is downloaded or computed.",
} as const;

export const slots = {
  placeholder: "Shown while there is no picture.",
  controls: "Controls of your own under the caption.",
} as const;

/** A catalogue of the element in the form of custom-elements.json. */
export function manifest(): object {
  const described = (entries: Record<string, string>) =>
    Object.entries(entries).map(([name, description]) => ({ name, description }));
  return {
    schemaVersion: "1.0.0",
    readme: "README.md",
    modules: [
      {
        kind: "javascript-module",
        path: "dist/register.js",
        declarations: [
          {
            kind: "class",
            customElement: true,
            tagName: "adversight-explainer",
            name: "AdversightExplainer",
            description:
              "A photograph with the explanation of a network's answer over it and the words under it.",
            superclass: { name: "HTMLElement" },
            attributes: attributes.flatMap(({ attribute, property, type, about }) =>
              attribute === null
                ? []
                : [{ name: attribute, fieldName: property, type: { text: type }, description: about }],
            ),
            members: [
              ...attributes.map(({ property, type, about }) => ({
                kind: "field",
                name: property,
                type: { text: type },
                description: about,
              })),
              {
                kind: "field",
                name: "explanation",
                readonly: true,
                type: { text: "Explanation | null" },
                description: "The explanation that is shown.",
              },
              {
                kind: "field",
                name: "strings",
                type: { text: "Partial<Strings> | null" },
                description: "The element's own words in another language.",
              },
            ],
            events: Object.entries(events).map(([name, detail]) => ({
              name,
              type: { text: `CustomEvent<${detail}>` },
            })),
            cssParts: described(parts),
            slots: described(slots),
          },
        ],
        exports: [
          {
            kind: "custom-element-definition",
            name: "adversight-explainer",
            declaration: { name: "AdversightExplainer", module: "dist/register.js" },
          },
        ],
      },
    ],
  };
}

const invalid = (name: string, what: string, value: unknown) =>
  new AdversightError("parameter_invalid", `The attribute ${name} is ${what}, not "${String(value)}".`);

type Given = string | number | null | undefined;

const isNothing = (value: Given): value is null | undefined | "" =>
  value === null || value === undefined || String(value).trim() === "";

/** One of these names; undefined where nothing is given. */
export function oneOf<Name extends string>(
  attribute: string,
  names: readonly Name[],
  value: Given,
): Name | undefined {
  if (isNothing(value)) return undefined;
  const found = names.find((name) => name === value);
  if (found === undefined) throw invalid(attribute, `one of ${names.join(", ")}`, value);
  return found;
}

/** A whole number from zero on; undefined where nothing is given. */
export function wholeNumber(attribute: string, what: string, value: Given): number | undefined {
  if (isNothing(value)) return undefined;
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) throw invalid(attribute, what, value);
  return number;
}

/** A number from zero on; undefined where nothing is given. */
export function size(attribute: string, what: string, value: Given): number | undefined {
  if (isNothing(value)) return undefined;
  const number = Number(value);
  if (!(number >= 0 && number < Infinity)) throw invalid(attribute, what, value);
  return number;
}

/** A share from 0 to 1, also as a percentage. */
export function share(attribute: string, value: Given): number | undefined {
  if (isNothing(value)) return undefined;
  const [, digits = "", percent] = /^\s*([\d.]+)\s*(%?)\s*$/.exec(String(value)) ?? [];
  const number = digits === "" ? NaN : Number(digits) / (percent ? 100 : 1);
  if (!(number >= 0 && number <= 1)) throw invalid(attribute, "a number from 0 to 1 or a percentage", value);
  return number;
}

/** An object, or one in JSON. */
export function record(attribute: string, value: unknown): Record<string, unknown> {
  if (value === null || value === undefined || value === "") return {};
  let found: unknown = value;
  if (typeof value === "string") {
    if (value.trim() === "") return {};
    try {
      found = JSON.parse(value) as unknown;
    } catch {
      found = null;
    }
  }
  if (typeof found === "object" && found !== null && !Array.isArray(found)) {
    return found as Record<string, unknown>;
  }
  throw new AdversightError(
    "parameter_invalid",
    `The attribute ${attribute} is an object in JSON, not ${typeof value === "string" ? value : typeof value}.`,
  );
}

export const colourMap = (value: Given) => oneOf("colour-map", colourMapNames, value) ?? "magma";

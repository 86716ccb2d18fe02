// What was dropped or chosen: a network, what belongs to it, or something to ask a network about; told by its content.

import { t } from "./strings/strings.js";
import { parseNpy, recogniseFile, type InputValue, type Preprocessing, type Recognised } from "adversight";
import type { Problem } from "./advice.js";
import type { Kind } from "./kinds.js";

/** What belongs to a network, each with the file that it came from. */
export interface Companions {
  preprocessing?: { file: string; value: Preprocessing };
  /** Names of classes, as their file has them: whether they fit is known when the classes are. */
  labels?: { file: string; text: string };
  /** Files of weights, by their names. */
  weights: File[];
  /** Values of further inputs, from files of NumPy. */
  arrays: { file: string; value: InputValue }[];
  /** The network that was trained to mask what this one looks at. */
  masker?: File;
}

/** A file that cannot be used, and why. */
export interface Refusal {
  file: string;
  reason: string;
  /** What the file was found to be. */
  found: Recognised | null;
}

export interface Sorted {
  onnx: File | null;
  photo: File | null;
  companions: Companions;
  refused: Refusal[];
  /** The first file that a network of another kind can be asked about, by kind. */
  others: Partial<Record<Exclude<Kind, "image">, File>>;
}

/** Sorts files by what is in them, and by their names where that says nothing; of several networks or photographs, the first counts. */
export async function sortFiles(files: readonly File[]): Promise<Sorted> {
  const companions: Companions = { weights: [], arrays: [] };
  const sorted: Sorted = { onnx: null, photo: null, companions, refused: [], others: {} };
  for (const file of files) {
    const found = await recogniseFile(file).catch(() => null); // what cannot be read is told where it is used
    const kind = otherKind(file, found);
    if (kind) sorted.others[kind] ??= file;
    try {
      await sort(file, found, sorted);
    } catch (error) {
      const reason =
        error instanceof SyntaxError
          ? t`It is not readable as JSON.`
          : error instanceof Error
            ? error.message
            : String(error);
      sorted.refused.push({ file: file.name, reason, found });
    }
  }
  return sorted;
}

/** The kind of network, but for those of pictures, that a file can be given to. */
function otherKind(file: File, found: Recognised | null): Exclude<Kind, "image"> | null {
  switch (found?.kind) {
    case "text":
      // Names of classes are told from a text by their file's name alone.
      return /label|class|names|categor|synset/i.test(file.name) ? null : "text";
    case "sound":
      return "audio";
    // What to do about a network or a picture that cannot be used is of more help than what kind of file it is.
    case "network":
    case "onnx":
    case "picture":
    case "array":
    case "json":
      return null;
    case undefined:
      return file.type.startsWith("image/") ? null : "file";
    default:
      return "file";
  }
}

async function sort(file: File, found: Recognised | null, sorted: Sorted): Promise<void> {
  const { companions } = sorted;
  switch (found?.kind) {
    case "onnx":
      if (sorted.onnx) throw new Error(`One network at a time: ${sorted.onnx.name} came first.`);
      sorted.onnx = file;
      return;
    // Some browsers read pictures that others do not: only the try tells.
    case "picture":
      if (sorted.photo) throw new Error(`One photograph at a time: ${sorted.photo.name} came first.`);
      sorted.photo = file;
      return;
    case "json":
      Object.assign(companions, companionFromJson(file.name, await file.text()));
      return;
    case "text":
      companions.labels = { file: file.name, text: await file.text() };
      return;
    case "array":
      if (/\.npz$/i.test(file.name)) throw new Error(found.sentence);
      companions.arrays.push({ file: file.name, value: parseNpy(new Uint8Array(await file.arrayBuffer())) });
      return;
    case undefined:
      if (file.type.startsWith("image/")) sorted.photo ??= file;
      else companions.weights.push(file);
      return;
    default:
      throw new Error(found?.sentence);
  }
}

/** Whether there is something that belongs to a network, and not a photograph alone. */
export function concernNetwork({ onnx, companions }: Sorted): boolean {
  const { preprocessing, labels, weights, arrays } = companions;
  return (
    onnx !== null ||
    preprocessing !== undefined ||
    labels !== undefined ||
    weights.length > 0 ||
    arrays.length > 0
  );
}

/** What to tell where there was no photograph and no network among the files. */
export function refusalProblem([first, ...others]: readonly Refusal[]): Problem | null {
  if (!first) return null;
  const titles: Partial<Record<Recognised["kind"], string>> = {
    network: t`This network has to be converted to ONNX first.`,
    sound: t`This page explains networks of pictures and of texts.`,
    table: t`This page explains networks of pictures and of texts.`,
  };
  const more = others.length > 0 ? t` (And ${others.map(({ file }) => file).join(", ")}.)` : "";
  return {
    title: (first.found && titles[first.found.kind]) ?? t`This file cannot be used here.`,
    message: `${first.file}: ${first.reason}${more}`,
    remedy: null,
  };
}

function companionFromJson(file: string, text: string): Pick<Companions, "preprocessing" | "labels"> {
  const value: unknown = JSON.parse(text);
  if (isPreprocessing(value)) return { preprocessing: { file, value } };
  if (mayNameClasses(value)) return { labels: { file, text } };
  throw new Error("It holds neither names of classes nor how pictures are prepared.");
}

/** Whether there may be names of classes in it, of which the engine knows more. */
function mayNameClasses(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const entries = Object.entries(value);
  const lists = /^(id2label|names|label_names|labels|classes)$/;
  return (
    entries.some(([key, names]) => lists.test(key) && typeof names === "object" && names !== null) ||
    (entries.length > 0 && entries.every(([key]) => /^\d+$/.test(key))) ||
    (entries.length > 0 && entries.every(([, number]) => Number.isInteger(number)))
  );
}

function isPreprocessing(value: unknown): value is Preprocessing {
  const keys =
    /^(image_mean|image_std|do_resize|do_normalize|do_rescale|crop_size|rescale_factor|image_processor_type)$/;
  return typeof value === "object" && value !== null && Object.keys(value).some((key) => keys.test(key));
}

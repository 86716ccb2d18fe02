// What was dropped or chosen: a network, what belongs to it, or a photograph.

import type { Preprocessing } from "adversight";
import { LabelError, labelsFromJson, labelsFromText } from "./labels.js";

/** What belongs to a network, each with the file that it came from. */
export interface Companions {
  preprocessing?: { file: string; value: Preprocessing };
  labels?: { file: string; value: string[] };
  /** Files of weights, by their names. */
  weights: File[];
  /** The network that was trained to mask what this one looks at. */
  masker?: File;
}

export interface Sorted {
  onnx: File | null;
  photo: File | null;
  companions: Companions;
  /** Files that could not be used, as sentences. */
  refused: string[];
}

const isOnnx = ({ name }: File) => /\.onnx$/i.test(name);
const isPhoto = ({ name, type }: File) =>
  type.startsWith("image/") || /\.(jpe?g|png|webp|avif|gif|bmp|heic)$/i.test(name);

/** Whether the files are about a network, and not a photograph alone. */
export function concernNetwork(files: readonly File[]): boolean {
  return files.some((file) => isOnnx(file) || /\.(json|txt|data|bin|weights?|pb)$/i.test(file.name));
}

/** Sorts files by what is in them; of several networks or photographs, the first counts. */
export async function sortFiles(files: readonly File[]): Promise<Sorted> {
  const sorted: Sorted = { onnx: null, photo: null, companions: { weights: [] }, refused: [] };
  const { companions, refused } = sorted;
  for (const file of files) {
    if (isOnnx(file)) {
      if (sorted.onnx) refused.push(`${file.name}: one network at a time, ${sorted.onnx.name} came first.`);
      else sorted.onnx = file;
    } else if (isPhoto(file)) {
      sorted.photo ??= file;
    } else if (/\.(json|txt)$/i.test(file.name)) {
      try {
        Object.assign(companions, await readCompanion(file));
      } catch (error) {
        const reason = error instanceof LabelError ? error.message : "It is not readable as JSON.";
        refused.push(`${file.name}: ${reason}`);
      }
    } else {
      companions.weights.push(file);
    }
  }
  return sorted;
}

async function readCompanion(file: File): Promise<Omit<Companions, "weights">> {
  const text = await file.text();
  if (/\.txt$/i.test(file.name)) return { labels: { file: file.name, value: labelsFromText(text) } };
  const value: unknown = JSON.parse(text);
  if (isPreprocessing(value)) return { preprocessing: { file: file.name, value } };
  return { labels: { file: file.name, value: labelsFromJson(value) } };
}

function isPreprocessing(value: unknown): value is Preprocessing {
  const keys =
    /^(image_mean|image_std|do_resize|do_normalize|do_rescale|crop_size|rescale_factor|image_processor_type)$/;
  return typeof value === "object" && value !== null && Object.keys(value).some((key) => keys.test(key));
}

// Whatever the user hands over as an image, made ready for the engine. What cannot be used is refused here, with an
// error that says why, before memory is taken for its pixels wherever its size can be known earlier.

import { AdversightError } from "./errors.js";
import { headerBytes, mayBeTurned, readHeader, turnedFile, upright } from "./header.js";
import { recogniseFile } from "./recognise.js";
import { readBlob } from "./download.js";
import { readStraight, straightOf } from "./straight.js";
import { isText, sentText, type SentText, type TextInput } from "./texts.js";
import { isSound, readSound, soundData, type EncodedSound, type SoundInput } from "./sound.js";
import { isTable, tableData, type TableInput } from "./tables.js";
import { isNumbers } from "./values.js";
import type { Numbers, TensorData, WasmInput } from "./wasm/adversight.js";

/** Anything with pixels that a browser can read. */
export type ImageInput =
  | Blob
  | ImageData
  | ImageBitmap
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame;

/** Numbers in any typed array, with their shape. The engine explains at 32-bit floats. */
export interface TensorInput {
  data: Numbers;
  shape: number[];
}

/** Values of the inputs that a model explains at once (`loadModel({ input: [...] })`), by their names. */
export interface NamedInputs {
  inputs: Record<string, TensorInput>;
}

/**
 * A text (or a pair of texts) for a model with a tokenizer, an image, a sound (decoded, or as a file), a row of a table, a tensor that goes into the network as
 * it is, or several of them by name; a file is what the network takes. Null stands for the inputs that `Model.withInputs` has set, of a model
 * that is explained at a node.
 */
export type ModelInput = TextInput | ImageInput | SoundInput | TableInput | TensorInput | NamedInputs | null;

/** The form in which an input travels to the engine: an ImageBitmap's pixels are read there, and a sound's file, off the page's thread. */
export type SentInput = WasmInput | SentText | { bitmap: ImageBitmap } | EncodedSound;

export interface PreparedInput {
  input: SentInput;
  transfer: Transferable[];
}

/** The most pixels an image may have; the engine has the same limit. */
export const maxPixels = 64 * 1024 * 1024;

/** Refuses an image whose size cannot be worked with. */
export function checkSize(width: number, height: number): void {
  if (!(width > 0 && height > 0)) {
    throw new AdversightError(
      "input_invalid",
      `The image is ${width} by ${height} pixels: there is nothing to look at.`,
    );
  }
  if (width * height > maxPixels) {
    const megapixels = Math.round((width * height) / 1e6);
    throw new AdversightError(
      "input_too_large",
      `The image has ${megapixels} megapixels (${width} by ${height}), more than the ${Math.floor(maxPixels / 1e6)} that are ` +
        "accepted. Scale it down first; the network sees only a few hundred pixels a side.",
    );
  }
}

/**
 * Makes an input ready to be sent. Nothing that belongs to the caller is handed over; what was made here is. For a network that `hears`, a
 * file is a sound whatever it holds, and for one that `reads` a text: the engine says what is wrong with it.
 */
export async function prepareInput(
  source: ModelInput,
  { reads = false, hears = false } = {},
): Promise<PreparedInput> {
  if (source === null) return { input: null, transfer: [] };
  if (isText(source)) return { input: sentText(source), transfer: [] };
  if (reads && (isA(source, "Blob") || isA(source, "File"))) {
    const file = await readBlob(source);
    return { input: { file }, transfer: [file.buffer] };
  }
  if (isTensor(source)) return { input: tensorOf(source), transfer: [] };
  if (isNamed(source)) {
    const values = Object.entries(source.inputs).map(([name, value]) => [name, tensorOf(value)] as const);
    return { input: { values: Object.fromEntries(values) }, transfer: [] };
  }
  if (isTable(source)) return { input: await tableData(source), transfer: [] };
  if (isSound(source)) return { input: soundData(source), transfer: [] };
  if (isA(source, "Blob") || isA(source, "File")) {
    const sound = await readSound(source, hears);
    if (sound) return { input: sound, transfer: "encoded" in sound ? [sound.encoded.buffer] : [] };
  }
  if (isA(source, "ImageData") && source.colorSpace === "srgb") {
    checkSize(source.width, source.height);
    if (source.data instanceof Uint8ClampedArray) {
      const { data, width, height } = source;
      return { input: { pixels: tight(data), width, height }, transfer: [] };
    }
  }
  if (isA(source, "ImageBitmap")) {
    checkSize(source.width, source.height);
    return { input: { bitmap: source }, transfer: [] };
  }
  const bitmap = await decodeImage(source);
  return { input: { bitmap }, transfer: [bitmap] };
}

/** A tensor as the engine takes it: its shape checked, its numbers as 32-bit floats. */
export function tensorOf({ data, shape }: TensorInput): TensorData {
  checkTensor({ data, shape });
  const isFloat32 = Object.prototype.toString.call(data) === "[object Float32Array]"; // of whatever frame
  return {
    data: isFloat32 ? tight(data as Float32Array) : Float32Array.from(data, Number),
    shape: [...shape],
  };
}

/**
 * An array that can be sent by itself: of a part of a buffer the whole buffer would be copied, and one of shared memory could change on its
 * way, or not be sent at all.
 */
export function tight<T extends Uint8Array | Uint8ClampedArray | Float32Array>(array: T): T {
  const isShared = Object.prototype.toString.call(array.buffer) === "[object SharedArrayBuffer]";
  return isShared || array.byteLength < array.buffer.byteLength ? (array.slice() as T) : array;
}

/**
 * The image upright (as its EXIF orientation asks) and in sRGB, ready to be shown or explained. Its colours are those of the file, also
 * where it is transparent. Rejects with an AdversightError where it is no image, is empty, or is larger than is accepted.
 */
export async function decodeImage(source: ImageInput): Promise<ImageBitmap> {
  await checkSource(source);
  let bitmap: ImageBitmap;
  try {
    bitmap = await bitmapOf(source);
  } catch (cause) {
    throw new AdversightError("input_invalid", await notReadable(source), { cause });
  }
  try {
    checkSize(bitmap.width, bitmap.height);
  } catch (error) {
    bitmap.close();
    throw error;
  }
  return bitmap;
}

async function bitmapOf(source: ImageInput): Promise<ImageBitmap> {
  const straight = { premultiplyAlpha: "none" } as const;
  if (!(isA(source, "Blob") || isA(source, "File"))) return createImageBitmap(source, straight);
  const start = new Uint8Array(await source.slice(0, 32).arrayBuffer());
  if (!mayBeTurned(start)) return createImageBitmap(source, straight);
  const file = turnedFile(new Uint8Array(await source.arrayBuffer()));
  if (!file) return createImageBitmap(source, straight);
  const lying = await createImageBitmap(new Blob(file.lying, { type: source.type }), straight);
  try {
    const { width, height } = lying;
    checkSize(width, height);
    const pixels = upright(pixelsOf(lying), lying, file.turned);
    const size: [number, number] = file.turned >= 5 ? [height, width] : [width, height];
    return await createImageBitmap(new ImageData(pixels, ...size), straight);
  } finally {
    lying.close();
  }
}

/** What can be known about an image without decoding it. */
async function checkSource(source: ImageInput): Promise<void> {
  if (isA(source, "Blob") || isA(source, "File")) {
    if (source.size === 0) throw new AdversightError("input_invalid", "The file is empty.");
    const start = new Uint8Array(await source.slice(0, headerBytes).arrayBuffer());
    const header = readHeader(start);
    if (header) checkSize(header.width, header.height);
  } else if (isA(source, "HTMLImageElement")) {
    if (!source.complete) await loaded(source);
    if (source.naturalWidth === 0)
      throw new AdversightError("input_invalid", "The image could not be loaded.");
    checkSize(source.naturalWidth, source.naturalHeight);
  } else if (isA(source, "HTMLVideoElement")) {
    if (source.videoWidth === 0 || source.readyState < 2 /* HAVE_CURRENT_DATA */) {
      throw new AdversightError("input_invalid", "The video shows no picture yet. Wait until it plays.");
    }
    checkSize(source.videoWidth, source.videoHeight);
  } else if (isA(source, "VideoFrame")) {
    if (source.format === null && source.codedWidth === 0) {
      throw new AdversightError("input_invalid", "The video frame was closed: give it before its close().");
    }
    checkSize(source.displayWidth, source.displayHeight);
  } else if (
    isA(source, "ImageData") ||
    isA(source, "ImageBitmap") ||
    isA(source, "HTMLCanvasElement") ||
    isA(source, "OffscreenCanvas")
  ) {
    checkSize(source.width, source.height);
  } else {
    throw new AdversightError(
      "input_invalid",
      "This is not an image. Give a file (Blob), ImageData, ImageBitmap, VideoFrame, an image, canvas or video element, " +
        "or a tensor { data, shape } whose data is a typed array.",
    );
  }
}

/** Pixels of bitmaps that are closed, for calls that are made again on another device. */
const taken = new WeakMap<ImageBitmap, WasmInput>();

/** The input as the engine takes it; a bitmap that was sent is closed once its pixels are read. */
export function toWasmInput(input: Exclude<SentInput, SentText | EncodedSound>): WasmInput {
  if (input === null || !("bitmap" in input)) return input;
  const { bitmap } = input;
  const before = taken.get(bitmap);
  if (before) return before;
  const { width, height } = bitmap;
  try {
    const pixels = pixelsOf(bitmap);
    const made = { pixels, width, height };
    taken.set(bitmap, made);
    return made;
  } finally {
    bitmap.close();
  }
}

/** The pixels with the colours that the bitmap holds, also where it is transparent. */
function pixelsOf(bitmap: ImageBitmap): Uint8ClampedArray {
  const read = readPixels(bitmap);
  return isOpaque(read) ? read : straightOf(readStraight(bitmap), read);
}

/** Frees what was sent for a call that is not made. */
export function discardInput(args: unknown): void {
  const { input } = (args ?? {}) as { input?: SentInput };
  if (input && "bitmap" in input) input.bitmap.close();
}

let noisy: boolean | null = null;

/**
 * Whether this browser changes the pixels that are read from a canvas, as privacy modes do against recognising visitors. Tried once, on
 * pixels that are known.
 */
export function canvasIsNoisy(): boolean {
  if (noisy !== null) return noisy;
  const side = 16;
  const known = Uint8ClampedArray.from({ length: side * side * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : (i * 73 + (i >> 4) * 29) % 256,
  );
  const context = canvasContext(side, side);
  context.putImageData(new ImageData(known, side, side), 0, 0);
  const { data } = context.getImageData(0, 0, side, side);
  return (noisy = known.some((value, i) => value !== data[i]));
}

/** What is told then. */
export const noisyCanvas =
  "This browser changes the pixels that a page reads from a picture, to protect your privacy: what the network saw differs a little from the " +
  "picture. Allow this site to read canvases, or give ImageData or a tensor.";

function isOpaque(pixels: Uint8ClampedArray): boolean {
  for (let i = 3; i < pixels.length; i += 4) if (pixels[i] !== 255) return false;
  return true;
}

/** Read tile by tile: browsers limit a canvas to as little as 16 megapixels, and the whole would take the memory twice. */
const tile = 4096;

function readPixels(bitmap: ImageBitmap): Uint8ClampedArray {
  const { width, height } = bitmap;
  const context = canvasContext(Math.min(width, tile), Math.min(height, tile));
  let pixels: Uint8ClampedArray;
  try {
    if (width <= tile && height <= tile) {
      context.drawImage(bitmap, 0, 0);
      return context.getImageData(0, 0, width, height).data;
    }
    pixels = new Uint8ClampedArray(width * height * 4);
    for (let top = 0; top < height; top += tile) {
      for (let left = 0; left < width; left += tile) {
        const w = Math.min(tile, width - left);
        const h = Math.min(tile, height - top);
        context.clearRect(0, 0, w, h);
        context.drawImage(bitmap, left, top, w, h, 0, 0, w, h);
        const { data } = context.getImageData(0, 0, w, h);
        for (let row = 0; row < h; row++) {
          pixels.set(data.subarray(row * w * 4, (row + 1) * w * 4), ((top + row) * width + left) * 4);
        }
      }
    }
    return pixels;
  } catch (cause) {
    if (cause instanceof RangeError) {
      throw new AdversightError("out_of_memory", "There is not enough memory for an image of this size.", {
        cause,
      });
    }
    throw new AdversightError("input_invalid", foreignPixels, { cause });
  }
}

type Context2d = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

// Each canvas is asked by itself: what TypeScript makes of `getContext` on a union of both depends on which files it has
// looked at before, and with it whether the linter wants an assertion behind it.
function canvasContext(width: number, height: number): Context2d {
  const context =
    typeof OffscreenCanvas === "undefined"
      ? pageCanvas(width, height).getContext("2d", { willReadFrequently: true })
      : new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context)
    throw new AdversightError("internal", "This browser gives no canvas to read an image's pixels with.");
  return context;
}

function pageCanvas(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

export const foreignPixels =
  "The image comes from another site that does not let its pixels be read. Save it and choose the file instead.";

async function notReadable(source: ImageInput): Promise<string> {
  if (!isA(source, "Blob") && !isA(source, "File")) return "The image's pixels cannot be read.";
  const found = await recogniseFile(source);
  if (found && found.kind !== "picture") return found.sentence;
  if (found?.advice !== undefined) return found.sentence;
  const type = found ? ` (${found.format})` : source.type === "" ? "" : ` (${source.type})`;
  return found
    ? `This file${type} is damaged: this browser cannot read it as an image.`
    : `This file${type} is not an image that this browser can read. Choose a JPEG, PNG or WebP.`;
}

async function loaded(image: HTMLImageElement): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      resolve();
    };
    image.addEventListener("load", done, { once: true });
    image.addEventListener("error", done, { once: true });
  });
}

export function checkTensor({ data, shape }: Pick<TensorData, "shape"> & { data: ArrayLike<unknown> }): void {
  if (!shape.every((side) => Number.isInteger(side) && side >= 0)) {
    throw new AdversightError(
      "input_shape",
      `A tensor's shape is a list of whole numbers, not [${shape.join(", ")}].`,
    );
  }
  const size = shape.reduce((product, side) => product * side, 1);
  if (size !== data.length) {
    throw new AdversightError(
      "input_shape",
      `The tensor's shape [${shape.join(", ")}] asks for ${size} values, but there are ${data.length}.`,
    );
  }
}

function isNamed(source: ImageInput | SoundInput | TableInput | NamedInputs): source is NamedInputs {
  return "inputs" in source && typeof source.inputs === "object";
}

function isTensor(
  source: ImageInput | SoundInput | TableInput | TensorInput | NamedInputs,
): source is TensorInput {
  return "data" in source && isNumbers(source.data) && "shape" in source && Array.isArray(source.shape);
}

interface Kinds {
  Blob: Blob;
  File: File;
  ImageData: ImageData;
  ImageBitmap: ImageBitmap;
  HTMLImageElement: HTMLImageElement;
  HTMLCanvasElement: HTMLCanvasElement;
  OffscreenCanvas: OffscreenCanvas;
  HTMLVideoElement: HTMLVideoElement;
  VideoFrame: VideoFrame;
}

/** By name instead of `instanceof`: it holds for objects of another frame, and where the class does not exist (a server). */
function isA<Kind extends keyof Kinds>(value: unknown, kind: Kind): value is Kinds[Kind] {
  return Object.prototype.toString.call(value) === `[object ${kind}]`;
}

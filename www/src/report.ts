// What a report on an ONNX file means for the page: which inputs are pictures, which sizes are open, how many classes there are.

import { t } from "./strings/strings.js";
import type { ModelReport, ValueInfo } from "adversight";

/** Where a picture's dimensions lie in an input. */
export interface PictureAxes {
  height: number;
  width: number;
  channels: 1 | 3;
}

/** The axes of an input that can be a picture, [N, C, H, W] or [N, H, W, C] with 1 or 3 channels; null for any other. */
export function pictureAxes({ shape }: Pick<ValueInfo, "shape">): PictureAxes | null {
  if (shape.length !== 4) return null;
  const [, channels, , last] = shape;
  if (channelsLast(shape)) return { height: 1, width: 2, channels: last === 1 ? 1 : 3 };
  if (channels === 1 || channels === 3) return { height: 2, width: 3, channels };
  return channels === null ? { height: 2, width: 3, channels: 3 } : null;
}

/** Whether a picture has its channels last, [N, H, W, C], as Keras and TensorFlow have it: by the engine's rule. */
export function channelsLast(shape: readonly (number | null)[]): boolean {
  const [, first, , last] = shape;
  return shape.length === 4 && (last === 1 || last === 3) && first !== 1 && first !== 3;
}

/** The inputs that can be pictures. */
export const pictureInputs = (report: ModelReport): ValueInfo[] =>
  report.inputs.filter(
    (input) => pictureAxes(input) !== null && /float|double|uint8/i.test(input.elementType),
  );

/** The axes, but for the batch, whose size the file leaves open. */
export const openAxes = ({ shape }: ValueInfo): number[] =>
  shape.flatMap((size, axis) => (axis > 0 && size === null ? [axis] : []));

/** The number of classes that an output has; null where its size is open. */
export function classesOf({ shape }: ValueInfo): number | null {
  return shape
    .slice(1)
    .reduce<number | null>((all, size) => (all === null || size === null ? null : all * size), 1);
}

/** A shape for people, open sizes by their names in the file: "batch × 3 × any × any". */
export const shapeText = ({ shape, symbols }: Pick<ValueInfo, "shape" | "symbols">): string =>
  shape.length === 0
    ? t`a single value`
    : shape.map((size, axis) => size ?? symbols[axis] ?? "any").join(" × ");

/** What a network takes, where none of its inputs is a picture. */
export type OtherKind = "words" | "sounds" | "numbers";

/** What a network takes, by the names, types and shapes of its inputs; null where one of them is a picture. */
export function otherKind(report: Pick<ModelReport, "inputs">): OtherKind | null {
  if (
    report.inputs.some(
      (input) => pictureAxes(input) !== null && /float|double|uint8/i.test(input.elementType),
    )
  ) {
    return null;
  }
  const whole = report.inputs.filter(({ elementType }) => /^u?int/.test(elementType));
  const words = /input_?ids|token|(^|_)ids($|_)|text|word|sentence|segment_ids|attention_mask/i;
  if (whole.some(({ name, shape }) => words.test(name) && shape.length > 0)) return "words";
  const sounds =
    /audio|wave|sound|speech|signal|samples?$|mel|mfcc|spectro|input_values|input_features|^sr$|sample_?rate/i;
  if (report.inputs.some(({ name }) => sounds.test(name))) return "sounds";
  const real = report.inputs.filter(({ elementType }) => !/^u?int|bool|string/.test(elementType));
  // Whole numbers alone, in rows, are those of words mostly.
  if (report.inputs.some(({ name }) => /byte/i.test(name))) return "numbers";
  if (real.length === 0 && whole.some(({ shape }) => shape.length === 2)) return "words";
  return "numbers";
}

/**
 * Whether an output has scores at several places, as those of boxes, pixels or tokens: after the batch, more than one axis has more than
 * one value or is left open. Such an output is no list of classes. False where the file does not tell its shape.
 */
export function manyPlaces({ shape }: Pick<ValueInfo, "shape">): boolean {
  return shape.slice(1).filter((size) => size !== 1).length > 1;
}

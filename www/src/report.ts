// What a report on an ONNX file means for the page: which inputs are pictures, which sizes are open, how many classes there are.

import type { ModelReport, ValueInfo } from "adversight";

/** Where a picture's dimensions lie in an input. */
export interface PictureAxes {
  height: number;
  width: number;
  channels: 1 | 3;
}

/** The axes of an input that can be a picture: [N, C, H, W] or [N, H, W, C] with 1 or 3 channels; null for any other. */
export function pictureAxes({ shape }: Pick<ValueInfo, "shape">): PictureAxes | null {
  if (shape.length !== 4) return null;
  const count = (size: number | null | undefined): 1 | 3 | null => (size === 1 || size === 3 ? size : null);
  const [first, last] = [count(shape[1]), count(shape[3])];
  if (first) return { height: 2, width: 3, channels: first };
  if (last) return { height: 1, width: 2, channels: last };
  return shape[1] === null ? { height: 2, width: 3, channels: 3 } : null;
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

/** A shape for people: "any × 3 × 224 × 224". */
export const shapeText = (shape: readonly (number | null)[]): string =>
  shape.length === 0 ? "a single value" : shape.map((size) => size ?? "any").join(" × ");

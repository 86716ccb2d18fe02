// The form of a preprocessing: what its fields hold, read from a preprocessor_config.json and written as one.

import { t } from "./strings/strings.js";
import type { Preprocessing } from "adversight";
import type { Normalisation } from "./tensor.js";

export interface PictureForm {
  /** Scale the shorter edge and cut out the centre, or stretch the picture to the network's size. */
  fit: "crop" | "stretch";
  /** The shorter edge before the cut. */
  edge: number;
  height: number;
  width: number;
  /** The filter, numbered as in PIL. */
  resample: number;
  /** The factor on pixel values 0 to 255: 1/255 or 1, mostly. */
  scale: number;
  order: "RGB" | "BGR";
  /** In the network's order of channels, one or three values. */
  mean: number[];
  std: number[];
}

interface Sizes {
  height: number;
  width: number;
}

/** The fields of a declared preprocessing, by the rules that the engine reads it with. `size` is for what it leaves out. */
export function readForm(declared: Preprocessing, size: Sizes, channels: 1 | 3 = 3): PictureForm {
  const value = (key: string) => declared[key];
  const on = (key: string, otherwise: boolean) =>
    typeof value(key) === "boolean" ? value(key) === true : otherwise;
  const crop = on("do_center_crop", true) ? pair(value("crop_size")) : null;
  const resize = on("do_resize", true) ? value("size") : null;
  const shortest = shortestEdge(resize);
  const share = value("crop_pct");
  // ConvNeXt: the size is that of the cut, which is this part of the scaled picture; large ones are scaled without a cut.
  const convNext = shortest !== null && typeof share === "number" && share > 0;
  const resized = pair(resize);
  const target = convNext ? { height: shortest, width: shortest } : (crop ?? resized ?? size);
  const edge = convNext ? Math.floor(shortest / share) : resized && Math.min(resized.height, resized.width);
  const cut = convNext ? shortest < 384 : crop !== null || shortest !== null;
  const list = (key: string, otherwise: number): number[] => {
    const normalise = on(
      "do_normalize",
      value("image_mean") !== undefined || value("image_std") !== undefined,
    );
    const given = normalise ? value(key) : undefined;
    if (Array.isArray(given)) return given.map(Number);
    return Array<number>(channels).fill(typeof given === "number" ? given : otherwise);
  };
  const factor = value("rescale_factor");
  return {
    fit: cut ? "crop" : "stretch",
    edge: edge ?? Math.max(target.height, target.width),
    ...target,
    resample: typeof value("resample") === "number" ? (value("resample") as number) : 2,
    scale: on("do_rescale", true) ? (typeof factor === "number" ? factor : 1 / 255) : 1,
    order: value("channel_order") === "BGR" ? "BGR" : "RGB",
    mean: list("image_mean", 0),
    std: list("image_std", 1),
  };
}

export function writeForm({
  fit,
  edge,
  height,
  width,
  resample,
  scale,
  order,
  mean,
  std,
}: PictureForm): Preprocessing {
  return {
    do_resize: true,
    ...(fit === "crop"
      ? { size: { shortest_edge: edge }, do_center_crop: true, crop_size: { height, width } }
      : { size: { height, width }, do_center_crop: false }),
    resample,
    do_rescale: scale !== 1,
    ...(scale === 1 ? {} : { rescale_factor: scale }),
    do_normalize: true,
    image_mean: mean,
    image_std: std,
    channel_order: order,
  };
}

export const normalisationOf = ({ scale, order, mean, std }: PictureForm): Normalisation => ({
  scale,
  order,
  mean,
  std,
});

/** What is wrong with the fields, as a sentence; null where nothing is. */
export function formProblem({ fit, edge, height, width, scale, mean, std }: PictureForm): string | null {
  const whole = (size: number) => Number.isInteger(size) && size >= 1 && size <= 4096;
  if (![height, width].every(whole)) return t`Height and width are whole numbers from 1 to 4096.`;
  if (fit === "crop" && !whole(edge)) return t`The shorter edge is a whole number from 1 to 4096.`;
  if (!(scale > 0 && Number.isFinite(scale))) return t`The factor on pixel values is above 0.`;
  if (!mean.every(Number.isFinite)) return t`The mean of each channel is a number.`;
  if (!std.every((value) => Number.isFinite(value) && value > 0))
    return t`The deviation of each channel is above 0.`;
  return null;
}

function shortestEdge(size: unknown): number | null {
  if (typeof size !== "object" || size === null || !("shortest_edge" in size)) return null;
  return typeof size.shortest_edge === "number" ? size.shortest_edge : null;
}

/** Height and width from a number, a pair, or an object. */
function pair(size: unknown): Sizes | null {
  if (typeof size === "number") return { height: size, width: size };
  if (Array.isArray(size) && size.length === 2) return { height: Number(size[0]), width: Number(size[1]) };
  if (typeof size !== "object" || size === null) return null;
  if ("height" in size && "width" in size) return { height: Number(size.height), width: Number(size.width) };
  const edge = shortestEdge(size);
  return edge === null ? null : { height: edge, width: edge };
}

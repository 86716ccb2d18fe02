// A network's input as something to look at: its channels, their figures, and the picture that they were made from.

import type { TensorData } from "adversight";
import { channelsLast } from "./report.js";

export interface Channel {
  values: Float32Array;
  minimum: number;
  maximum: number;
  mean: number;
}

export interface ChannelPicture {
  height: number;
  width: number;
  channels: Channel[];
}

/** The channels of a tensor [1, C, H, W] or [1, H, W, C]; null where it is no picture of 1 or 3 channels. */
export function channelsOf({ data, shape }: TensorData): ChannelPicture | null {
  const [batch, ...sizes] = shape;
  const last = channelsLast(shape);
  const [count = 0, height = 0, width = 0] = last ? [sizes[2], sizes[0], sizes[1]] : sizes;
  if (shape.length !== 4 || batch !== 1 || (count !== 1 && count !== 3)) return null;
  const pixels = height * width;
  const channels = Array.from({ length: count }, (_, channel) => {
    const values = last
      ? Float32Array.from({ length: pixels }, (_, pixel) => data[pixel * count + channel] ?? 0)
      : data.slice(channel * pixels, (channel + 1) * pixels);
    let [minimum, maximum, sum] = [Infinity, -Infinity, 0];
    for (const value of values) {
      minimum = Math.min(minimum, value);
      maximum = Math.max(maximum, value);
      sum += value;
    }
    return { values, minimum, maximum, mean: sum / pixels };
  });
  return { height, width, channels };
}

/** What was done to the pixels: `value = (pixel * scale - mean) / std`, channels in the network's order. */
export interface Normalisation {
  scale: number;
  mean: readonly number[];
  std: readonly number[];
  order: "RGB" | "BGR";
}

/** The picture that the tensor was made from, as RGBA: each channel de-normalised and in its own place. */
export function denormalised(
  { height, width, channels }: ChannelPicture,
  { scale, mean, std, order }: Normalisation,
): ImageData {
  const image = new ImageData(width, height);
  const of = (list: readonly number[], channel: number) => list[channel] ?? list[0] ?? 0;
  for (let colour = 0; colour < 3; colour++) {
    const place = channels.length === 1 ? 0 : order === "BGR" ? 2 - colour : colour;
    const values = channels[place]?.values ?? new Float32Array();
    values.forEach((value, i) => {
      image.data[4 * i + colour] = (value * of(std, place) + of(mean, place)) / scale;
    });
  }
  for (let i = 3; i < image.data.length; i += 4) image.data[i] = 255;
  return image;
}

/** One channel in grey, black at `low` and white at `high`. */
export function greyChannel(
  { height, width }: ChannelPicture,
  { values }: Channel,
  low: number,
  high: number,
): ImageData {
  const image = new ImageData(width, height);
  values.forEach((value, i) => {
    image.data.fill((255 * (value - low)) / (high - low || 1), 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  });
  return image;
}

// The usual ways from a picture to a network's input, for networks that come without a preprocessor_config.json.

import type { ModelOptions } from "./wasm/adversight.js";

/** The contents of a Hugging Face `preprocessor_config.json`, optionally with `channel_order: "BGR"`. */
export type Preprocessing = NonNullable<ModelOptions["preprocessing"]>;

/**
 * The presets, by where the network was trained:
 * - `imagenet`: torchvision's classifiers. The shorter edge to 256/224 of the size, the centre cut out, ImageNet's mean and deviation.
 * - `timm`: timm's vision transformers and Inception networks. Bicubic, a crop of 0.9, values from -1 to 1.
 * - `keras_tf`: `keras.applications` in mode "tf" (MobileNet, Inception, Xception, EfficientNetV2): values from -1 to 1.
 * - `keras_caffe`: `keras.applications` in mode "caffe" (VGG, ResNet) and Caffe's own: blue first, 0 to 255 less the mean.
 * - `unit`: values from 0 to 1. `bytes`: values from 0 to 255.
 */
export const presetNames = ["imagenet", "timm", "keras_tf", "keras_caffe", "unit", "bytes"] as const;

export type PresetName = (typeof presetNames)[number];

export interface PresetSize {
  height: number;
  width: number;
  /** 3, or 1 for a network of grey pictures: mean and deviation are then those of the three channels on average. */
  channels?: 1 | 3;
}

const bilinear = 2;
const bicubic = 3;

/** A preset for a network's input of this size (224 by 224), to be given as `preprocessing`. */
export function presetPreprocessing(
  name: PresetName,
  { height, width, channels = 3 }: PresetSize = { height: 224, width: 224 },
): Preprocessing {
  const normalised = (mean: number[], std: number[]) => ({
    do_normalize: true,
    image_mean: channels === 1 ? [average(mean)] : mean,
    image_std: channels === 1 ? [average(std)] : std,
  });
  const unit = { do_rescale: true, rescale_factor: 1 / 255 };
  const stretched = { do_resize: true, size: { height, width }, do_center_crop: false, resample: bilinear };
  const cropped = (share: number, resample: number) => ({
    do_resize: true,
    size: { shortest_edge: Math.floor(Math.max(height, width) / share) },
    do_center_crop: true,
    crop_size: { height, width },
    resample,
  });
  const half = [0.5, 0.5, 0.5];
  switch (name) {
    case "imagenet":
      return {
        ...cropped(224 / 256, bilinear),
        ...unit,
        ...normalised([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
      };
    case "timm":
      return { ...cropped(0.9, bicubic), ...unit, ...normalised(half, half) };
    case "keras_tf":
      return { ...stretched, ...unit, ...normalised(half, half) };
    case "keras_caffe":
      return {
        ...stretched,
        do_rescale: false,
        ...normalised([103.939, 116.779, 123.68], [1, 1, 1]), // blue, green, red
        channel_order: "BGR",
      };
    case "unit":
      return { ...stretched, ...unit, ...normalised([0, 0, 0], [1, 1, 1]) };
    case "bytes":
      return { ...stretched, do_rescale: false, ...normalised([0, 0, 0], [1, 1, 1]) };
  }
}

const average = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

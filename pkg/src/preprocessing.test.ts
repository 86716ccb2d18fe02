import assert from "node:assert/strict";
import test from "node:test";

import { presetNames, presetPreprocessing, type Preprocessing } from "./preprocessing.js";

/** The network's values for black and white pixels, by the format's definition: (pixel * factor - mean) / std. */
function range(preprocessing: Preprocessing): [number, number][] {
  const { do_rescale, rescale_factor, image_mean, image_std } = preprocessing as {
    do_rescale: boolean;
    rescale_factor?: number;
    image_mean: number[];
    image_std: number[];
  };
  const factor = do_rescale ? (rescale_factor ?? NaN) : 1;
  return image_mean.map((mean, i) => {
    const std = image_std[i] ?? NaN;
    return [-mean / std, (255 * factor - mean) / std];
  });
}
const rounded = (values: [number, number][]) => values.map((pair) => pair.map((x) => Number(x.toFixed(3))));

test("each preset spans the range of values that its networks were trained on", () => {
  const spans = Object.fromEntries(
    presetNames.map((name) => [name, rounded(range(presetPreprocessing(name)))]),
  );
  const all = (span: number[]) => [span, span, span];
  assert.deepEqual(spans, {
    imagenet: [
      [-2.118, 2.249],
      [-2.036, 2.429],
      [-1.804, 2.64],
    ],
    timm: all([-1, 1]),
    keras_tf: all([-1, 1]),
    keras_caffe: [
      [-103.939, 151.061],
      [-116.779, 138.221],
      [-123.68, 131.32],
    ],
    unit: all([0, 1]),
    bytes: all([0, 255]),
  });
});

test("torchvision's 224 are cut out of 256, and every preset ends at the size that was asked for", () => {
  assert.deepEqual(presetPreprocessing("imagenet").size, { shortest_edge: 256 });
  for (const name of presetNames) {
    const made = presetPreprocessing(name, { height: 96, width: 128 });
    assert.deepEqual(made.do_center_crop ? made.crop_size : made.size, { height: 96, width: 128 });
  }
});

test("blue goes first in Caffe's, and nowhere else", () => {
  const orders = presetNames.filter((name) => presetPreprocessing(name).channel_order === "BGR");
  assert.deepEqual(orders, ["keras_caffe"]);
});

test("a network of grey pictures has one mean", () => {
  const { image_mean, image_std } = presetPreprocessing("imagenet", { height: 8, width: 8, channels: 1 });
  assert.deepEqual([image_mean, image_std], [[0.449], [0.226]]);
});

import assert from "node:assert/strict";
import test from "node:test";

import { channelsOf, denormalised, greyChannel } from "./tensor.js";

// A server has no ImageData.
(globalThis as { ImageData?: unknown }).ImageData ??= class {
  readonly data: Uint8ClampedArray;
  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.data = new Uint8ClampedArray(4 * width * height);
  }
};

/** Two pixels, red 255 and 0, green 51, blue 0 and 102. */
const pixels = { red: [255, 0], green: [51, 51], blue: [0, 102] };
const mean = [0.25, 0.5, 0.75];
const std = [0.5, 0.25, 0.2];
const normal = (values: number[], place: number) =>
  values.map((value) => (value / 255 - (mean[place] ?? 0)) / (std[place] ?? 1));

test("a channel comes with its figures", () => {
  const picture = channelsOf({ data: Float32Array.of(1, 2, 3, 4, 5, 9), shape: [1, 3, 1, 2] });
  assert.ok(picture);
  assert.deepEqual(
    picture.channels.map(({ minimum, maximum, mean }) => [minimum, maximum, mean]),
    [
      [1, 2, 1.5],
      [3, 4, 3.5],
      [5, 9, 7],
    ],
  );
  assert.deepEqual([picture.height, picture.width], [1, 2]);
  const last = channelsOf({ data: Float32Array.of(1, 3, 5, 2, 4, 9), shape: [1, 2, 1, 3] });
  assert.deepEqual([last?.height, last?.width], [2, 1]);
  assert.deepEqual(
    last?.channels.map(({ values }) => [...values]),
    [
      [1, 2],
      [3, 4],
      [5, 9],
    ],
  );
  assert.equal(channelsOf({ data: new Float32Array(10), shape: [1, 10] }), null);
  assert.equal(channelsOf({ data: new Float32Array(10), shape: [1, 5, 1, 2] }), null);
});

test("the picture comes back from its tensor, whatever the order of the channels", () => {
  for (const order of ["RGB", "BGR"] as const) {
    const { red, green, blue } = pixels;
    const planes = order === "RGB" ? [red, green, blue] : [blue, green, red];
    const data = Float32Array.from(planes.flatMap(normal));
    const picture = channelsOf({ data, shape: [1, 3, 1, 2] });
    assert.ok(picture);
    const image = denormalised(picture, { scale: 1 / 255, mean, std, order });
    assert.deepEqual([...image.data], [255, 51, 0, 255, 0, 51, 102, 255], order);
  }
});

test("a channel is black at the low end and white at the high one", () => {
  const picture = channelsOf({ data: Float32Array.of(-1, 0, 1), shape: [1, 1, 1, 3] });
  const [channel] = picture?.channels ?? [];
  assert.ok(picture && channel);
  const { data } = greyChannel(picture, channel, -1, 1);
  assert.deepEqual([data[0], data[4], data[8], data[11]], [0, 128, 255, 255]);
});

// What the tests do inside a page that uses the package: `window.lab`. Tensors stay here; figures go back to the test.

import * as adversight from "adversight";
import { agreement, parseNpy } from "./numbers.js";
import { watchGpu } from "./gpu.js";

const bytes = async (path) => {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} is not there.`);
  return new Uint8Array(await response.arrayBuffer());
};
const json = async (path) => (await fetch(path)).json();
const npy = async (path) => parseNpy(await bytes(path));

/** A picture's pixels as they lie in its file. */
async function pixels(path) {
  const blob = await (await fetch(path)).blob();
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/**
 * A picture of the network's size as the tensor that the network takes. The preprocessing is applied here by its definition,
 * apart from the engine's own: (pixel * factor - mean) / std for each channel in the declared order.
 */
async function tensorOf(path, preprocessing) {
  const { data, width, height } = await pixels(path);
  const { do_rescale, rescale_factor, image_mean, image_std, channel_order = "RGB" } = preprocessing;
  const factor = do_rescale ? rescale_factor : 1;
  const tensor = new Float32Array(3 * width * height);
  [...channel_order].forEach((channel, place) => {
    const offset = "RGB".indexOf(channel);
    for (let i = 0; i < width * height; i++) {
      tensor[place * width * height + i] =
        (data[4 * i + offset] * factor - image_mean[place]) / image_std[place];
    }
  });
  return { data: tensor, shape: [1, 3, height, width] };
}

/** What an oracle computed, beside the same places of what was computed here. */
async function compare(tensor, testCase, folder) {
  const expected = (await npy(`/fixtures/${folder}/${testCase.file}`)).data;
  let actual = tensor.data;
  if (testCase.sampled) {
    const { length } = actual;
    actual = Float32Array.from(expected, (_, k) => tensor.data[(k * 7919) % length]);
  }
  return agreement(actual, expected);
}

/** The tiny network of the fixtures. */
async function loadTiny(engine) {
  const [onnx, preprocessing] = await Promise.all([
    bytes("/fixtures/tiny.onnx"),
    json("/fixtures/tiny.json"),
  ]);
  return engine.loadModel({ onnx, preprocessing });
}

/** An engine for each device, the GPU's on the page's thread where its calls can be counted, with the tiny network on both. */
async function openBoth() {
  const { createEngine } = adversight;
  const take = watchGpu();
  const [gpu, cpu] = [
    await createEngine({ device: "webgpu", worker: false }),
    await createEngine({ device: "cpu" }),
  ];
  const [onGpu, onCpu] = await Promise.all([loadTiny(gpu), loadTiny(cpu)]);
  const index = await json("/fixtures/tiny/index.json");
  Object.assign(window.lab, { take, gpu, cpu, onGpu, onCpu, index });
}

/** The outcome of a call as plain data: an error's own fields would not survive the way to the test. */
async function outcome(call) {
  try {
    const value = await call();
    return { value: value === undefined ? null : value };
  } catch (error) {
    const { name, message, code, node } = error ?? {};
    return {
      error: { name, message, code, node, known: error instanceof adversight.AdversightError },
    };
  }
}

window.lab = {
  adversight,
  bytes,
  json,
  npy,
  pixels,
  tensorOf,
  compare,
  agreement,
  loadTiny,
  openBoth,
  outcome,
  watchGpu,
  ready: Promise.resolve(true),
};

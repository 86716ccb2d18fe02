// Gradients of convolutions for TF.js on wasm, composed of operations that have a fast kernel there: the kernels that it ships are
// slow (convolution) or missing (depthwise convolution).

import * as tf from "@tensorflow/tfjs-core";
import { fusedConv, type PreparedConv } from "./tfjs-conv.ts";

/** The fused layer, with a gradient with respect to its input alone. */
export function composedConv(x: tf.Tensor4D, layer: PreparedConv): tf.Tensor4D {
  const [, height, width] = x.shape;
  const apply = tf.customGrad((x, save) => {
    const y = fusedConv(x as tf.Tensor4D, layer);
    (save as tf.GradSaveFunc)([y]);
    return {
      value: y,
      gradFunc: (dy: tf.Tensor, [y]: tf.Tensor[]) =>
        inputGradient(throughActivation(dy, y!, layer) as tf.Tensor4D, layer, height, width),
    };
  });
  return apply(x) as tf.Tensor4D;
}

function throughActivation(dy: tf.Tensor, y: tf.Tensor, { activation }: PreparedConv): tf.Tensor {
  if (activation === "relu") return tf.mul(dy, tf.step(y));
  if (activation === "relu6") return tf.mul(dy, tf.step(tf.mul(y, tf.sub(6, y))));
  return dy;
}

function inputGradient(dy: tf.Tensor4D, layer: PreparedConv, height: number, width: number): tf.Tensor4D {
  if (layer.stride === 1) return turned(dy, layer, [height, width]);
  return layer.depthwise ? spread(dy, layer, [height, width]) : byPhase(dy, layer, [height, width]);
}

/** A weight tensor made once and kept. */
function kept(layer: PreparedConv, name: string, make: () => tf.Tensor4D): tf.Tensor4D {
  let tensor = layer.cache.get(name);
  if (!tensor) {
    tensor = tf.keep(tf.tidy(make));
    layer.cache.set(name, tensor);
  }
  return tensor;
}

/** [height, width, in, out] turned by 180 degrees, in and out exchanged; of a depthwise filter only turned. */
const turnedFilter = (layer: PreparedConv) =>
  kept(layer, "turned", () => {
    const turned = tf.reverse(layer.filter, [0, 1]);
    return layer.depthwise ? turned : tf.transpose(turned, [0, 1, 3, 2]);
  });

/** Stride 1: the convolution with the turned filter. */
function turned(dy: tf.Tensor4D, layer: PreparedConv, [height, width]: [number, number]): tf.Tensor4D {
  const [size] = layer.filter.shape;
  const [top, left] = layer.padding;
  const [, rows, columns] = dy.shape;
  const before = [size - 1 - top, size - 1 - left] as const;
  const after = [height - rows - before[0] + size - 1, width - columns - before[1] + size - 1] as const;
  const conv = layer.depthwise ? tf.depthwiseConv2d : tf.conv2d;
  return conv(dy, turnedFilter(layer), 1, [
    [0, 0],
    [before[0], after[0]],
    [before[1], after[1]],
    [0, 0],
  ]);
}

/** Depthwise with a stride: zeros between the values, then as with stride 1. */
function spread(dy: tf.Tensor4D, layer: PreparedConv, size: [number, number]): tf.Tensor4D {
  const [batch, rows, columns, channels] = dy.shape;
  const { stride } = layer;
  const wide = tf.pad(tf.reshape(dy, [batch * rows, columns, channels]), [
    [0, 0],
    [0, 0],
    [0, (stride - 1) * channels],
  ]);
  const rowLength = columns * stride * channels;
  const high = tf.pad(tf.reshape(wide, [batch, rows, rowLength]), [
    [0, 0],
    [0, 0],
    [0, (stride - 1) * rowLength],
  ]);
  return turned(tf.reshape(high, [batch, rows * stride, columns * stride, channels]), layer, size);
}

/**
 * With a stride s: the s * s positions that an input pixel can have under the filter are as many small convolutions, done as one with
 * that many times the channels, whose results depthToSpace puts in their places.
 */
function byPhase(dy: tf.Tensor4D, layer: PreparedConv, [height, width]: [number, number]): tf.Tensor4D {
  const [size, , channelsIn, channelsOut] = layer.filter.shape;
  const { stride } = layer;
  const [top, left] = layer.padding;
  const [batch, rows, columns] = dy.shape;
  const taps = Math.ceil(size / stride);
  const filter = kept(layer, "phases", () => {
    const whole = taps * stride;
    // [tap, phase, tap, phase, in, out], the taps turned, to [tap, tap, out, (phase, phase, in)]
    const padded = tf.pad(layer.filter, [
      [0, whole - size],
      [0, whole - size],
      [0, 0],
      [0, 0],
    ]);
    const phases = tf.reshape(padded, [taps, stride, taps, stride, channelsIn * channelsOut]);
    const turned = tf.reverse(tf.transpose(phases, [0, 2, 1, 3, 4]), [0, 1]);
    const flat = tf.reshape(turned, [taps * taps, stride * stride * channelsIn, channelsOut]);
    const exchanged = tf.transpose(flat, [0, 2, 1]);
    return tf.reshape(exchanged, [taps, taps, channelsOut, stride * stride * channelsIn]);
  });
  const outRows = Math.floor((height - 1 + top) / stride) + 1;
  const outColumns = Math.floor((width - 1 + left) / stride) + 1;
  const y = tf.conv2d(dy, filter, 1, [
    [0, 0],
    [taps - 1, outRows - rows],
    [taps - 1, outColumns - columns],
    [0, 0],
  ]);
  const spaced = tf.depthToSpace(y, stride, "NHWC");
  return tf.slice(spaced, [0, top, left, 0], [batch, height, width, channelsIn]);
}

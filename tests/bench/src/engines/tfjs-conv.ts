// Convolutions as TensorFlow.js ships them.

import * as tf from "@tensorflow/tfjs-core";
import type { Layer } from "../layers.ts";

type Conv = Extract<Layer, { kind: "conv" }>;
/** A convolution with its weights where TF.js wants them. */
export interface PreparedConv extends Conv {
  filter: tf.Tensor4D;
  biasTensor: tf.Tensor1D;
  explicitPadding: [[0, 0], [number, number], [number, number], [0, 0]];
  /** The weights of the composed gradient, by name. */
  cache: Map<string, tf.Tensor4D>;
}
export type ApplyConv = (x: tf.Tensor4D, layer: PreparedConv) => tf.Tensor4D;

/** The fastest that TF.js has for a forward pass: convolution, bias and activation in one. */
export const fusedConv: ApplyConv = (x, layer) => {
  const options = {
    x,
    filter: layer.filter,
    strides: layer.stride,
    pad: layer.explicitPadding as unknown as number, // its types leave out what its code takes
    bias: layer.biasTensor,
    activation: layer.activation === "none" ? ("linear" as const) : layer.activation,
  };
  return layer.depthwise ? tf.fused.depthwiseConv2d(options) : tf.fused.conv2d(options);
};

/** The way that its users write a network which is to be differentiated. */
export const plainConv: ApplyConv = (
  x,
  { filter, stride, explicitPadding, biasTensor, depthwise, activation },
) => {
  const conv = depthwise ? tf.depthwiseConv2d : tf.conv2d;
  const y = tf.add<tf.Tensor4D>(conv(x, filter, stride, explicitPadding), biasTensor);
  if (activation === "relu") return tf.relu(y);
  if (activation === "relu6") return tf.relu6(y);
  return y;
};

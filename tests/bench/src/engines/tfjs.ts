// TensorFlow.js: the network out of its operations, in its own layout [batch, height, width, channels].

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import type { EngineOptions, Engine } from "../engine.ts";
import { toLayers, type Layer, type Network } from "../layers.ts";
import { composedConv } from "./tfjs-composed.ts";
import { fusedConv, plainConv, type ApplyConv, type PreparedConv } from "./tfjs-conv.ts";

type PreparedLayer =
  | PreparedConv
  | (Extract<Layer, { kind: "linear" }> & { matrix: tf.Tensor2D; biasTensor: tf.Tensor1D })
  | Exclude<Layer, { kind: "conv" | "linear" }>;

export function create({ device, gradients = "shipped" }: EngineOptions, description: string): Engine {
  return {
    description: `TensorFlow.js ${tf.version_core}, ${device}${description}`,
    async load({ graph }) {
      const network = toLayers(graph);
      const layers = network.layers.map(prepareLayer);
      const forward = (x: tf.Tensor4D, conv: ApplyConv) => run(network, layers, x, conv);
      return {
        prepare(data, shape) {
          const [batch, channels, height, width] = shape;
          const nhwc = reorder(data, [batch, channels, height * width]);
          const input = () => tf.tensor4d(nhwc, [batch, height, width, channels]);
          return {
            async logits() {
              const y = tf.tidy(() => forward(input(), fusedConv));
              return take(y);
            },
            async gradient(target) {
              const conv = gradients === "composed" ? composedConv : plainConv;
              const dx = tf.tidy(() => {
                const logit = (x: tf.Tensor) =>
                  tf.sum(tf.slice(forward(x as tf.Tensor4D, conv), [0, target], [batch, 1]));
                return tf.grad(logit)(input());
              });
              return take(dx);
            },
            toNchw: (gradient) => reorder(gradient, [batch, height * width, channels]),
          };
        },
      };
    },
  };
}

async function take(tensor: tf.Tensor): Promise<Float32Array> {
  const data = await tensor.data<"float32">();
  tensor.dispose();
  return data;
}

/** Exchanges the last two dimensions. */
function reorder(data: Float32Array, [n, a, b]: [number, number, number]): Float32Array {
  const result = new Float32Array(data.length);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < a; j++) {
      for (let k = 0; k < b; k++) result[(i * b + k) * a + j] = data[(i * a + j) * b + k]!;
    }
  }
  return result;
}

function prepareLayer(layer: Layer): PreparedLayer {
  if (layer.kind === "linear") {
    const matrix = tf.tensor2d(layer.weights.data, layer.weights.shape as [number, number]);
    return { ...layer, matrix, biasTensor: tf.tensor1d(layer.bias) };
  }
  if (layer.kind !== "conv") return layer;
  const [top, left, bottom, right] = layer.padding;
  const filter = tf.tidy(() => {
    const oihw = tf.tensor4d(layer.weights.data, layer.weights.shape as [number, number, number, number]);
    return tf.transpose<tf.Tensor4D>(oihw, layer.depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
  });
  return {
    ...layer,
    filter,
    biasTensor: tf.tensor1d(layer.bias),
    explicitPadding: [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ],
    cache: new Map(),
  };
}

function run(network: Network, layers: PreparedLayer[], x: tf.Tensor4D, conv: ApplyConv): tf.Tensor2D {
  const values = new Map<string, tf.Tensor>([[network.input, x]]);
  const image = (name: string) => values.get(name) as tf.Tensor4D;
  for (const layer of layers) {
    const apply = (): tf.Tensor => {
      switch (layer.kind) {
        case "conv":
          return conv(image(layer.input), layer);
        case "maxPool":
          return tf.maxPool(image(layer.input), layer.size, layer.stride, "valid");
        case "concat":
          return tf.concat(layer.inputs.map(image), 3);
        case "add":
          return tf.add(image(layer.inputs[0]), image(layer.inputs[1]));
        case "mean":
          return tf.mean(image(layer.input), [1, 2]);
        case "linear":
          return tf.add(tf.matMul(values.get(layer.input) as tf.Tensor2D, layer.matrix), layer.biasTensor);
      }
    };
    values.set(layer.output, apply());
  }
  return values.get(network.output) as tf.Tensor2D;
}

// jax-js: the network as a function, made fast by jit and differentiated by grad.

import { defaultDevice, grad, init, jit, lax, nn, numpy as np } from "@jax-js/jax";
import type { CreateEngine } from "../engine.ts";
import { toLayers, type Layer, type Network } from "../layers.ts";

const create: CreateEngine = async ({ device }) => {
  if (device === "cpu") throw new Error("The interpreter of jax-js is for debugging only.");
  const devices = await init(device);
  if (!devices.includes(device)) throw new Error(`jax-js finds no ${device}.`);
  defaultDevice(device);
  return {
    description: `jax-js, ${device}`,
    async load({ graph }) {
      const network = toLayers(graph);
      const parameters = network.layers.flatMap(parametersOf);
      const forward = jit((x: np.Array, parameters: np.Array[]) => run(network, x, parameters));
      // The logit is chosen by a product: the gradient of a slice comes out wrong under jit (0.1.25).
      const chosen = (x: np.Array, choice: np.Array, parameters: np.Array[]) =>
        np.sum(run(network, x, parameters).mul(choice));
      const gradient = jit(
        (x: np.Array, choice: np.Array, parameters: np.Array[]) =>
          grad(chosen)(x, choice, parameters) as np.Array,
      );
      const choose = (target: number) => {
        const choice = new Float32Array(classesOf(network));
        choice[target] = 1;
        return np.array(choice).reshape([1, choice.length]);
      };
      const referred = () => parameters.map((array) => array.ref);
      return {
        prepare(data, shape) {
          const input = () => np.array(data).reshape(shape);
          return {
            logits: async () => (await forward(input(), referred()).data()) as Float32Array,
            gradient: async (target) =>
              (await gradient(input(), choose(target), referred()).data()) as Float32Array,
          };
        },
        free() {
          for (const array of parameters) array.dispose();
        },
      };
    },
  };
};

export default create;

function parametersOf(layer: Layer): np.Array[] {
  switch (layer.kind) {
    case "conv":
      return [
        np.array(own(layer.weights.data)).reshape(layer.weights.shape),
        np.array(own(layer.bias)).reshape([1, layer.bias.length, 1, 1]),
      ];
    case "linear":
      return [
        np.array(own(layer.weights.data)).reshape(layer.weights.shape),
        np.array(own(layer.bias)).reshape([1, layer.bias.length]),
      ];
    default:
      return [];
  }
}

const own = (data: Float32Array): Float32Array<ArrayBuffer> => new Float32Array(data);

/** As many as the last layer with weights has outputs. */
function classesOf({ layers }: Network): number {
  const last = layers.findLast((layer) => layer.kind === "linear" || layer.kind === "conv");
  return last?.bias.length ?? 0;
}

/** Takes the arrays over, as every function of jax-js does. */
function run({ input, output, layers }: Network, x: np.Array, parameters: np.Array[]): np.Array {
  const values = new Map([[input, x]]);
  const value = (name: string) => values.get(name)!.ref;
  let used = 0;
  const parameter = () => parameters[used++]!;
  for (const layer of layers) values.set(layer.output, apply(layer, value, parameter));
  const result = value(output);
  for (const array of values.values()) array.dispose();
  return result;
}

function apply(layer: Layer, value: (name: string) => np.Array, parameter: () => np.Array): np.Array {
  switch (layer.kind) {
    case "conv": {
      const [top, left, bottom, right] = layer.padding;
      const y = lax
        .convGeneralDilated(
          value(layer.input),
          parameter(),
          [layer.stride, layer.stride],
          [
            [top, bottom],
            [left, right],
          ],
          { featureGroupCount: layer.depthwise ? layer.weights.shape[0]! : 1 },
        )
        .add(parameter());
      if (layer.activation === "relu") return nn.relu(y);
      if (layer.activation === "relu6") return nn.relu6(y);
      return y;
    }
    case "maxPool":
      return lax.reduceWindow(
        value(layer.input),
        np.max,
        [layer.size, layer.size],
        [layer.stride, layer.stride],
      );
    case "concat":
      return np.concatenate(layer.inputs.map(value), 1);
    case "add":
      return np.add(value(layer.inputs[0]), value(layer.inputs[1]));
    case "mean":
      return np.mean(value(layer.input), [2, 3]);
    case "linear":
      return np.matmul(value(layer.input), parameter()).add(parameter());
  }
}

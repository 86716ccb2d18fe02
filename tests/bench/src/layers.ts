// A network as a list of layers, each with its activation: what the libraries without an ONNX reader are built from.

import type { Graph, Node, Weights } from "./onnx.ts";

export type Activation = "none" | "relu" | "relu6";
/** Top, left, bottom, right. */
export type Padding = [number, number, number, number];

export type Layer = { output: string } & (
  | {
      kind: "conv";
      input: string;
      /** [out, in / groups, height, width] */
      weights: Weights;
      bias: Float32Array;
      stride: number;
      padding: Padding;
      depthwise: boolean;
      activation: Activation;
    }
  | { kind: "maxPool"; input: string; size: number; stride: number }
  | { kind: "concat"; inputs: [string, string] }
  | { kind: "add"; inputs: [string, string] }
  /** The mean over the image: [batch, channels]. */
  | { kind: "mean"; input: string }
  /** weights: [in, out] */
  | { kind: "linear"; input: string; weights: Weights; bias: Float32Array }
);

export interface Network {
  input: string;
  output: string;
  layers: Layer[];
}

export function toLayers(graph: Graph): Network {
  const layers: Layer[] = [];
  const alias = new Map<string, string>();
  const at = (name: string | undefined): string => {
    if (name === undefined) throw new Error("A node has too few inputs.");
    return alias.get(name) ?? name;
  };
  for (const node of graph.nodes) {
    const activation = activationOf(node, graph);
    const input = at(node.inputs[0]);
    const output = at(node.outputs[0]);
    if (activation) {
      const layer = layers.find((layer) => layer.output === input);
      const uses = graph.nodes.filter((other) => other.inputs.some((name) => at(name) === input)).length;
      if (layer?.kind !== "conv" || uses > 1) {
        throw new Error(`${node.op} ${output} does not follow a convolution.`);
      }
      layer.activation = activation;
      layer.output = output;
    } else if (node.op === "Flatten") {
      if (!layers.some((layer) => layer.kind === "mean" && layer.output === input)) {
        throw new Error(`Flatten ${output} does not follow a mean.`);
      }
      alias.set(output, input);
    } else {
      layers.push(toLayer(node, graph, at));
    }
  }
  return { input: graph.input.name, output: at(graph.output), layers };
}

function activationOf(node: Node, { weights }: Graph): Activation | null {
  if (node.op === "Relu") return "relu";
  if (node.op !== "Clip") return null;
  const [low, high] = node.inputs.slice(1).map((name) => weights.get(name)?.data[0]);
  if (low !== 0 || high !== 6) throw new Error(`Clip ${node.outputs[0]} is not from 0 to 6.`);
  return "relu6";
}

function toLayer(node: Node, graph: Graph, at: (name: string | undefined) => string): Layer {
  const output = at(node.outputs[0]);
  const input = at(node.inputs[0]);
  const ints = (name: string, otherwise: number[]): number[] => {
    const value = node.attributes[name] ?? otherwise;
    return Array.isArray(value) ? value : [Number(value)];
  };
  const constant = (index: number): Weights => {
    const weights = graph.weights.get(node.inputs[index] ?? "");
    if (!weights) throw new Error(`${node.op} ${output}: input ${index} is not a constant.`);
    return weights;
  };
  const square = (name: string): number => {
    const [height, width] = ints(name, [1, 1]);
    if (height === undefined || height !== width)
      throw new Error(`${node.op} ${output}: ${name} is not square.`);
    return height;
  };
  switch (node.op) {
    case "Conv": {
      const [groups = 1] = ints("group", [1]);
      const weights = constant(1);
      const [out, perGroup] = weights.shape;
      const depthwise = groups > 1;
      if (depthwise && (groups !== out || perGroup !== 1)) {
        throw new Error(`Conv ${output}: groups other than depthwise are not read here.`);
      }
      return {
        kind: "conv",
        input,
        output,
        weights,
        bias: constant(2).data,
        stride: square("strides"),
        padding: ints("pads", [0, 0, 0, 0]) as Padding,
        depthwise,
        activation: "none",
      };
    }
    case "MaxPool":
      if (ints("pads", [0]).some((p) => p !== 0)) throw new Error(`MaxPool ${output} is padded.`);
      return { kind: "maxPool", input, output, size: square("kernel_shape"), stride: square("strides") };
    case "Concat":
      return { kind: "concat", inputs: [input, at(node.inputs[1])], output };
    case "Add":
      return { kind: "add", inputs: [input, at(node.inputs[1])], output };
    case "GlobalAveragePool":
      return { kind: "mean", input, output };
    case "Gemm": {
      const weights = constant(1);
      return {
        kind: "linear",
        input,
        output,
        weights: node.attributes["transB"] ? transpose(weights) : weights,
        bias: constant(2).data,
      };
    }
    default:
      throw new Error(`The operator ${node.op} is not read here.`);
  }
}

function transpose({ shape, data }: Weights): Weights {
  const [rows = 0, columns = 0] = shape;
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = data[r * columns + c]!;
  }
  return { shape: [columns, rows], data: result };
}

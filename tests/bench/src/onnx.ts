// ONNX files, read and written: the part of the format that the benchmark's networks use.

import protobuf from "protobufjs/light.js";

/** Numbers with a shape, float32 whatever the file held. */
export interface Weights {
  shape: number[];
  data: Float32Array;
}

export interface Node {
  op: string;
  inputs: string[];
  outputs: string[];
  attributes: Record<string, number | number[] | string>;
}

export interface Graph {
  /** The name and the shape of the input; null stands for the batch. */
  input: { name: string; shape: (number | null)[] };
  output: string;
  nodes: Node[];
  weights: Map<string, Weights>;
}

const [FLOAT, INT64, FLOAT16] = [1, 7, 10];
const attributeType = { FLOAT: 1, INT: 2, STRING: 3, FLOATS: 6, INTS: 7 } as const;

const field = (id: number, type: string) => ({ id, type });
const list = (id: number, type: string) => ({ id, type, rule: "repeated" });

/** The messages of onnx.proto (proto2), without the fields that nothing here needs. */
const schema = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: field(1, "int64"),
        producerName: field(2, "string"),
        graph: field(7, "GraphProto"),
        opsetImport: list(8, "OperatorSetIdProto"),
      },
    },
    OperatorSetIdProto: { fields: { domain: field(1, "string"), version: field(2, "int64") } },
    GraphProto: {
      fields: {
        node: list(1, "NodeProto"),
        name: field(2, "string"),
        initializer: list(5, "TensorProto"),
        input: list(11, "ValueInfoProto"),
        output: list(12, "ValueInfoProto"),
      },
    },
    NodeProto: {
      fields: {
        input: list(1, "string"),
        output: list(2, "string"),
        name: field(3, "string"),
        opType: field(4, "string"),
        attribute: list(5, "AttributeProto"),
      },
    },
    AttributeProto: {
      fields: {
        name: field(1, "string"),
        f: field(2, "float"),
        i: field(3, "int64"),
        s: field(4, "bytes"),
        floats: { ...list(7, "float"), options: { packed: false } },
        ints: { ...list(8, "int64"), options: { packed: false } },
        type: field(20, "int32"),
      },
    },
    TensorProto: {
      fields: {
        dims: { ...list(1, "int64"), options: { packed: false } },
        dataType: field(2, "int32"),
        floatData: { ...list(4, "float"), options: { packed: true } },
        name: field(8, "string"),
        rawData: field(9, "bytes"),
      },
    },
    ValueInfoProto: { fields: { name: field(1, "string"), type: field(2, "TypeProto") } },
    TypeProto: { fields: { tensorType: field(1, "TensorType") } },
    TensorType: { fields: { elemType: field(1, "int32"), shape: field(2, "TensorShapeProto") } },
    TensorShapeProto: { fields: { dim: list(1, "Dimension") } },
    Dimension: {
      oneofs: { value: { oneof: ["dimValue", "dimParam"] } },
      fields: { dimValue: field(1, "int64"), dimParam: field(2, "string") },
    },
  },
});
const ModelProto = schema.lookupType("ModelProto");

type Integer = number | { toNumber(): number };
interface TensorMessage {
  name: string;
  dims: Integer[];
  dataType: number;
  floatData: number[];
  rawData: Uint8Array;
}
interface AttributeMessage {
  name: string;
  type: number;
  f: number;
  i: Integer;
  s: Uint8Array;
  floats: number[];
  ints: Integer[];
}
interface ValueMessage {
  name: string;
  type: { tensorType: { shape: { dim: { value?: string; dimValue: Integer }[] } } };
}
interface ModelMessage {
  graph: {
    node: { input: string[]; output: string[]; opType: string; attribute: AttributeMessage[] }[];
    initializer: TensorMessage[];
    input: ValueMessage[];
    output: ValueMessage[];
  };
}

/** Reads a model whose weights are float32, or float16 with a Cast after them. */
export function readOnnx(bytes: Uint8Array): Graph {
  const { graph } = ModelProto.decode(bytes) as unknown as ModelMessage;
  const weights = new Map(graph.initializer.map((tensor) => [tensor.name, readTensor(tensor)]));
  const nodes: Node[] = [];
  for (const { opType, input, output, attribute } of graph.node) {
    const cast = opType === "Cast" ? weights.get(input[0]!) : undefined;
    if (cast) {
      weights.set(output[0]!, cast);
      weights.delete(input[0]!);
      continue;
    }
    const attributes = Object.fromEntries(attribute.map((a) => [a.name, readAttribute(a)]));
    nodes.push({ op: opType, inputs: input, outputs: output, attributes });
  }
  const input = graph.input.find(({ name }) => !weights.has(name));
  const output = graph.output[0];
  if (!input || !output) throw new Error("The model has no input or no output.");
  const shape = input.type.tensorType.shape.dim.map((d) => (d.value === "dimValue" ? int(d.dimValue) : null));
  return { input: { name: input.name, shape }, output: output.name, nodes, weights };
}

function readTensor({ name, dims, dataType, floatData, rawData }: TensorMessage): Weights {
  const shape = dims.map(int);
  if (dataType === FLOAT && floatData.length > 0) return { shape, data: Float32Array.from(floatData) };
  const bytes = new Uint8Array(rawData).buffer;
  if (dataType === FLOAT) return { shape, data: new Float32Array(bytes) };
  if (dataType === FLOAT16) return { shape, data: Float32Array.from(new Uint16Array(bytes), halfToFloat) };
  if (dataType === INT64) return { shape, data: Float32Array.from(new BigInt64Array(bytes), Number) };
  throw new Error(`The weights ${name} are of type ${dataType}, which is not read here.`);
}

/** The value of an IEEE 754 half. */
export function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function readAttribute({ name, type, f, i, s, floats, ints }: AttributeMessage): number | number[] | string {
  switch (type) {
    case attributeType.FLOAT:
      return f;
    case attributeType.INT:
      return int(i);
    case attributeType.STRING:
      return new TextDecoder().decode(s);
    case attributeType.FLOATS:
      return floats;
    case attributeType.INTS:
      return ints.map(int);
    default:
      throw new Error(`The attribute ${name} is of type ${type}, which is not read here.`);
  }
}

const int = (value: Integer): number => (typeof value === "number" ? value : value.toNumber());

/** Writes a model with float32 weights (opset 13). Attributes are integers or lists of them. */
export function writeOnnx(graph: Graph, outputShape: (number | null)[]): Uint8Array {
  const value = (name: string, shape: (number | null)[]) => ({
    name,
    type: {
      tensorType: {
        elemType: FLOAT,
        shape: { dim: shape.map((d) => (d === null ? { dimParam: "batch" } : { dimValue: d })) },
      },
    },
  });
  const message = {
    irVersion: 8,
    producerName: "adversight-bench",
    opsetImport: [{ domain: "", version: 13 }],
    graph: {
      name: "graph",
      node: graph.nodes.map(({ op, inputs, outputs, attributes }) => ({
        name: outputs[0],
        opType: op,
        input: inputs,
        output: outputs,
        attribute: Object.entries(attributes).map(([name, value]) =>
          Array.isArray(value)
            ? { name, type: attributeType.INTS, ints: value }
            : { name, type: attributeType.INT, i: value },
        ),
      })),
      initializer: [...graph.weights].map(([name, { shape, data }]) => ({
        name,
        dims: shape,
        dataType: FLOAT,
        rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      })),
      input: [value(graph.input.name, graph.input.shape)],
      output: [value(graph.output, outputShape)],
    },
  };
  return ModelProto.encode(ModelProto.fromObject(message)).finish();
}

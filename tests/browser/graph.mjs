// Small ONNX files, made here: graphs of a few nodes whose answers are plain.

import protobuf from "protobufjs/light.js";

const field = (id, type) => ({ id, type });
const list = (id, type) => ({ id, type, rule: "repeated" });
const schema = protobuf.Root.fromJSON({
  nested: {
    Model: { fields: { irVersion: field(1, "int64"), graph: field(7, "Graph"), opsets: list(8, "Opset") } },
    Opset: { fields: { domain: field(1, "string"), version: field(2, "int64") } },
    Graph: {
      fields: {
        nodes: list(1, "Node"),
        name: field(2, "string"),
        weights: list(5, "Weight"),
        inputs: list(11, "Value"),
        outputs: list(12, "Value"),
      },
    },
    Node: {
      fields: {
        inputs: list(1, "string"),
        outputs: list(2, "string"),
        operator: field(4, "string"),
        attributes: list(5, "Attribute"),
      },
    },
    Attribute: { fields: { name: field(1, "string"), i: field(3, "int64"), type: field(20, "int32") } },
    Value: { fields: { name: field(1, "string"), type: field(2, "Type") } },
    Type: { fields: { tensor: field(1, "Tensor") } },
    Tensor: { fields: { element: field(1, "int32"), shape: field(2, "Shape") } },
    Shape: { fields: { sizes: list(1, "Size") } },
    Size: { fields: { value: field(1, "int64"), name: field(2, "string") } },
    Weight: {
      fields: {
        shape: list(1, "int64"),
        element: field(2, "int32"),
        name: field(8, "string"),
        raw: field(9, "bytes"),
        external: list(13, "Entry"),
        place: field(14, "int32"),
      },
    },
    Entry: { fields: { key: field(1, "string"), value: field(2, "string") } },
  },
});

/** ONNX's numbers of element types. */
export const elements = {
  float32: 1, uint8: 2, int8: 3, uint16: 4, int16: 5, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11, uint32: 12, uint64: 13,
}; // prettier-ignore

/**
 * `inputs` and `outputs` are [name, element type, shape], where a size may be a name, `nodes` [operator, inputs, outputs, whole attributes], `weights` [name, element
 * type, shape, the file beside this one that holds them, or a typed array].
 */
export function onnxFile({ inputs, outputs, nodes, weights = [] }) {
  const value = ([name, element, shape]) => ({
    name,
    type: {
      tensor: {
        element: elements[element],
        shape: { sizes: shape.map((size) => (typeof size === "string" ? { name: size } : { value: size })) },
      },
    },
  });
  const model = {
    irVersion: 8,
    opsets: [{ domain: "", version: 17 }],
    graph: {
      name: "graph",
      nodes: nodes.map(([operator, from, to, attributes = {}]) => ({
        operator,
        inputs: from,
        outputs: to,
        attributes: Object.entries(attributes).map(([name, i]) => ({ name, i, type: 2 })),
      })),
      weights: weights.map(([name, element, shape, held]) => ({
        name,
        element: elements[element],
        shape,
        ...(typeof held === "string"
          ? { external: [{ key: "location", value: held }], place: 1 }
          : { raw: new Uint8Array(held.buffer) }),
      })),
      inputs: inputs.map(value),
      outputs: outputs.map(value),
    },
  };
  return Buffer.from(schema.lookupType("Model").encode(model).finish());
}

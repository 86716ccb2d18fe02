// ONNX's own tests of its operators, read from their files.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs/light.js";

const field = (id, type) => ({ id, type });
const list = (id, type) => ({ id, type, rule: "repeated" });

/** The messages of onnx.proto, without the fields that nothing here needs. */
const schema = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: { graph: field(7, "GraphProto"), opsetImport: list(8, "OperatorSetIdProto") },
    },
    OperatorSetIdProto: { fields: { domain: field(1, "string"), version: field(2, "int64") } },
    GraphProto: {
      fields: {
        node: list(1, "NodeProto"),
        input: list(11, "ValueInfoProto"),
        output: list(12, "ValueInfoProto"),
      },
    },
    NodeProto: { fields: { opType: field(4, "string") } },
    ValueInfoProto: { fields: { name: field(1, "string"), type: field(2, "TypeProto") } },
    TypeProto: { fields: { tensorType: field(1, "TensorType") } },
    TensorType: { fields: { elemType: field(1, "int32") } },
    TensorProto: {
      fields: {
        dims: list(1, "int64"),
        dataType: field(2, "int32"),
        floatData: list(4, "float"),
        int32Data: list(5, "int32"),
        int64Data: list(7, "int64"),
        rawData: field(9, "bytes"),
      },
    },
  },
});
const decode = (message, path) => schema.lookupType(message).decode(readFileSync(path));

/** The element types that are tried, each with its list of values and its form in `rawData`. */
const types = {
  1: { kind: "float", field: "floatData", raw: (view, i) => view.getFloat32(4 * i, true) },
  6: { kind: "int", field: "int32Data", raw: (view, i) => view.getInt32(4 * i, true) },
  7: { kind: "int", field: "int64Data", raw: (view, i) => Number(view.getBigInt64(8 * i, true)) },
  9: { kind: "bool", field: "int32Data", raw: (view, i) => view.getUint8(i) },
};

/** A tensor's kind, shape, and values as plain numbers. */
function readTensor(path) {
  const { dims, dataType, rawData, ...lists } = decode("TensorProto", path);
  const { kind, field, raw } = types[dataType];
  const shape = dims.map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  const view = new DataView(Uint8Array.from(rawData).buffer);
  const data =
    rawData.length > 0 ? Array.from({ length: count }, (_, i) => raw(view, i)) : lists[field].map(Number);
  return { kind, shape, data };
}

/**
 * The first `most` tests of each operator in `suites` (folders, each with the operator sets that are taken from it): those
 * that have a real input, and otherwise only real and whole numbers and truth values. Training is outside.
 */
export function nodeTests(suites, most) {
  const seen = new Map();
  const found = [];
  for (const { folder, route, opsets } of suites) {
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      if (!existsSync(join(path, "model.onnx"))) continue;
      const { graph, opsetImport } = decode("ModelProto", join(path, "model.onnx"));
      const own = opsetImport.filter(({ domain }) => domain === "" || domain === "ai.onnx");
      const opset = Math.max(1, ...own.map(({ version }) => Number(version)));
      const ends = [...graph.input, ...graph.output].map(({ type }) => type?.tensorType?.elemType);
      const real = graph.input.some(({ type }) => type?.tensorType?.elemType === 1);
      const training = opsetImport.some(({ domain }) => domain.includes("training"));
      if (opset < opsets[0] || opset > opsets[1] || training) continue;
      if (!real || ends.some((type) => !(type in types))) continue;
      const operators = new Set(graph.node.map(({ opType }) => opType));
      const operator = operators.size === 1 ? [...operators][0] : "(functions written out)";
      const number = seen.get(operator) ?? 0;
      if (number === most) continue;
      seen.set(operator, number + 1);
      found.push({ name, operator, onnx: `/${route}/${name}/model.onnx`, sets: () => dataSets(path, graph) });
    }
  }
  return found;
}

/** The inputs and the expected outputs of a test, by name. */
function dataSets(path, graph) {
  const sets = [];
  for (let number = 0; existsSync(join(path, `test_data_set_${number}`)); number++) {
    const read = (kind, infos) =>
      Object.fromEntries(
        infos
          .map(({ name }, i) => [name, join(path, `test_data_set_${number}`, `${kind}_${i}.pb`)])
          .filter(([, file]) => existsSync(file))
          .map(([name, file]) => [name, readTensor(file)]),
      );
    sets.push({ inputs: read("input", graph.input), outputs: read("output", graph.output) });
  }
  return sets;
}

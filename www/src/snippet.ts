// Lines for the npm package that explain a network which the page does not, with the names and shapes of its file.

import type { ModelReport, ValueInfo } from "adversight";
import type { OtherKind } from "./report.js";

/** For sizes that a file leaves open, where nothing is known but what the network takes. */
const openSize: Record<OtherKind, number> = { words: 16, sounds: 16_000, numbers: 1 };

interface Lines {
  file: string;
  report: Pick<ModelReport, "inputs" | "outputs">;
}

/** Lines for a network of words, sounds or numbers. */
export function otherSnippet({ file, report }: Lines, kind: OtherKind): string {
  const real = report.inputs.filter(isReal);
  const explained =
    real.find(({ name }) => !/state|cache|past|hidden|^[hc]_?\d*$|mask/i.test(name)) ?? real[0];
  const others = report.inputs.filter((input) => input !== explained);
  const values = others.map(
    (input) => `    ${key(input.name)}: ${valueOf(input, kind === "words" ? openSize.words : 1)},`,
  );
  const inputs = values.length > 0 ? ["  inputs: {", ...values, "  },"] : [];
  if (!explained) {
    return lines(
      `const engine = await createEngine();`,
      `const model = await engine.loadModel({`,
      `  onnx: ${JSON.stringify(file)},`,
      `  // Whole numbers have no gradient. Explain at the node that makes embeddings of them, its first Gather mostly:`,
      `  at: "…",`,
      ...inputs,
      `});`,
      ...explain("null"),
    );
  }
  return lines(
    `const engine = await createEngine();`,
    `const model = await engine.loadModel({`,
    `  onnx: ${JSON.stringify(file)},`,
    ...(report.inputs.length > 1 ? [`  input: ${JSON.stringify(explained.name)},`] : []),
    ...inputs,
    `});`,
    `const input = ${valueOf(explained, openSize[kind])};`,
    ...explain("input"),
  );
}

/** Lines for a network of pictures that has scores at several places: one of them is explained. */
export function placesSnippet({ file }: Lines, output: ValueInfo, several: boolean): string {
  const axes = output.shape.slice(1);
  const names = axes.map((_, axis) => "ijklmn"[axis] ?? `i${axis}`);
  const sizes = axes.map((size, axis) => size ?? `size${axis + 1}`);
  // Row by row, the last axis fastest.
  const place = names.slice(1).reduce((sum, name, axis) => {
    const before = axis === 0 ? sum : `(${sum})`;
    return `${before} * ${sizes[axis + 1] ?? 1} + ${name}`;
  }, names[0] ?? "0");
  return lines(
    `const engine = await createEngine();`,
    `const model = await engine.loadModel({`,
    `  onnx: ${JSON.stringify(file)},`,
    `  preprocessing: "preprocessor_config.json",`,
    ...(several ? [`  output: ${JSON.stringify(output.name)},`] : []),
    `});`,
    `// Element [${names.join(", ")}] of ${JSON.stringify(output.name)}, of [${sizes.join(", ")}]: a class at a box or a pixel.`,
    `const [${names.join(", ")}] = [${names.map(() => 0).join(", ")}];`,
    `const target = ${place};`,
    ...explain("photograph", "  target,"),
  );
}

const explain = (input: string, ...more: string[]) => [
  `const { attribution, words } = await model.explain(${input}, {`,
  `  method: "integrated_gradients",`,
  ...more,
  `});`,
];

const lines = (...all: string[]) => [`import { createEngine } from "adversight";`, ``, ...all].join("\n");

const isReal = ({ elementType }: ValueInfo) => /float|double/i.test(elementType);

const key = (name: string) => (/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? name : JSON.stringify(name));

/** A value of an input's shape and type, to be replaced: zeros, but ones for a mask, and a sampling rate for one. */
function valueOf({ name, shape, elementType, symbols }: ValueInfo, open: number): string {
  const sizes = shape.map(
    (size, axis) => size ?? (axis === 0 || /batch/i.test(symbols[axis] ?? "") ? 1 : open),
  );
  const count = sizes.reduce((product, size) => product * size, 1);
  const array = arrayOf(elementType);
  const big = array.startsWith("Big") ? "n" : "";
  const filled = (value: number) =>
    count === 1
      ? `${array}.of(${value}${big})`
      : `new ${array}(${count})${value === 0 ? "" : `.fill(${value}${big})`}`;
  const value = /mask/i.test(name) ? 1 : /^sr$|sample_?rate|sampling/i.test(name) ? 16_000 : 0;
  return `{ data: ${filled(value)}, shape: [${sizes.join(", ")}] }`;
}

function arrayOf(elementType: string): string {
  const arrays: Record<string, string> = {
    int64: "BigInt64Array",
    uint64: "BigUint64Array",
    int32: "Int32Array",
    uint32: "Uint32Array",
    int16: "Int16Array",
    uint16: "Uint16Array",
    int8: "Int8Array",
    uint8: "Uint8Array",
    bool: "Uint8Array",
  };
  return arrays[elementType] ?? "Float32Array";
}

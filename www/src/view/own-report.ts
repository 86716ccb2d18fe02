// What is in an ONNX file, as a report.

import type { ModelReport, OperatorSupport } from "adversight";
import { make } from "../dom.js";
import { bytes, whole } from "../format.js";
import { shapeText } from "../report.js";

/** `bytesPerSample` is known once the network is loaded. */
export function reportView(report: ModelReport, bytesPerSample: number | null): HTMLElement[] {
  return [make("dl", {}, ...facts(report, bytesPerSample)), ...operators(report.operators)];
}

function facts(report: ModelReport, bytesPerSample: number | null): HTMLElement[] {
  const {
    producer,
    opset,
    irVersion,
    inputs,
    outputs,
    nodes,
    parameters,
    weightBytes,
    external,
    activation,
  } = report;
  const value = (info: ModelReport["inputs"][number]) =>
    `${info.name}: ${shapeText(info)} (${info.elementType})`;
  const endings = {
    softmax: "a softmax, which is taken off: what is explained are the scores before it",
    sigmoid: "a sigmoid, which is taken off: what is explained are the scores before it",
    none: "numbers between 0 and 1, which are told as they are",
  };
  const entries: [string, string, string][] = [
    ["made", "Made by", `${producer || "unknown"}; opset ${opset}, IR ${irVersion}`],
    [
      "size",
      "Size",
      `${whole(parameters)} parameters in ${whole(nodes)} nodes, ${bytes(weightBytes)} of weights`,
    ],
    ...(bytesPerSample === null
      ? []
      : [
          [
            "memory",
            "Memory",
            `${bytes(weightBytes)} for the weights, about ${bytes(bytesPerSample)} for each picture on its way`,
          ] satisfies [string, string, string],
        ]),
    ["inputs", inputs.length > 1 ? "Inputs" : "Input", inputs.map(value).join("; ")],
    ["outputs", outputs.length > 1 ? "Outputs" : "Output", outputs.map(value).join("; ")],
    [
      "activation",
      "Ends in",
      activation
        ? endings[activation]
        : "scores of which the file does not say how they become probabilities",
    ],
    ...(external.length > 0
      ? [["external", "Weights in", external.join(", ")] satisfies [string, string, string]]
      : []),
  ];
  return entries.flatMap(([name, term, text]) => [
    make("dt", { text: term }),
    make("dd", { text, testid: `own-fact-${name}` }),
  ]);
}

/** The operators, those that are in the way first and with the reason. */
function operators(all: readonly OperatorSupport[]): HTMLElement[] {
  const unsupported = all.filter(({ supported }) => !supported);
  const supported = all.filter(({ supported }) => supported).sort((a, b) => b.count - a.count);
  const chip = ({ name, count }: OperatorSupport) =>
    make("li", {}, name, make("small", { text: ` ${whole(count)}` }));
  return [
    ...(unsupported.length > 0
      ? [
          make("h3", { text: "Operators that stand in the way" }),
          make("ul", { class: "unsupported", testid: "own-unsupported" }, ...unsupported.map(unsupportedRow)),
        ]
      : []),
    make("h3", { text: unsupported.length > 0 ? "The other operators" : "Operators, all of them supported" }),
    make("ul", { class: "operators", testid: "own-operators" }, ...supported.map(chip)),
  ];
}

function unsupportedRow({ name, count, reason, nodes }: OperatorSupport): HTMLElement {
  const named = nodes.map((node) => `“${node}”`).join(", ");
  const where = nodes.length > 0 ? `, at ${named}${count > nodes.length ? " and others" : ""}` : "";
  const nodeCount = count === 1 ? "1 node" : `${whole(count)} nodes`;
  return make(
    "li",
    {},
    make("strong", { text: name }),
    ` (${nodeCount}): ${reason ?? "it is not supported"}${where}.`,
  );
}

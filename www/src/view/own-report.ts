// What is in an ONNX file, as a report.

import { t } from "../strings/strings.js";
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
    softmax: t`a softmax, which is taken off: what is explained are the scores before it`,
    sigmoid: t`a sigmoid, which is taken off: what is explained are the scores before it`,
    none: t`numbers between 0 and 1, which are told as they are`,
  };
  const entries: [string, string, string][] = [
    ["made", t`Made by`, t`${producer || "unknown"}; opset ${opset}, IR ${irVersion}`],
    [
      "size",
      t`Size`,
      t`${whole(parameters)} parameters in ${whole(nodes)} nodes, ${bytes(weightBytes)} of weights`,
    ],
    ...(bytesPerSample === null
      ? []
      : [
          [
            "memory",
            t`Memory`,
            t`${bytes(weightBytes)} for the weights, about ${bytes(bytesPerSample)} for each picture on its way`,
          ] satisfies [string, string, string],
        ]),
    ["inputs", inputs.length > 1 ? t`Inputs` : t`Input`, inputs.map(value).join("; ")],
    ["outputs", outputs.length > 1 ? t`Outputs` : t`Output`, outputs.map(value).join("; ")],
    [
      "activation",
      t`Ends in`,
      activation
        ? endings[activation]
        : t`scores of which the file does not say how they become probabilities`,
    ],
    ...(external.length > 0
      ? [["external", t`Weights in`, external.join(", ")] satisfies [string, string, string]]
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
          make("h3", { text: t`Operators that stand in the way` }),
          make("ul", { class: "unsupported", testid: "own-unsupported" }, ...unsupported.map(unsupportedRow)),
        ]
      : []),
    make("h3", {
      text: unsupported.length > 0 ? t`The other operators` : t`Operators, all of them supported`,
    }),
    make("ul", { class: "operators", testid: "own-operators" }, ...supported.map(chip)),
  ];
}

function unsupportedRow({ name, count, reason, nodes }: OperatorSupport): HTMLElement {
  const named = nodes.map((node) => `“${node}”`).join(", ");
  const where = nodes.length > 0 ? t`, at ${named}${count > nodes.length ? t` and others` : ""}` : "";
  const nodeCount = count === 1 ? "1 node" : t`${whole(count)} nodes`;
  return make(
    "li",
    {},
    make("strong", { text: name }),
    ` (${nodeCount}): ${reason ?? t`it is not supported`}${where}.`,
  );
}

// The table of the evidence: which metrics it can hold, what they cost, and which value of a column is the best.

import type { MetricDescription, ModelInfo, MethodDescription } from "adversight";
import { groupMethods, passes, unsuited } from "../methods.js";
import type { Params } from "../state.js";

/** A number of the table, or why there is none. */
export type Cell = { value: number } | { reason: string };

export interface Row {
  /** The method; null for a map that knows nothing, against which the others are read. */
  method: string | null;
  title: string;
  /** How long the explanation took; null where there was nothing to compute. */
  milliseconds: number | null;
  /** Why there is no explanation. */
  reason: string | null;
  /** By the names of the metrics; what is still to come is missing. */
  cells: Record<string, Cell>;
}

/** What can be measured of any method's map, without a second map, a marked object or the method's own segments; some of pictures only. */
export const measurable = ({ needs }: MetricDescription, picture = true): boolean =>
  needs.every((need) => need === "predictions" || (need === "image" && picture) || need === "method");

/** The columns that the table starts with: faithfulness, class retrieval, and how much there is to look at. */
export const startingMetrics = ["insertion", "deletion", "class_retrieval", "sparseness"];

/** The metrics that follow a curve, and are measured with as many steps as the page's own game. */
const curves: Record<string, number> = {
  insertion: 1,
  deletion: 1,
  preservation: 1,
  feature_relevance: 2,
  diff_id: 2,
};

export const isCurve = (metric: string): boolean => metric in curves;

const defaultOf = ({ params }: MetricDescription, name: string): number => {
  const value = params.find((param) => param.name === name)?.default;
  return typeof value === "number" ? value : 0;
};

/** The passes that a metric takes: of its own, and for making the map again, which takes `again` each time. */
export function metricPasses(metric: MetricDescription, again: number, pictures: number): number {
  if (isCurve(metric.name)) return (curves[metric.name] ?? 1) * pictures;
  switch (metric.name) {
    case "road":
      return defaultOf(metric, "steps") + 1;
    case "infidelity":
    case "faithfulness_correlation":
    case "mu_fidelity":
      return defaultOf(metric, "samples") + 1;
    case "sensitivity_n":
      return defaultOf(metric, "sizes") * defaultOf(metric, "samples") + 1;
    case "monotonicity_correlation":
      return defaultOf(metric, "groups") * defaultOf(metric, "samples") + 1;
    case "faithfulness_estimate":
    case "monotonicity":
    case "saco":
    case "non_sensitivity":
      return defaultOf(metric, "groups") + 1;
    case "region_perturbation":
    case "selectivity":
      return defaultOf(metric, "regions") + 1;
    case "irof":
      return 101; // SLIC makes about a hundred segments
    case "completeness":
    case "average_drop":
      return 2;
    case "class_retrieval":
      return 1;
    case "max_sensitivity":
    case "average_sensitivity":
    case "local_lipschitz":
    case "relative_input_stability":
    case "relative_output_stability":
    case "relative_representation_stability":
      return defaultOf(metric, "samples") * again;
    case "random_logit":
      return again;
    case "stability":
      return defaultOf(metric, "seeds") * again;
    case "convergence":
      return 2 * again;
    default:
      return 0;
  }
}

/** The rows that have the best value of a metric, of those with a method; none where the metric only describes. */
export function bestRows(
  rows: readonly Row[],
  { name, better }: Pick<MetricDescription, "name" | "better">,
): Row[] {
  if (better === "neither") return [];
  const values = rows.flatMap((row) => {
    const cell = row.cells[name];
    return row.method !== null && cell && "value" in cell ? [{ row, value: cell.value }] : [];
  });
  if (values.length < 2) return [];
  const best = (better === "higher" ? Math.max : Math.min)(...values.map(({ value }) => value));
  const winners = values.filter(({ value }) => value === best).map(({ row }) => row);
  return winners.length < values.length ? winners : []; // where all are alike, none stands out
}

/** Cheap methods of different kinds, with which the table starts. */
export const cheapMethods = ["grad_cam", "integrated_gradients", "saliency", "occlusion", "rise"];
/** RelEx, which was made to be robust, and methods that are not. */
export const attackedMethods = ["relex", "grad_cam", "saliency", "occlusion"];

/** The methods that a comparison starts with: those on the page, filled up with others that suit the network. */
export function startingMethods(
  shown: readonly string[],
  others: readonly string[],
  info: Pick<ModelInfo, "methods"> | undefined,
  count: number,
): string[] {
  const suits = (name: string) =>
    info?.methods.some((method) => method.name === name && method.applies) ?? false;
  return [...new Set([...shown, ...others.filter(suits)])].slice(0, Math.max(count, shown.length));
}

/** The methods that suit a network, in the page's order, each with its passes. */
export function suitedMethods(
  methods: readonly MethodDescription[],
  info: Pick<ModelInfo, "methods"> | undefined,
  params: Record<string, Params>,
): { method: MethodDescription; passes: number }[] {
  return groupMethods(methods)
    .flatMap((group) => group.methods)
    .filter(({ name }) => !unsuited(info, name))
    .map((method) => ({ method, passes: passes(method, params[method.name]) }));
}

/** A paper in a few words: "Petsiuk et al. 2018". */
export function cited(paper: string): string {
  const [authors = paper] = paper.split(/[:(]/);
  const year = /\d{4}/.exec(paper)?.[0] ?? "";
  const [first = authors, ...others] = authors.trim().split(",");
  return `${first}${others.length > 0 ? " et al." : ""} ${year}`.trim();
}

/** The table as a file for spreadsheets. */
export function toCsv(rows: readonly Row[], metrics: readonly string[]): string {
  const field = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const cell = (row: Row, metric: string) => {
    const found = row.cells[metric];
    return found && "value" in found ? String(found.value) : "";
  };
  const lines = rows.map((row) => [
    row.method ?? "random",
    ...metrics.map((metric) => cell(row, metric)),
    row.milliseconds === null ? "" : String(Math.round(row.milliseconds)),
  ]);
  return [["method", ...metrics, "milliseconds"], ...lines]
    .map((line) => `${line.map(field).join(",")}\n`)
    .join("");
}

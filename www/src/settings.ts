// The settings of the methods: what they start with, and what is quick on a slow device.

import type { DeviceReport, MethodDescription, ParamDescription } from "adversight";
import type { Params, Question } from "./state.js";

interface Quick {
  settings: Params;
  /** The power of each number with which the method's cost grows, where that is not 1. */
  growth?: Record<string, number>;
}

/**
 * On a processor the methods start with these, so that the first picture comes in seconds or within a minute; the papers' values are
 * one click away.
 */
const quick: Record<string, Quick> = {
  agi: { settings: { samples: 3, steps: 10 } },
  blur_ig: { settings: { steps: 20 } },
  expected_gradients: { settings: { samples: 20 } },
  guided_ig: { settings: { steps: 20 } },
  integrated_gradients: { settings: { steps: 15 } },
  kernel_shap: { settings: { samples: 200 } },
  lime: { settings: { samples: 200 } },
  // The weights are those of its setting "sparse", which finds a region sooner.
  mask: {
    settings: { setting: "own", iterations: 100, l1: 0.01, tv: 0.2 },
    growth: { l1: 0, tv: 0 },
  },
  // Windows side by side; larger ones would not fit a small network's pictures.
  occlusion: { settings: { stride: 15 }, growth: { stride: -2 } },
  relex: { settings: { samples: 1 } },
  rise: { settings: { samples: 500 } },
  score_cam: { settings: { channels: 64 } },
  smoothgrad: { settings: { samples: 8 } },
  vargrad: { settings: { samples: 8 } },
  xrai: { settings: { steps: 15 } },
};

export function paperParams(method: MethodDescription): Params {
  return Object.fromEntries(method.params.map((param) => [param.name, param.default]));
}

/** The quick settings, or null for a method that is quick as it is. */
export function quickParams(method: MethodDescription): Params | null {
  const changes = Object.entries(quick[method.name]?.settings ?? {}).filter(([name]) =>
    method.params.some((param) => param.name === name),
  );
  return changes.length === 0 ? null : { ...paperParams(method), ...Object.fromEntries(changes) };
}

export function startingParams(method: MethodDescription, device: DeviceReport["kind"]): Params {
  return (device === "cpu" ? quickParams(method) : null) ?? paperParams(method);
}

/** Whether the settings are the paper's; which classes are asked about is no matter of that. */
export const isPaper = (method: MethodDescription, params: Params): boolean =>
  sameSettings(method, params, paperParams(method));

/** Whether the settings are the quick ones, of a method that has such. */
export function isQuick(method: MethodDescription, params: Params): boolean {
  const settings = quickParams(method);
  return settings !== null && sameSettings(method, params, settings);
}

function sameSettings({ params }: MethodDescription, a: Params, b: Params): boolean {
  return params.every(
    ({ name, kind }) => kind === "classes" || sameParams({ value: a[name] }, { value: b[name] }),
  );
}

/** How many times as long the paper's settings take, at most: methods' times grow with the numbers that the quick settings change. */
export function paperCost(method: MethodDescription, params: Params): number {
  const { settings = {}, growth = {} } = quick[method.name] ?? {};
  return Object.keys(settings).reduce((cost, name) => {
    const [paper, now] = [paperParams(method)[name], params[name]];
    if (typeof paper !== "number" || typeof now !== "number" || !(now > 0)) return cost;
    return cost * (paper / now) ** (growth[name] ?? 1);
  }, 1);
}

export function sameParams(a: Params, b: Params): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

export function sameQuestion(a: Question, b: Question): boolean {
  return a.method === b.method && a.target === b.target && sameParams(a.params, b.params);
}

const sorted = (params: Params) => Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1));

/** The method's setting that lists classes, where it has one: it can say why not another class. */
export function classesParam(method: MethodDescription): ParamDescription | undefined {
  return method.params.find((param) => param.kind === "classes");
}

/** The class numbers in the value of a setting of the kind "classes". */
export function classList(value: unknown): number[] {
  return Array.isArray(value) ? value.filter((item): item is number => Number.isInteger(item)) : [];
}

/** A class's number, from its number or its name as typed; null where there is no such class. */
export function findClass(text: string, labels: readonly string[]): number | null {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return null;
  if (/^\d+$/.test(wanted)) return Number(wanted) < labels.length ? Number(wanted) : null;
  const names = labels.map((label) => label.toLowerCase());
  const exact = names.indexOf(wanted);
  if (exact >= 0) return exact;
  const begins = names.findIndex((name) => name.startsWith(wanted));
  return begins >= 0 ? begins : null;
}

/** From a slider's place, 0 to 1, to a value and back. */
export interface SliderScale {
  value: (place: number) => number;
  place: (value: number) => number;
}

/**
 * The scale of a slider for a number, null for one without limits. A range of 1 to 1000 in equal steps would leave no room
 * for the values that are used: the scale is bent so that the paper's value lies in the middle.
 */
export function sliderScale(param: ParamDescription): SliderScale | null {
  const { minimum, maximum, kind, default: paper } = param;
  if (minimum === undefined || maximum === undefined || !(maximum > minimum)) return null;
  const share = typeof paper === "number" ? (paper - minimum) / (maximum - minimum) : 0.5;
  const bend = share > 0 && share < 1 ? Math.log(share) / Math.log(0.5) : 1;
  return {
    value(place) {
      const value = minimum + (maximum - minimum) * place ** bend;
      const round = kind === "integer" ? Math.round(value) : Number(value.toPrecision(2));
      return Math.min(maximum, Math.max(minimum, round));
    },
    place: (value) => ((value - minimum) / (maximum - minimum)) ** (1 / bend),
  };
}

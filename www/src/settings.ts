// The settings of the methods: what they start with, and what is quick on a slow device.

import type { DeviceReport, MethodDescription, ParamDescription } from "adversight";
import type { Params, Question } from "./state.js";

export function paperParams(method: MethodDescription): Params {
  return Object.fromEntries(method.params.map((param) => [param.name, param.default]));
}

/** The quick settings that the engine names, or null for a method that is quick as it is. */
export function quickParams(method: MethodDescription): Params | null {
  const { quick = {} } = method;
  return Object.keys(quick).length === 0 ? null : { ...paperParams(method), ...quick };
}

/**
 * On a processor the methods start with their quick settings, so that the first picture comes in seconds or within a minute; the papers'
 * values are one click away.
 */
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

/**
 * How many times as long the paper's settings take, at most: with a power of the counts (steps, samples, strides) that the quick settings
 * change, which follows from the two costs that the engine tells.
 */
export function paperCost(method: MethodDescription, params: Params): number {
  const { cost, quick = {}, quick_cost: quickCost = cost } = method;
  const paper = paperParams(method);
  const counts = method.params.filter(({ name, kind }) => kind === "integer" && name in quick);
  const ratio = (other: Params) =>
    counts.reduce((all, { name }) => {
      const [most, now] = [paper[name], other[name]];
      return typeof most === "number" && typeof now === "number" && now > 0 ? all * (most / now) : all;
    }, 1);
  const whole = ratio(quick);
  if (whole === 1) return 1;
  const all = ({ forward, backward }: MethodDescription["cost"]) => forward + 2 * backward;
  return ratio(params) ** (Math.log(all(cost) / all(quickCost)) / Math.log(whole));
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

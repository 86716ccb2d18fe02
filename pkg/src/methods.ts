// The methods, metrics and attacks that the engine knows, with their parameters as types.

import type { AttackParams, MethodParams, MetricParams } from "./parameters.js";
import type { MetricRequest } from "./wasm/adversight.js";

export type MethodName = keyof MethodParams;
export type MetricName = keyof MetricParams;
export type AttackName = keyof AttackParams;

declare const unchecked: unique symbol;
/** A name that TypeScript does not know: see `anyName`. */
export type AnyName = string & { readonly [unchecked]: true };

/**
 * The name of a method or metric that is known only when the program runs, from `engine.methods()` or a control, and whose parameters are
 * then checked by the engine alone.
 */
export const anyName = (name: string): AnyName => name as AnyName;

/** A method with parameters of its own; those that are left out have the paper's values. */
export type MethodChoice =
  | { [Name in MethodName]: { method: Name; params?: MethodParams[Name] | undefined } }[MethodName]
  | { method: AnyName; params?: Record<string, unknown> | undefined };

/** A metric by its name, or with parameters of its own. */
export type MetricChoice =
  | MetricName
  | AnyName
  | { [Name in MetricName]: { name: Name; params?: MetricParams[Name] | undefined } }[MetricName]
  | { name: AnyName; params?: Record<string, unknown> | undefined };

/** An attack with parameters of its own; projected gradient descent where it is left out. */
export type AttackChoice =
  | { [Name in AttackName]: { attack: Name; params?: AttackParams[Name] | undefined } }[AttackName]
  | { attack: AnyName; params?: Record<string, unknown> | undefined }
  | { attack?: undefined; params?: undefined };

/** A metric as the engine is asked for it. */
export function requested(metric: MetricChoice): MetricRequest {
  if (typeof metric === "string") return { name: metric };
  const { name, params } = metric;
  return params ? { name, params: { ...params } } : { name };
}

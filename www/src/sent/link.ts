// A link to what is on the page: an example, a network of the page's, a method and its settings. Never anything that a person gave.

import type { Params, State } from "../state.js";

export interface Linked {
  /** The name of an example, or the file of a photograph; null where something of the person's own is shown. */
  example: string | null;
  network: string | null;
  method: string;
  params: Params;
  target: number | null;
}

export function linked({ given, network, method, params, target }: State): Linked {
  return {
    example: given?.example ?? null,
    network: network && !network.own ? network.name : null,
    method,
    params: params[method] ?? {},
    target,
  };
}

/** The part of an address after "#". */
export function toHash({ example, network, method, params, target }: Linked): string {
  const found = new URLSearchParams({
    ...(example === null ? {} : { example }),
    ...(network === null ? {} : { network }),
    method,
    ...(target === null ? {} : { target: String(target) }),
    params: JSON.stringify(params),
  });
  return `#${found.toString()}`;
}

/** What a link asks for; null where it is none. */
export function fromHash(hash: string): Linked | null {
  const found = new URLSearchParams(hash.replace(/^#/, ""));
  const method = found.get("method");
  if (method === null) return null;
  const target = Number(found.get("target") ?? NaN);
  let params: unknown = null;
  try {
    params = JSON.parse(found.get("params") ?? "{}");
  } catch {
    // then it has none
  }
  return {
    example: found.get("example"),
    network: found.get("network"),
    method,
    params: typeof params === "object" && params !== null && !Array.isArray(params) ? (params as Params) : {},
    target: Number.isInteger(target) && target >= 0 ? target : null,
  };
}

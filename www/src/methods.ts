// The methods in order: by what they need of the network, and by what they cost. Which of them apply to a network, the engine says.

import { t } from "./strings/strings.js";
import type { MethodDescription, ModelInfo } from "adversight";
import { paperCost } from "./settings.js";
import type { Params } from "./state.js";

type GroupName = "gradient" | "predictions" | "activations" | "backward_rule";

export interface MethodGroup {
  name: GroupName;
  title: string;
  /** What the methods of the group do, in a sentence. */
  about: string;
  /** From the cheapest to the dearest. */
  methods: MethodDescription[];
}

const groups: Omit<MethodGroup, "methods">[] = [
  {
    name: "gradient",
    title: t`By gradients`,
    about: t`They ask how the score changes when each part does.`,
  },
  {
    name: "activations",
    title: t`By activations`,
    about: t`They look at what a layer inside the network responds to.`,
  },
  {
    name: "backward_rule",
    title: t`By backward rules`,
    about: t`They hand the score back through the network by rules of their own.`,
  },
  {
    name: "predictions",
    title: t`By predictions only`,
    about: t`They change or hide parts and watch the answer. Any network will do.`,
  },
];

/** What a method needs that most sets it apart; one that needs nothing special goes by predictions. */
function groupOf({ needs }: MethodDescription): GroupName {
  const order = ["backward_rule", "activations", "gradient"] as const;
  return order.find((need) => needs.includes(need)) ?? "predictions";
}

/** The groups that have methods. */
export function groupMethods(methods: readonly MethodDescription[]): MethodGroup[] {
  return groups
    .map((group) => ({
      ...group,
      methods: methods
        .filter((method) => groupOf(method) === group.name)
        .sort((a, b) => passes(a) - passes(b) || a.title.localeCompare(b.title)),
    }))
    .filter((group) => group.methods.length > 0);
}

/** A gradient takes about as long as two passes, and the pass before it. */
export const passesOf = ({ forward, backward }: MethodDescription["cost"]): number => forward + 2 * backward;

/** The method's cost in forward passes, at most: with these settings, as far as the page knows what they change; else with its own. */
export function passes(method: MethodDescription, params?: Params): number {
  const all = passesOf(method.cost);
  return params ? Math.max(1, Math.round(all / paperCost(method, params))) : all;
}

/** Why a method does not apply to a network; null where it does. */
export function unsuited(info: Pick<ModelInfo, "methods"> | undefined, name: string): string | null {
  const support = info?.methods.find((method) => method.name === name);
  return support && !support.applies ? (support.reason ?? t`it does not apply to this network`) : null;
}

/** The wanted method where it applies, else the cheapest one that does. */
export function suitedMethod(
  info: Pick<ModelInfo, "methods">,
  methods: readonly MethodDescription[],
  wanted: string,
): string {
  if (!unsuited(info, wanted)) return wanted;
  const suited = groupMethods(methods)
    .flatMap((group) => group.methods)
    .filter(({ name }) => !unsuited(info, name));
  return suited.sort((a, b) => passes(a) - passes(b))[0]?.name ?? wanted;
}

// What the figures say, in sentences. Where a limit is drawn, it is the page's own rule of thumb and is named as one.

import { t } from "../strings/strings.js";
import type { ClassScore, Game } from "adversight";
import { decimals, percent } from "../format.js";
import { kinds, type Kind } from "../kinds.js";

/** Differences below this part of the starting score are not called differences. */
const slight = 0.02;

const quoted = (label: string) => `“${label}”`;
const share = (value: number) => decimals(value, 2).replace("-", "−");
const area = (value: number) => decimals(value, 3);

/** The part of the pixels after which the score has come half the way from its start to its end value. */
export function halfWay({ curve: { x, y } }: Pick<Game, "curve">): number | null {
  const [first, last] = [y[0], y.at(-1)];
  if (first === undefined || last === undefined || Math.abs(first - last) < slight) return null;
  const half = (first + last) / 2;
  const place = y.findIndex((value) => (first > last ? value <= half : value >= half));
  return place < 0 ? null : (x[place] ?? null);
}

/** In one word: the map does better than every random order, worse than every one, or neither; "mixed" where two games disagree. */
export type Verdict = "passed" | "failed" | "open" | "mixed";

export const verdictWords: Record<Verdict, string> = {
  passed: t`Passed`,
  failed: t`Failed`,
  open: t`No better than chance`,
  mixed: t`Mixed`,
};

type Curved = Pick<Game, "curve" | "area">;
export type GameKind = "deletion" | "insertion";

/**
 * How a map does beside random orders, by the areas as parts of the whole input's score: so that a small score's differences count as
 * much as a large one's. Null where the score hardly changes, or nothing was played at random.
 */
export function judged(kind: GameKind, map: Curved, random: readonly Curved[]): Verdict | null {
  const { y } = map.curve;
  const whole = (kind === "deletion" ? y[0] : y.at(-1)) ?? 0;
  if (random.length === 0 || whole <= 0 || halfWay(map) === null) return null;
  const sign = kind === "deletion" ? -1 : 1;
  const [own, others] = [(sign * map.area) / whole, random.map(({ area }) => (sign * area) / whole)];
  const mean = others.reduce((sum, value) => sum + value, 0) / others.length;
  if (own > Math.max(...others) && own - mean > slight) return "passed";
  if (own < Math.min(...others) && mean - own > slight) return "failed";
  return "open";
}

/** One verdict of both games, where both were played. */
export function together(verdicts: readonly (Verdict | null)[]): Verdict | null {
  const found = new Set(verdicts.filter((verdict) => verdict !== null));
  const [only = null] = found;
  if (found.size < 2) return only;
  return found.has("passed") ? "mixed" : "failed";
}

/** What the games have shown, after the word. */
export function gameSentence(
  kind: GameKind,
  of: Kind,
  label: string,
  map: Curved,
  random: readonly Curved[],
): string {
  const half = halfWay(map);
  const { units } = kinds[of];
  if (half === null) {
    return t`The score of ${quoted(label)} hardly changes on the way, so nothing can be told from it.`;
  }
  const first =
    kind === "deletion"
      ? t`${quoted(label)} has lost half of its score when ${percent(half)} of the ${units} are gone, the most important first`
      : t`${quoted(label)} has got half of its score back with ${percent(half)} of the ${units}, the most important first`;
  if (random.length === 0) return `${first}.`;
  const areas = random.map((game) => game.area);
  const chance = t`${area(Math.min(...areas))} to ${area(Math.max(...areas))}`;
  return t`${first} (area ${area(map.area)}, in ${random.length} random orders ${chance}).`;
}

/** An explanation under attack. */
export interface Survival {
  title: string;
  /** Spearman's rank correlation between the maps of the clean and of the attacked picture. */
  rank: number;
  /** The class that the network finds in the attacked picture behind the map of that picture. */
  finds: ClassScore;
}

const listed = (names: readonly string[]) =>
  names.length < 2 ? (names[0] ?? "") : t`${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;

/** Which explanations survived: those in which the network still finds the class that it gave before (class retrieval, RelEx). */
export function attackVerdict(
  before: ClassScore,
  after: ClassScore,
  explanations: readonly Survival[],
  of: Kind = "image",
): string {
  const { noun } = kinds[of];
  const flipped = after.index !== before.index;
  const answer = flipped
    ? t`The attack works: the network now says ${quoted(after.label)} (${percent(after.probability)}) instead of ${quoted(before.label)}.`
    : t`The attack fails: the network still says ${quoted(before.label)} (${percent(after.probability)}). Try a stronger one.`;
  if (explanations.length === 0) return answer;
  const survived = explanations.filter(({ finds }) => finds.index === before.index);
  const lost = explanations.filter(({ finds }) => finds.index !== before.index);
  if (survived.length > 0) {
    const rest = lost.length > 0 ? t`; ${listed(lost.map(({ title }) => title))} did not` : "";
    return (
      t`${answer} ${listed(survived.map(({ title }) => title))} survived: in what ${survived.length === 1 ? t`it marks` : t`they mark`} ` +
      t`of the attacked ${noun}, the network still finds ${quoted(before.label)}${rest}.`
    );
  }
  const steadiest = [...explanations].sort((a, b) => b.rank - a.rank)[0];
  return (
    t`${answer} No explanation survived: in what they mark of the attacked ${noun}, the network no longer finds ${quoted(before.label)}.` +
    (steadiest && explanations.length > 1
      ? t` The map of ${steadiest.title} changed least (rank correlation ${share(steadiest.rank)}).`
      : "")
  );
}

/** Below the first, a map has changed; above the second it has not. */
export const changed = 0.3;
export const unchanged = 0.6;

/** Whether a method's map depends on what the network has learned, from its likeness to that of a network of random weights. */
export function edgesVerdict(title: string, likeness: number, edges: number | null): string {
  const alike = t`rank correlation ${share(likeness)}`;
  const verdict =
    likeness < changed
      ? t`${title} passes: without what the network has learned, its map is another one (${alike}).`
      : likeness > unchanged
        ? t`${title} fails: its map is nearly the same when the network has learned nothing (${alike}). It shows the picture more than the network.`
        : t`${title} passes in part: without what the network has learned, its map changes, but not altogether (${alike}).`;
  const drawn =
    edges === null
      ? ""
      : edges > unchanged
        ? t` And it is much like a plain drawing of the picture’s edges.`
        : edges < changed
          ? t` It is no drawing of the picture’s edges either.`
          : t` It has something of a plain drawing of the picture’s edges.`;
  return verdict + drawn;
}

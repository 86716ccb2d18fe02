// What the figures say, in sentences. Where a limit is drawn, it is the page's own rule of thumb and is named as one.

import type { ClassScore, Game } from "adversight";
import { percent } from "../format.js";

/** Differences below this are not called differences. */
const slight = 0.02;

const quoted = (label: string) => `“${label}”`;
const share = (value: number) => value.toFixed(2).replace("-", "−");
const area = (value: number) => value.toFixed(3);

/** The part of the pixels after which the score has come half the way from its start to its end value. */
export function halfWay({ curve: { x, y } }: Pick<Game, "curve">): number | null {
  const [first, last] = [y[0], y.at(-1)];
  if (first === undefined || last === undefined || Math.abs(first - last) < slight) return null;
  const half = (first + last) / 2;
  const place = y.findIndex((value) => (first > last ? value <= half : value >= half));
  return place < 0 ? null : (x[place] ?? null);
}

/** Whether the map tells more than chance, where both games were played. */
export function gameVerdict(
  kind: "deletion" | "insertion",
  label: string,
  map: Pick<Game, "curve" | "area">,
  random: Pick<Game, "curve" | "area"> | null,
): string {
  const half = halfWay(map);
  if (half === null) {
    return `The score of ${quoted(label)} hardly changes on the way, so nothing can be told from it.`;
  }
  const first =
    kind === "deletion"
      ? `${quoted(label)} has lost half of its score when ${percent(half)} of the pixels are gone, the most important first`
      : `${quoted(label)} has got half of its score back with ${percent(half)} of the pixels, the most important first`;
  if (!random) return `${first}.`;
  const chance = halfWay(random);
  const beside =
    chance === null
      ? "."
      : chance === half
        ? "; in random order it takes as many."
        : `; in random order it takes ${percent(chance)}.`;
  const areas = `(area ${area(map.area)}, at random ${area(random.area)})`;
  const gain = kind === "deletion" ? random.area - map.area : map.area - random.area;
  const verdict =
    gain > slight
      ? `So the map knows something: on the whole it does better than chance ${areas}.`
      : gain < -slight
        ? `So the map fails this test: on the whole chance does better ${areas}.`
        : `So by this test the map does no better than chance ${areas}.`;
  return `${first}${beside} ${verdict}`;
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
  names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;

/** Which explanations survived: those in which the network still finds the class that it gave before (class retrieval, RelEx). */
export function attackVerdict(
  before: ClassScore,
  after: ClassScore,
  explanations: readonly Survival[],
): string {
  const flipped = after.index !== before.index;
  const answer = flipped
    ? `The attack works: the network now says ${quoted(after.label)} (${percent(after.probability)}) instead of ${quoted(before.label)}.`
    : `The attack fails: the network still says ${quoted(before.label)} (${percent(after.probability)}). Try a stronger one.`;
  if (explanations.length === 0) return answer;
  const survived = explanations.filter(({ finds }) => finds.index === before.index);
  const lost = explanations.filter(({ finds }) => finds.index !== before.index);
  if (survived.length > 0) {
    const rest = lost.length > 0 ? `; ${listed(lost.map(({ title }) => title))} did not` : "";
    return (
      `${answer} ${listed(survived.map(({ title }) => title))} survived: in what ${survived.length === 1 ? "it marks" : "they mark"} ` +
      `of the attacked picture, the network still finds ${quoted(before.label)}${rest}.`
    );
  }
  const steadiest = [...explanations].sort((a, b) => b.rank - a.rank)[0];
  return (
    `${answer} No explanation survived: in what they mark of the attacked picture, the network no longer finds ${quoted(before.label)}.` +
    (steadiest && explanations.length > 1
      ? ` The map of ${steadiest.title} changed least (rank correlation ${share(steadiest.rank)}).`
      : "")
  );
}

/** Below the first, a map has changed; above the second it has not. */
export const changed = 0.3;
export const unchanged = 0.6;

/** Whether a method's map depends on what the network has learned, from its likeness to that of a network of random weights. */
export function edgesVerdict(title: string, likeness: number, edges: number | null): string {
  const alike = `rank correlation ${share(likeness)}`;
  const verdict =
    likeness < changed
      ? `${title} passes: without what the network has learned, its map is another one (${alike}).`
      : likeness > unchanged
        ? `${title} fails: its map is nearly the same when the network has learned nothing (${alike}). It shows the picture more than the network.`
        : `${title} passes in part: without what the network has learned, its map changes, but not altogether (${alike}).`;
  const drawn =
    edges === null
      ? ""
      : edges > unchanged
        ? " And it is much like a plain drawing of the picture’s edges."
        : edges < changed
          ? " It is no drawing of the picture’s edges either."
          : " It has something of a plain drawing of the picture’s edges.";
  return verdict + drawn;
}

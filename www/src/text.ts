// What is said of the words of a text: the largest of them, and how much each counts.

import { t } from "./strings/strings.js";
import { rankedWords, shareOf, type Explanation, type Part } from "adversight";
import { percent } from "./format.js";

export type Words = Pick<Explanation, "parts">;

/** Whether words speak for the answer and against it, and do not only count. */
export const hasSigns = ({ parts }: Words): boolean =>
  parts.some(({ score, special }) => !special && score < 0);

/** The values of an explanation one by one, to be compared with another's: of its words where it has such, else of its map. */
export function valuesOf({ parts, heatmap }: Pick<Explanation, "parts" | "heatmap">): ArrayLike<number> {
  // A package that knows of no parts gives none.
  return (parts as Part[] | undefined)?.length ? parts.map(({ score }) => score) : heatmap.data;
}

export interface Bar {
  part: Part;
  /** Of the longest bar, -1 to 1. */
  length: number;
  /** In words: "31%, for". */
  said: string;
}

/** The words that count most, as bars of one scale. */
export function bars(words: Words, count: number): Bar[] {
  const signs = hasSigns(words);
  const ranked = rankedWords(words, count).filter(({ score }) => score !== 0);
  const most = Math.abs(ranked[0]?.score ?? 1);
  return ranked.map((part) => {
    const side = signs ? (part.score > 0 ? ", for" : ", against") : "";
    return { part, length: part.score / most, said: `${percent(shareOf(words, part.score))}${side}` };
  });
}

/** What the network is given beside the words, in a sentence; "" where that is nothing. */
export function besideWords(words: Words): string {
  const special = words.parts.filter((part) => part.special);
  if (special.length === 0) return "";
  const names = [...new Set(special.map(({ name }) => name))];
  const all = words.parts.reduce((sum, { score }) => sum + Math.abs(score), 0);
  const own = special.reduce((sum, { score }) => sum + Math.abs(score), 0);
  const share = own > 0 ? t` ${percent(own / all)} of all that was found lies there.` : "";
  return t`The network also reads ${listed(names)}, which nobody has written.${share}`;
}

const listed = (names: string[]) =>
  names.length < 2 ? (names[0] ?? "") : t`${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;

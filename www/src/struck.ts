// A text with words struck out: what the network is given of it, and where its words stand in the text as it was written.

import type { Part } from "adversight";

/** From a place in the text to another, in units of UTF-16. */
export type Range = readonly [start: number, end: number];

/** A text as it was written, and the ranges of it that are struck out. */
export interface Written {
  text: string;
  struck: readonly Range[];
}

/** What goes with a word that is struck out: the space after it, or else before it, so that none stands twice. */
function cut(text: string, [start, end]: Range): Range {
  if (/\s/.test(text.charAt(end)) && (start === 0 || /\s/.test(text.charAt(start - 1))))
    return [start, end + 1];
  if (end === text.length && start > 0 && /\s/.test(text.charAt(start - 1))) return [start - 1, end];
  return [start, end];
}

/** The ranges that are left out, none over another. */
function cuts({ text, struck }: Written): Range[] {
  const found: [number, number][] = [];
  for (const range of [...struck].sort(([a], [b]) => a - b)) {
    const [start, end] = cut(text, range);
    const before = found.at(-1);
    if (before && start <= before[1]) before[1] = Math.max(before[1], end);
    else found.push([start, end]);
  }
  // Where the text now ends, no space is left over.
  const last = found.at(-1);
  if (last?.[1] === text.length && last[0] > 0 && /\s/.test(text.charAt(last[0] - 1))) last[0]--;
  return found;
}

/** The text without what is struck out. */
export function without(written: Written): string {
  let [rest, done] = ["", 0];
  for (const [start, end] of cuts(written)) {
    rest += written.text.slice(done, start);
    done = end;
  }
  return rest + written.text.slice(done);
}

/** Where a place of the text without what is struck out stands in the text as it was written; what ends at a gap ends before it. */
function placed(place: number, gaps: readonly Range[], ends: boolean): number {
  let at = place;
  for (const [start, end] of gaps) {
    if (ends ? at <= start : at < start) break;
    at += end - start;
  }
  return at;
}

/** The parts of an explanation of what is left, at their places in the text as it was written, and after them the words that are struck out. */
export function partsOfWritten(
  written: Written,
  parts: readonly Part[],
): { parts: Part[]; gone: Set<number> } {
  const gaps = cuts(written);
  const there = parts.map((part) =>
    part.special
      ? part
      : { ...part, start: placed(part.start, gaps, false), end: placed(part.end, gaps, true) },
  );
  const struck = written.struck.map(([start, end]) => ({
    name: written.text.slice(start, end),
    source: 0,
    start,
    end,
    bytes: null,
    low: null,
    high: null,
    score: 0,
    special: false,
    places: [],
  }));
  return {
    parts: [...there, ...struck],
    gone: new Set(struck.map((_, number) => there.length + number)),
  };
}

/** Strikes a range out, or brings it back where it is struck out. */
export function toggled({ text, struck }: Written, [start, end]: Range): Written {
  const others = struck.filter(([from, to]) => from !== start || to !== end);
  return { text, struck: others.length < struck.length ? others : [...struck, [start, end]] };
}

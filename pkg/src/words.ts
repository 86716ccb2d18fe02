// The view of a text: its words coloured by what they counted for, with the number said on hover and on focus.

import type { Explanation, Part } from "./wasm/adversight.js";

/** What is shown of an explanation. */
export type Written = Pick<Explanation, "parts" | "texts">;

export interface WordsOptions {
  /** The score that is shown at full strength; the largest one of the words where it is left out. For two views that are compared. */
  scale?: number | undefined;
  /** Red, green and blue of what speaks for the class and against it, 0 to 255. */
  colours?: { for: Colour; against: Colour } | undefined;
  /** Numbers of parts that are shown as taken out, as a game of deletion has them. */
  hidden?: ReadonlySet<number> | undefined;
  /** What the whole is called to those who do not see it ("Text, each word with its share"). */
  label?: string | undefined;
  /** What is said of a word on hover and on focus. */
  describe?: ((part: Part, share: number) => string) | undefined;
}

export type Colour = readonly [red: number, green: number, blue: number];

/** Apart for colour-blind readers, too, and both light enough for dark letters on them. */
const usual = { for: [230, 97, 1], against: [146, 118, 214] } as const;
/** The least and the most of the colour that lies over a word. */
const [faintest, strongest] = [0.08, 0.85];

/** A stretch of a text: a word with the number of its part, or what stands between words. */
export interface Stretch {
  text: string;
  part: number | null;
}

/** A text cut into its words and what stands between them. */
export function stretches({ parts, texts }: Written, source: number): Stretch[] {
  const text = texts[source] ?? "";
  const words = parts
    .map((part, number) => ({ part, number }))
    .filter(({ part }) => !part.special && part.source === source)
    .sort((a, b) => a.part.start - b.part.start);
  const found: Stretch[] = [];
  let done = 0;
  for (const { part, number } of words) {
    const start = Math.max(part.start, done); // a word that lies over another is not shown twice
    if (part.end <= start) continue;
    if (start > done) found.push({ text: text.slice(done, start), part: null });
    found.push({ text: text.slice(start, part.end), part: number });
    done = part.end;
  }
  if (done < text.length) found.push({ text: text.slice(done), part: null });
  return found;
}

/** The largest score of a word, its sign left aside. */
export function largestScore({ parts }: Pick<Written, "parts">): number {
  return parts.reduce((most, { special, score }) => (special ? most : Math.max(most, Math.abs(score))), 0);
}

/** The part of all that was found that a score is, 0 to 1. */
export function shareOf({ parts }: Pick<Written, "parts">, score: number): number {
  const all = parts.reduce((sum, part) => (part.special ? sum : sum + Math.abs(part.score)), 0);
  return all > 0 ? Math.abs(score) / all : 0;
}

/** The words by falling magnitude of their score, for a list or a waterfall; `count` of them at most. */
export function rankedWords({ parts }: Pick<Written, "parts">, count = Infinity): Part[] {
  return parts
    .filter(({ special }) => !special)
    .sort((a, b) => Math.abs(b.score) - Math.abs(a.score))
    .slice(0, count);
}

/** The colour of a score as CSS writes it; `scale` is the score that has it at full strength. */
export function wordColour(
  score: number,
  scale: number,
  colours: { for: Colour; against: Colour } = usual,
): string {
  const share = scale > 0 ? Math.min(Math.abs(score) / scale, 1) : 0;
  const [red, green, blue] = score < 0 ? colours.against : colours.for;
  const strength = share > 0 ? faintest + (strongest - faintest) * share : 0;
  return `rgb(${red} ${green} ${blue} / ${strength.toFixed(3)})`;
}

/**
 * Draws the texts of an explanation into an element, in place of what is there: each word coloured by what it counted for. Hover and
 * focus say the number; the arrow keys go from word to word, Home and End to the first and last.
 */
export function drawWords(element: HTMLElement, explanation: Written, options: WordsOptions = {}): void {
  const { parts, texts } = explanation;
  const scale = options.scale ?? largestScore(explanation);
  const signed = parts.some(({ score, special }) => !special && score < 0);
  const describe = options.describe ?? ((part, share) => described(part, share, signed));
  const words: HTMLElement[] = [];
  const list = document.createElement("div");
  list.setAttribute("role", "list");
  list.setAttribute("aria-label", options.label ?? "Text, each word with its share");
  for (const source of texts.keys()) {
    const paragraph = document.createElement("p");
    paragraph.setAttribute("role", "presentation");
    paragraph.dir = "auto";
    paragraph.style.setProperty("white-space", "pre-wrap");
    paragraph.style.setProperty("overflow-wrap", "anywhere");
    for (const { text, part: number } of stretches(explanation, source)) {
      const part = number === null ? undefined : parts[number];
      if (number === null || !part) {
        paragraph.append(text);
        continue;
      }
      const word = document.createElement("span");
      word.textContent = text;
      word.part.add("word");
      word.dataset.part = String(number);
      word.setAttribute("role", "listitem");
      word.tabIndex = words.length === 0 ? 0 : -1;
      const said = describe(part, shareOf(explanation, part.score));
      word.title = said;
      word.setAttribute("aria-label", said);
      const isHidden = options.hidden?.has(number) ?? false;
      word.style.setProperty(
        "background-color",
        isHidden ? "transparent" : wordColour(part.score, scale, options.colours),
      );
      if (isHidden) word.style.setProperty("opacity", "0.3");
      word.style.setProperty("border-radius", "0.2em");
      words.push(word);
      paragraph.append(word);
    }
    list.append(paragraph);
  }
  list.addEventListener("keydown", (event) => {
    move(event, words);
  });
  list.addEventListener("focusin", ({ target }) => {
    for (const word of words) word.tabIndex = word === target ? 0 : -1;
  });
  element.replaceChildren(list);
}

/** From word to word by the keys. */
function move(event: KeyboardEvent, words: HTMLElement[]): void {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const now = words.indexOf(event.target as HTMLElement);
  if (now < 0) return;
  const next = {
    ArrowLeft: now - 1,
    ArrowRight: now + 1,
    ArrowUp: now - 1,
    ArrowDown: now + 1,
    Home: 0,
    End: words.length - 1,
  }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  words[Math.min(Math.max(next, 0), words.length - 1)]?.focus();
}

function described({ name, score }: Part, share: number, signed: boolean): string {
  const percent = `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
  if (score === 0) return `${name}: counts for nothing`;
  const number = `${score > 0 && signed ? "+" : ""}${score.toPrecision(3)}`;
  if (!signed) return `${name}: ${percent} of what counts (${number})`;
  return `${name}: ${percent}, speaks ${score > 0 ? "for" : "against"} the answer (${number})`;
}

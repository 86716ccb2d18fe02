// What if? A word of the text is struck out by a click or by Enter, and comes back by another; the answer follows. Every change, what is
// typed too, is undone and redone.

import type { Classification } from "adversight";
import type { App } from "../app.js";
import { find } from "../dom.js";
import { percent } from "../format.js";
import type { Given } from "../state.js";
import { toggled, without, type Range, type Written } from "../struck.js";

type Text = Extract<Given, { kind: "text" }>;

export function mountWhatIf(app: App): void {
  const place = find("reading", HTMLElement);
  const undo = find("undo", HTMLButtonElement);
  const redo = find("redo", HTMLButtonElement);
  const note = find("what-if", HTMLElement);
  /** The texts that were given since the last example, and which of them is shown. */
  let history: Text[] = [];
  let now = -1;
  const answers = new WeakMap<Text, Classification>();

  app.store.watch(["given"], ({ given }) => {
    if (given?.kind !== "text") return;
    const known = history.indexOf(given);
    if (known >= 0) now = known;
    else if (given.example !== null || history.length === 0) [history, now] = [[given], 0];
    else {
      history = [...history.slice(0, now + 1), given].slice(-longest);
      now = history.length - 1;
    }
    undo.disabled = now <= 0;
    redo.disabled = now >= history.length - 1;
  });
  app.store.watch(["classification"], ({ given, classification }) => {
    if (given?.kind !== "text") return;
    if (classification) answers.set(given, classification);
    const [first] = history;
    const before = first && answers.get(first);
    const winner = before?.top[0];
    const after = classification?.top.find(({ index }) => index === winner?.index);
    note.textContent =
      first && first !== given && winner && after
        ? `“${winner.label}”: ${percent(after.probability)}, and ${percent(winner.probability)} as it was.`
        : "Click a word to strike it out.";
  });

  const strike = (word: HTMLElement) => {
    const { given, explanation } = app.state;
    const range = rangeOf(word);
    if (given?.kind !== "text" || typeof given.input !== "string" || !explanation || !range) return;
    const written: Written = given.written ?? { text: given.input, struck: [] };
    const next = toggled(written, range);
    const input = without(next);
    if (input.trim() === "") {
      note.textContent = "That is the last word: there would be nothing left to read.";
      return;
    }
    const isWhole = next.struck.length === 0;
    void app.chooseGiven({
      kind: "text",
      input,
      title: given.title,
      credit: isWhole ? given.credit : "with words struck out",
      example: null,
      ...(isWhole ? {} : { written: next }),
    });
  };
  place.addEventListener("click", ({ target }) => {
    if (target instanceof HTMLElement && target.dataset.part !== undefined && !getSelection()?.toString())
      strike(target);
  });
  place.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (!["Enter", " ", "Delete", "Backspace"].includes(key)) return;
    if (!(target instanceof HTMLElement) || target.dataset.part === undefined) return;
    event.preventDefault();
    strike(target);
  });
  const go = (step: number) => {
    const given = history[now + step];
    if (given) void app.chooseGiven(given);
  };
  undo.addEventListener("click", () => {
    go(-1);
  });
  redo.addEventListener("click", () => {
    go(1);
  });
}

/** So many changes are remembered. */
const longest = 100;

/** Where a word stands in the text as it was written. */
function rangeOf({ dataset }: HTMLElement): Range | null {
  const [start, end] = [Number(dataset.start ?? NaN), Number(dataset.end ?? NaN)];
  return end > start ? [start, end] : null;
}

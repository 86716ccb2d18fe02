// A text: its words coloured by what they count for, the largest of them as bars, and the field in which it is written.

import { t } from "../strings/strings.js";
import { drawWords, wordColour, type Colour, type Explanation } from "adversight";
import type { App } from "../app.js";
import { find, make } from "../dom.js";
import type { State } from "../state.js";
import { partsOfWritten } from "../struck.js";
import { bars, besideWords, hasSigns } from "../text.js";

/** How long nobody types before the network is asked, in milliseconds. */
const pause = 500;
/** So many words are ranked. */
const places = 8;

export function mountText(app: App): void {
  mountReading(app, "reading", ({ explanation }) => explanation);
  mountReading(app, "reading-beside", ({ second }) => second?.explanation ?? null);
  mountLegend(app);
  mountRanking(app);
  mountField(app);
}

/** The texts at hand; none where something else was given. */
function textsOf({ given, explanation }: State): string[] {
  if (given?.kind === "text") return typeof given.input === "string" ? [given.input] : [...given.input];
  return given?.kind === "file" ? (explanation?.texts ?? []) : [];
}

function mountReading(app: App, id: string, read: (state: State) => Explanation | null): void {
  const place = find(id, HTMLElement);
  app.store.watch(["given", "explanation", "second", "dark"], (state) => {
    const { given } = state;
    const explanation = read(state);
    const focused = place.contains(document.activeElement) ? wordAt(document.activeElement) : null;
    place.classList.toggle("bytes", given?.kind === "file");
    const written = given?.kind === "text" ? given.written : undefined;
    // What is struck out stands there still, and can be brought back.
    const texts = written ? [written.text] : textsOf(state);
    const { parts, gone } = written
      ? partsOfWritten(written, explanation?.parts ?? [])
      : { parts: explanation?.parts ?? [], gone: undefined };
    if (texts.length === 0) place.replaceChildren();
    else drawWords(place, { texts, parts }, { colours: colours(state), hidden: gone });
    for (const word of place.querySelectorAll<HTMLElement>("[data-part]")) {
      const number = Number(word.dataset.part);
      const part = parts[number];
      if (!part) continue;
      word.dataset.start = String(part.start);
      word.dataset.end = String(part.end);
      if (!gone?.has(number)) continue;
      word.classList.add("struck");
      word.title = t`${part.name}: struck out`;
      word.setAttribute("aria-label", word.title);
    }
    if (focused !== null) place.querySelector<HTMLElement>(`[data-start="${focused}"]`)?.focus();
  });
}

const wordAt = (element: Element | null) =>
  element instanceof HTMLElement ? (element.dataset.start ?? null) : null;

/** What speaks for the answer, and against it: apart for colour-blind readers, and with 4.5 : 1 under the letters of the theme. */
const palettes: Record<"light" | "dark", { for: Colour; against: Colour }> = {
  light: { for: [230, 97, 1], against: [146, 118, 214] },
  dark: { for: [196, 84, 0], against: [126, 96, 224] },
};

export const colours = ({ dark }: Pick<State, "dark">) => palettes[dark ? "dark" : "light"];

/** What the colours mean. */
function mountLegend(app: App): void {
  const legend = find("legend-words", HTMLElement);
  app.store.watch(["explanation", "dark"], ({ explanation, dark }) => {
    legend.classList.toggle("off", !explanation);
    if (!explanation) return;
    const signs = hasSigns(explanation);
    const steps = (signs ? [-1, -0.6, -0.2, 0.2, 0.6, 1] : [0.1, 0.4, 0.7, 1]).map((score) => {
      const step = make("span", { class: "step", attributes: { "aria-hidden": "true" } });
      step.style.setProperty("background-color", wordColour(score, 1, colours({ dark })));
      return step;
    });
    const { label } = explanation.info.target;
    legend.replaceChildren(
      make("span", { text: signs ? t`against “${label}”` : t`little` }),
      make("span", { class: "steps" }, ...steps),
      make("span", { text: signs ? t`for “${label}”` : t`much` }),
    );
  });
}

function mountRanking(app: App): void {
  const list = find("ranked", HTMLOListElement);
  const note = find("ranked-note", HTMLElement);
  const title = find("ranked-title", HTMLElement);
  app.store.watch(["explanation", "dark"], ({ explanation, dark }) => {
    if (!explanation) return; // those before stay until there are others, so that nothing jumps
    const found = bars(explanation, places);
    title.textContent = t`What counted most for “${explanation.info.target.label}”`;
    list.classList.toggle("sides", hasSigns(explanation));
    list.replaceChildren(
      ...found.map(({ part, length, said }) => {
        const bar = make("span", { class: "track", attributes: { "aria-hidden": "true" } });
        bar.style.setProperty("--length", String(Math.abs(length)));
        bar.style.setProperty("--colour", wordColour(part.score, Math.abs(part.score), colours({ dark })));
        bar.classList.toggle("against", length < 0);
        return make(
          "li",
          { testid: "ranked-word" },
          make("span", { class: "label", text: part.name, attributes: { dir: "auto" } }),
          bar,
          make("span", { class: "share", text: said }),
        );
      }),
    );
    note.textContent = besideWords(explanation);
  });
}

/** The field: what is typed is asked after a short pause. What was chosen elsewhere is written into it. */
function mountField(app: App): void {
  const field = find("text", HTMLTextAreaElement);
  const note = find("text-note", HTMLElement);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ask = () => {
    clearTimeout(timer);
    const { given } = app.state;
    const text = field.value;
    if (given?.kind !== "text" || text === given.input) return;
    if (text.trim() === "") {
      note.textContent = t`Write a word or a sentence: there is nothing to read yet.`;
      return;
    }
    void app.chooseText(text);
  };
  field.addEventListener("input", () => {
    note.textContent = "";
    clearTimeout(timer);
    timer = setTimeout(ask, pause);
  });
  field.addEventListener("change", ask);
  app.store.watch(["given"], ({ given }) => {
    if (given?.kind !== "text" || typeof given.input !== "string") return;
    note.textContent = "";
    // What the user has typed since stays.
    if (document.activeElement !== field && field.value !== given.input) field.value = given.input;
  });
}

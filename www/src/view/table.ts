// A row of a table: what each column counts for, and what if a column were another. And a series: its lines with the map beneath.

import {
  drawColumns,
  drawSeries,
  type Classification,
  type Explanation,
  type TableColumn,
  type TableView,
} from "adversight";
import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { percent } from "../format.js";
import { t } from "../strings/strings.js";
import type { State, Table } from "../state.js";
import { colours } from "./text.js";

export function mountTable(app: App): void {
  mountColumns(app, "columns", "explanation", ({ explanation }) => explanation);
  mountColumns(app, "columns-beside", "second", ({ second }) => second?.explanation ?? null);
  mountSeries(app, "series", "explanation", ({ explanation }) => explanation);
  mountSeries(app, "series-beside", "second", ({ second }) => second?.explanation ?? null);
  mountPull(app);
}

type Read = (state: State) => Explanation | null;

function mountColumns(app: App, id: string, key: keyof State, read: Read): void {
  const place = find(id, HTMLElement);
  app.store.watch(["given", key, "firstLook", "dark"], (state) => {
    const { given, firstLook } = state;
    if (given?.kind !== "table") {
      place.replaceChildren();
      return;
    }
    const explanation = read(state);
    // While a slider is pulled, the bars before stay until there are others of the same method.
    if (!explanation?.table || (firstLook && place.childElementCount > 0 && given.example === null)) return;
    const focused = place.contains(document.activeElement) ? columnAt(document.activeElement) : null;
    const drawn = make("div");
    drawColumns(drawn, explanation, { colours: colours(state) });
    place.replaceChildren(...drawn.children, make("p", { class: "hint", text: meaning(explanation) }));
    const again = [...place.querySelectorAll<HTMLElement>("[data-column]")];
    again.find(({ dataset }) => dataset.column === focused)?.focus();
  });
}

const columnAt = (element: Element | null) =>
  element instanceof HTMLElement ? (element.dataset.column ?? null) : null;

/** What the bars mean, in a sentence. */
function meaning({ info, parts }: Explanation): string {
  const { label } = info.target;
  if (!parts.some(({ score }) => score < 0))
    return t`The longer a bar, the more its column counts for “${label}”.`;
  const sides = t`To the right: speaks for “${label}”; to the left: against it.`;
  return info.completenessGap === null || info.baseline === null
    ? sides
    : t`${sides} Each bar starts where the one above ends: together they are what sets this row apart from the background.`;
}

function mountSeries(app: App, id: string, key: keyof State, read: Read): void {
  const place = find(id, HTMLElement);
  app.store.watch(["given", key, "dark"], (state) => {
    if (state.given?.kind !== "series") {
      place.replaceChildren();
      return;
    }
    const explanation = read(state);
    if (!explanation?.series) return;
    drawSeries(place, explanation.series, {
      colours: colours(state),
      label: t`${state.given.title}, with what each row counts for “${explanation.info.target.label}”`,
    });
  });
}

/** What if? A field for each column; the answer and the bars follow. */
function mountPull(app: App): void {
  const fields = find("pull-columns", HTMLElement);
  const note = find("pull-note", HTMLElement);
  const row = find("pull-row", HTMLInputElement);
  const reset = find("pull-reset", HTMLButtonElement);
  /** The row as the table has it, and what was said of it. */
  let base: { table: string; row: number; view: TableView; answer: Classification | null } | null = null;
  const shown = new Map<string, (value: string) => void>();

  const tableOf = ({ given }: Pick<State, "given">): Table | null => (given?.kind === "table" ? given : null);
  const change = (name: string, value: string) => {
    const given = tableOf(app.state);
    if (!given) return;
    const changes = { ...given.input.changes, [name]: value };
    const column = base?.view.columns.find((known) => known.name === name);
    if (column?.value === value) Reflect.deleteProperty(changes, name);
    const isWhole = Object.keys(changes).length === 0;
    void app.chooseGiven({
      ...given,
      input: { ...given.input, changes },
      credit: isWhole ? given.credit : t`with columns changed`,
      example: null,
    });
  };
  reset.addEventListener("click", () => {
    const given = tableOf(app.state);
    if (given) void app.chooseGiven({ ...given, input: { ...given.input, changes: {} } });
  });
  row.addEventListener("change", () => {
    const given = tableOf(app.state);
    const number = row.valueAsNumber;
    if (!given || !Number.isInteger(number) || number < 0) return;
    const title = t`Row ${number}`;
    void app.chooseGiven({
      ...given,
      title,
      input: { ...given.input, row: number, changes: {} },
      example: null,
    });
  });

  app.store.watch(["explanation"], (state) => {
    const given = tableOf(state);
    const view = state.explanation?.table;
    if (!given || !view) return;
    const changes = given.input.changes ?? {};
    const isBase = Object.keys(changes).length === 0;
    reset.disabled = isBase;
    row.value = String(view.row);
    if (base?.table !== given.input.table || base.row !== view.row) {
      // What was changed before the first answer is not known to be so.
      base = { table: given.input.table, row: view.row, view, answer: null };
      shown.clear();
      fields.replaceChildren(...view.columns.map((column) => field(column, change, shown)));
    }
    if (isBase) base.view = view;
    for (const { name, value } of view.columns) shown.get(name)?.(value);
  });
  app.store.watch(["explanation", "classification"], ({ given, classification, explanation }) => {
    if (given?.kind !== "table" || !classification || !explanation?.table) return;
    const changed = Object.keys(given.input.changes ?? {}).length > 0;
    if (base && !changed) base.answer = classification;
    const winner = base?.answer?.top[0];
    const after = classification.top.find(({ index }) => index === winner?.index);
    note.textContent =
      changed && winner && after
        ? t`“${winner.label}”: ${percent(after.probability)}, and ${percent(winner.probability)} as it was.`
        : t`Pull a column: the answer and the bars follow.`;
  });
}

/** The field of one column: a slider with a number beside it, or a list of its categories. */
function field(
  { name, value, low, high, whole, categories }: TableColumn,
  change: (name: string, value: string) => void,
  shown: Map<string, (value: string) => void>,
): HTMLElement {
  if (categories.length > 0) {
    const select = make("select", { testid: "pull-choice", attributes: { "data-column": name } });
    select.append(...categories.map((category) => make("option", { text: category })));
    select.addEventListener("change", () => {
      change(name, select.value);
    });
    shown.set(name, (next) => {
      if (document.activeElement !== select) select.value = next;
    });
    select.value = value;
    return make("label", { class: "pull-column" }, make("span", { text: name }), select);
  }
  const [least, most] = [low ?? 0, high ?? 1];
  const step = whole ? 1 : stepOf(least, most);
  const range = { min: String(least), max: String(most), step: String(step) };
  const slider = make("input", {
    testid: "pull-slider",
    attributes: { type: "range", ...range, "aria-label": name, "data-column": name },
  });
  const number = make("input", {
    testid: "pull-number",
    attributes: { type: "number", step: "any", "aria-label": `${name}, as a number`, "data-column": name },
  });
  slider.addEventListener("input", () => {
    number.value = slider.value;
    change(name, slider.value);
  });
  number.addEventListener("change", () => {
    if (Number.isFinite(number.valueAsNumber)) change(name, number.value);
  });
  const show = (next: string) => {
    // A slider rounds to its steps; what is being pulled stays where the hand is.
    if (document.activeElement !== slider) slider.value = String(Number(next.replace(",", ".")));
    if (document.activeElement !== number && document.activeElement !== slider)
      number.value = next.replace(",", ".");
  };
  shown.set(name, show);
  show(value);
  return make(
    "div",
    { class: "pull-column" },
    make("span", { text: name, attributes: { "aria-hidden": "true" } }),
    slider,
    number,
  );
}

/** A step of a slider: a two-hundredth of its way, as a round number. */
function stepOf(low: number, high: number): number {
  const size = high > low ? (high - low) / 200 : 0.01;
  return Number(`1e${Math.floor(Math.log10(size))}`);
}

// How explanations of tables are shown: the columns of a row as bars, or as a waterfall where they add up, and a series as lines with its map
// beneath. The page and the element draw with the same code.

import { wordColour, type Colour } from "./words.js";
import type { Explanation, Part, SeriesView } from "./wasm/adversight.js";

export interface ColumnsOptions {
  /** So many columns are shown by themselves, the largest; the others as one (12). */
  count?: number;
  /** The colours of what speaks for and against the answer. */
  colours?: { for: Colour; against: Colour } | undefined;
  /** What the list is called for those who do not see it. */
  label?: string;
}

/** A column, or all that are not shown by themselves. */
export interface ColumnBar {
  name: string;
  /** The cell. */
  value: string | null;
  score: number;
  /** Where its bar starts and ends, from 0 to 1 of the width. */
  from: number;
  to: number;
  /** What is said of it. */
  said: string;
}

type Explained = Pick<Explanation, "parts" | "info">;

/** The bars of a row: the largest columns first; a waterfall, each starting where the one before ends, where the method's parts add up. */
export function columnBars(
  { parts, info }: Explained,
  count = 12,
): { bars: ColumnBar[]; zero: number; falls: boolean } {
  const order = parts.filter(({ special }) => !special).sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
  // A single one is not worth a name of its own.
  const most = order.length === count + 1 ? count + 1 : count;
  const rest = order.slice(most);
  const shown: Pick<Part, "name" | "value" | "score">[] = order.slice(0, most);
  if (rest.length > 0) {
    shown.push({ name: `${rest.length} more`, score: rest.reduce((sum, { score }) => sum + score, 0) });
  }
  const falls = info.completenessGap !== null;
  const signed = order.some(({ score }) => score < 0);
  const total = order.reduce((sum, { score }) => sum + Math.abs(score), 0);
  let at = 0;
  const ends = shown.map(({ score }) => {
    const from = falls ? at : 0;
    at = from + score;
    return [from, at] as const;
  });
  const low = Math.min(0, ...ends.flat());
  const high = Math.max(0, ...ends.flat());
  const place = (value: number) => (high > low ? (value - low) / (high - low) : 0);
  const bars = shown.map(({ name, value, score }, number) => {
    const [from, to] = ends[number] ?? [0, 0];
    const percent = total > 0 ? Math.round((100 * Math.abs(score)) / total) : 0;
    const side = !signed ? "of what counts" : score < 0 ? "against the answer" : "for the answer";
    const told = score === 0 ? "counts for nothing" : `${figure(score, signed)}, ${percent}% ${side}`;
    const said = `${name}${value === undefined ? "" : ` ${value}`}: ${told}`;
    return { name, value: value ?? null, score, from: place(from), to: place(to), said };
  });
  return { bars, zero: place(0), falls };
}

const figure = (score: number, signed: boolean) => `${score > 0 && signed ? "+" : ""}${score.toPrecision(3)}`;

/**
 * Draws the columns of an explained row into an element, in place of what is there. Hover and focus say the number; the arrow keys go from
 * column to column, Home and End to the first and last.
 */
export function drawColumns(
  element: HTMLElement,
  explanation: Explained,
  options: ColumnsOptions = {},
): void {
  const { bars, zero, falls } = columnBars(explanation, options.count);
  const signed = bars.some(({ score }) => score < 0);
  const list = document.createElement("div");
  list.setAttribute("role", "list");
  list.setAttribute("aria-label", options.label ?? "Columns, the largest first");
  list.part.add("columns");
  const rows = bars.map(({ name, value, score, from, to, said }, number) => {
    const row = document.createElement("div");
    row.part.add("column");
    row.dataset.column = name;
    row.setAttribute("role", "listitem");
    row.tabIndex = number === 0 ? 0 : -1;
    row.title = said;
    row.setAttribute("aria-label", said);
    lay(row, {
      display: "grid",
      "grid-template-columns": "minmax(6rem, 42%) 1fr 4rem",
      gap: "0.5rem",
      "align-items": "center",
      "min-height": "1.75rem",
    });
    const label = document.createElement("span");
    label.append(name);
    lay(label, { "text-align": "end", "overflow-wrap": "anywhere" });
    if (value !== null) {
      const cell = document.createElement("strong");
      cell.textContent = ` = ${value}`;
      cell.part.add("cell");
      label.append(cell);
    }
    const track = document.createElement("span");
    lay(track, { position: "relative", "align-self": "stretch", "min-height": "1.25rem" });
    const line = document.createElement("span");
    lay(line, {
      position: "absolute",
      "inset-block": "0",
      left: `${100 * zero}%`,
      "border-left": "1px solid currentColor",
      opacity: "0.4",
    });
    const bar = document.createElement("span");
    bar.part.add("bar");
    lay(bar, {
      position: "absolute",
      "inset-block": "0.25rem",
      left: `${100 * Math.min(from, to)}%`,
      width: `max(2px, ${100 * Math.abs(to - from)}%)`,
      "background-color": wordColour(score, Math.abs(score), options.colours),
      "forced-color-adjust": "none",
    });
    track.append(line, bar);
    const share = document.createElement("span");
    share.textContent = figure(score, signed);
    lay(share, { "font-variant-numeric": "tabular-nums" });
    row.append(label, track, share);
    return row;
  });
  list.dataset.falls = String(falls);
  list.append(...rows);
  list.addEventListener("keydown", (event) => {
    const now = rows.indexOf(event.target as HTMLDivElement);
    const next = stepped(event, now, rows.length);
    if (now < 0 || next === null) return;
    event.preventDefault();
    rows[next]?.focus();
  });
  list.addEventListener("focusin", ({ target }) => {
    for (const row of rows) row.tabIndex = row === target ? 0 : -1;
  });
  element.replaceChildren(list);
}

/** Where the keys lead from a place among so many, or null for another key. */
function stepped(
  { key, altKey, ctrlKey, metaKey }: KeyboardEvent,
  now: number,
  count: number,
): number | null {
  if (altKey || ctrlKey || metaKey) return null;
  const steps: Record<string, number> = {
    ArrowLeft: now - 1,
    ArrowRight: now + 1,
    ArrowUp: now - 1,
    ArrowDown: now + 1,
    PageUp: now - 10,
    PageDown: now + 10,
    Home: 0,
    End: count - 1,
  };
  const next = steps[key];
  return next === undefined ? null : Math.min(Math.max(next, 0), count - 1);
}

function lay(element: HTMLElement, styles: Record<string, string>): void {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, value);
}

export interface SeriesOptions {
  colours?: { for: Colour; against: Colour } | undefined;
  /** What the drawing is called for those who do not see it. */
  label?: string;
}

/** The cells of a map, of which a long series has several rows each: the value of the largest magnitude of each. */
export function binned(values: readonly number[], most = 240): number[] {
  const count = Math.min(values.length, most);
  return Array.from({ length: count }, (_, cell) => {
    const own = values.slice(
      Math.floor((cell * values.length) / count),
      Math.floor(((cell + 1) * values.length) / count),
    );
    return own.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  });
}

/** What is said of a row of a series. */
export function rowSaid({ channels, row, values, map }: SeriesView, at: number): string {
  const shared = map.length !== channels.length;
  const number = (value: number | undefined) => (value ?? 0).toPrecision(3);
  const told = channels.map((name, channel) => {
    const value = `${name} ${number(values[channel]?.[at])}`;
    return shared ? value : `${value} (counts ${number(map[channel]?.[at])})`;
  });
  return `Row ${row + at}: ${told.join(", ")}${shared ? `; counts ${number(map[0]?.[at])}` : ""}`;
}

const svgSpace = "http://www.w3.org/2000/svg";

function svg(name: string, attributes: Record<string, string>): SVGElement {
  const made = document.createElementNS(svgSpace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/**
 * Draws an explained series into an element, in place of what is there: a line for each channel with its map beneath, and under the pointer
 * or the arrow keys a cursor that says a row's values.
 */
export function drawSeries(element: HTMLElement, series: SeriesView, options: SeriesOptions = {}): void {
  const { channels, row, values, map } = series;
  const length = Math.max(1, values[0]?.length ?? 1);
  const scale = map.flat().reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const frame = document.createElement("div");
  frame.part.add("series");
  lay(frame, { position: "relative", "touch-action": "pan-y" });
  frame.tabIndex = 0;
  frame.setAttribute("role", "slider");
  frame.setAttribute("aria-label", options.label ?? "Series, with what each row counts for");
  frame.setAttribute("aria-valuemin", String(row));
  frame.setAttribute("aria-valuemax", String(row + length - 1));

  const strip = (cells: readonly number[]) => {
    const found = binned(cells);
    const drawing = svg("svg", {
      viewBox: `0 0 ${found.length} 1`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
      "data-map": "",
    });
    drawing.style.cssText = "display:block;inline-size:100%;block-size:1.1rem;forced-color-adjust:none";
    found.forEach((value, cell) => {
      drawing.append(
        svg("rect", {
          x: String(cell),
          y: "0",
          width: "1.05",
          height: "1",
          fill: wordColour(value, scale, options.colours),
        }),
      );
    });
    return drawing;
  };
  channels.forEach((name, channel) => {
    const own = values[channel] ?? [];
    const [low, high] = own.reduce<[number, number]>(
      ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
      [Infinity, -Infinity],
    );
    const span = high > low ? high - low : 1;
    const line = svg("svg", {
      viewBox: `0 0 ${length} 100`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    line.style.cssText = "display:block;inline-size:100%;block-size:5rem;overflow:visible";
    const points = own
      .map((value, at) => `${at + 0.5},${(96 - (92 * (value - low)) / span).toFixed(2)}`)
      .join(" ");
    line.append(
      svg("polyline", {
        points,
        fill: "none",
        stroke: "currentColor",
        "stroke-width": "1.5",
        "vector-effect": "non-scaling-stroke",
      }),
    );
    const title = document.createElement("p");
    title.textContent = `${name} `;
    lay(title, { margin: "0.4rem 0 0", "font-size": "0.9em" });
    const range = document.createElement("small");
    range.textContent = `${low.toPrecision(3)} to ${high.toPrecision(3)}`;
    title.append(range);
    frame.append(title, line);
    const mapped = map.length === channels.length ? map[channel] : undefined;
    if (mapped) frame.append(strip(mapped));
  });
  const [all] = map;
  if (map.length !== channels.length && all) frame.append(strip(all));

  const cursor = document.createElement("span");
  lay(cursor, {
    position: "absolute",
    "inset-block": "0",
    "border-left": "2px solid currentColor",
    "pointer-events": "none",
    display: "none",
  });
  frame.append(cursor);
  const read = document.createElement("output");
  read.part.add("read");
  lay(read, { display: "block", "min-height": "3em", "font-size": "0.9em" });
  let now = map.flat().length > 0 ? largest(map) : 0;
  const show = (at: number, seen: boolean) => {
    now = Math.min(Math.max(at, 0), length - 1);
    const said = rowSaid(series, now);
    cursor.style.setProperty("left", `${(100 * (now + 0.5)) / length}%`);
    cursor.style.setProperty("display", seen ? "block" : "none");
    read.textContent = said;
    frame.setAttribute("aria-valuenow", String(row + now));
    frame.setAttribute("aria-valuetext", said);
  };
  frame.addEventListener("keydown", (event) => {
    const next = stepped(event, now, length);
    if (next === null) return;
    event.preventDefault();
    show(next, true);
  });
  frame.addEventListener("focus", () => {
    show(now, true);
  });
  frame.addEventListener("pointermove", ({ clientX }) => {
    const { left, width } = frame.getBoundingClientRect();
    show(Math.floor(((clientX - left) / Math.max(1, width)) * length), true);
  });
  show(now, false);
  element.replaceChildren(frame, read);
}

/** The row that counts most. */
function largest(map: readonly (readonly number[])[]): number {
  let [best, at] = [-1, 0];
  for (const values of map) {
    values.forEach((value, number) => {
      if (Math.abs(value) > best) [best, at] = [Math.abs(value), number];
    });
  }
  return at;
}

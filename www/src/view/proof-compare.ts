// "Compare the evidence": methods and metrics to choose, and the table, in which the best value of each column is marked.

import { t } from "../strings/strings.js";
import type { MetricDescription } from "adversight";
import { make, save } from "../dom.js";
import { decimals, figure, roughly, seconds } from "../format.js";
import type { Bench } from "../proof/bench.js";
import type { Compare, CompareState } from "../proof/compare.js";
import { bestRows, cited, measurable, suitedMethods, toCsv, type Row } from "../proof/evidence.js";
import { starter, tickList } from "./proof.js";

const arrows: Record<MetricDescription["better"], { sign: string; words: string }> = {
  higher: { sign: "↑", words: t`higher is better` },
  lower: { sign: "↓", words: t`lower is better` },
  neither: { sign: "", words: t`it only describes` },
};

export function mountCompare(bench: Bench, compare: Compare): HTMLElement {
  const { app } = bench;
  const methods = tickList(
    "compare-methods",
    (count) => t`Methods: ${count}`,
    (chosen) => {
      compare.chooseMethods(chosen);
    },
  );
  const metrics = tickList(
    "compare-metrics",
    (count) => t`Metrics: ${count}`,
    (chosen) => {
      compare.chooseMetrics(chosen);
    },
  );
  const start = starter(bench, "compare", t`Measure`, () => void compare.start());
  const place = make("div", {
    class: "table-place",
    attributes: { role: "region", tabindex: "0", "aria-label": t`Metrics by method` },
  });
  const legend = make("p", { class: "hint" });
  const csv = make("button", {
    class: "quiet",
    text: t`Table (.csv)`,
    testid: "compare-csv",
    attributes: { type: "button" },
    onclick: () => {
      save(
        new Blob([toCsv(compare.state.rows, compare.state.columns)], { type: "text/csv" }),
        "evidence.csv",
      );
    },
  });
  const found = make("div", { class: "found" }, place, legend, csv);
  const element = make(
    "div",
    { testid: "compare-panel", class: "proof-part" },
    make("p", {
      class: "lead",
      text: t`How do the methods stand beside each other, on this answer? Each with the settings that it has on this page.`,
    }),
    make("div", { class: "proof-controls lists" }, methods.element, metrics.element),
    start.element,
    found,
  );

  const choices = () => {
    const { methods: known, model, params, engine } = app.state;
    const suited = suitedMethods(known, model?.info, params).map(({ method, passes }) => {
      const { milliseconds } = bench.costOf(method);
      return {
        value: method.name,
        label: method.title,
        note: milliseconds === null ? t`${passes} passes` : roughly(milliseconds),
      };
    });
    methods.show(suited, compare.methods());
    const listed = (engine?.metrics() ?? []).filter((metric) =>
      measurable(metric, app.state.given?.kind === "image"),
    );
    metrics.show(
      listed.map(({ name, title, better, paper }) => ({
        value: name,
        label: `${title} ${arrows[better].sign}`.trim(),
        note: cited(paper),
      })),
      compare.state.metrics,
    );
    start.setCost(bench.state.subject && compare.cost());
  };
  // The lists are long: they are made when they can be seen.
  const update = () => {
    if (bench.state.open === "compare") choices();
  };
  bench.store.watch(["open", "subject", "speed", "ready"], update);
  app.store.watch(["methods", "model", "params", "speed", "engine", "given"], update);
  compare.store.watch(["methods", "metrics"], update);

  compare.store.watch(["rows", "columns"], (state) => {
    found.hidden = state.rows.length === 0;
    if (found.hidden) return;
    const known = app.state.engine?.metrics() ?? [];
    const columns = state.columns.flatMap((name) => known.filter((metric) => metric.name === name));
    place.replaceChildren(table(state, columns, bench.state.subject?.target.label ?? ""));
    legend.textContent =
      t`★ marks the best of a column. Insertion and deletion are areas under the curves of “Prove it”; class retrieval is 1 where the ` +
      t`network finds the class in what the map leaves. Where a random map does better than a method, the metric tells little about it.`;
  });
  return element;
}

function table({ rows }: CompareState, columns: MetricDescription[], label: string): HTMLTableElement {
  const best = new Map(columns.map((metric) => [metric.name, new Set(bestRows(rows, metric))]));
  const head = make(
    "tr",
    {},
    make("th", { text: t`Method`, attributes: { scope: "col" } }),
    ...columns.map(({ title, better, summary }) =>
      make(
        "th",
        { attributes: { scope: "col", title: summary } },
        title,
        make("span", { text: ` ${arrows[better].sign}`, attributes: { "aria-hidden": "true" } }),
        make("span", { class: "hidden", text: `, ${arrows[better].words}` }),
      ),
    ),
    make("th", { text: t`Time`, attributes: { scope: "col" } }),
  );
  return make(
    "table",
    { testid: "compare-table" },
    make("caption", { class: "hidden", text: t`How good the explanations of “${label}” are` }),
    make("thead", {}, head),
    make("tbody", {}, ...rows.map((row) => bodyRow(row, columns, best))),
  );
}

function bodyRow(row: Row, columns: MetricDescription[], best: Map<string, Set<Row>>): HTMLTableRowElement {
  const cells = columns.map(({ name }) => {
    const cell = row.cells[name];
    const attributes = { "data-metric": name };
    if (row.reason !== null)
      return make("td", { text: "–", attributes: { ...attributes, title: row.reason } });
    if (!cell) return make("td", { class: "open", text: "…", attributes });
    if ("reason" in cell) return make("td", { text: "–", attributes: { ...attributes, title: cell.reason } });
    const winner = best.get(name)?.has(row) ?? false;
    const value = make("td", { class: winner ? "best" : "", text: figureText(cell.value), attributes });
    if (winner) {
      value.append(
        make("span", { class: "star", text: " ★", attributes: { "aria-hidden": "true" } }),
        make("span", { class: "hidden", text: t` the best` }),
      );
    }
    return value;
  });
  return make(
    "tr",
    { class: row.method === null ? "chance" : "", attributes: { "data-method": row.method ?? "random" } },
    make(
      "th",
      { attributes: { scope: "row" } },
      row.title,
      ...(row.reason === null ? [] : [make("small", { text: row.reason })]),
    ),
    ...cells,
    make("td", { text: row.milliseconds === null ? "" : seconds(row.milliseconds) }),
  );
}

const figureText = (value: number): string =>
  (Math.abs(value) < 10 && Math.abs(value) >= 0.001 ? decimals(value, 3) : figure(value)).replace("-", "−");

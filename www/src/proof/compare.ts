// "Compare the evidence": a table of metrics, one row for each method.

import { t } from "../strings/strings.js";
import { AdversightError, anyName, type Explanation, type TensorData } from "adversight";
import { capitalised, midSentence } from "../format.js";
import { kinds } from "../kinds.js";
import { Store } from "../state.js";
import { sameAnswer, type Bench, type Run, type Subject } from "./bench.js";
import {
  cheapMethods,
  isCurve,
  measurable,
  metricPasses,
  startingMethods,
  startingMetrics,
  type Cell,
  type Row,
} from "./evidence.js";
import type { Prove } from "./prove.js";

export interface CompareState {
  /** The methods to compare; null for those to start with. */
  methods: string[] | null;
  metrics: string[];
  rows: Row[];
  /** The columns of `rows`. */
  columns: string[];
}

const rowsToStart = 4;
/** Errors that concern one method or one metric, and leave the others. */
const local = ["method_unsuited", "metric_unsuited", "parameter_invalid", "model_invalid", "model_malformed"];

export class Compare {
  readonly store = new Store<CompareState>({
    methods: null,
    metrics: startingMetrics,
    rows: [],
    columns: [],
  });
  readonly #bench: Bench;
  readonly #prove: Prove;
  #subject: Subject | null = null;

  constructor(bench: Bench, prove: Prove) {
    this.#bench = bench;
    this.#prove = prove;
    bench.store.watch(["subject"], ({ subject }) => {
      if (!subject || sameAnswer(this.#subject, subject)) return;
      this.#subject = subject;
      this.store.set({ rows: [], columns: [] });
    });
    bench.app.store.watch(["given"], () => {
      this.store.set({ rows: [], columns: [] });
    });
    bench.app.store.watch(["model"], () => {
      this.store.set({ rows: [], columns: [], methods: null });
    });
  }

  get state(): Readonly<CompareState> {
    return this.store.state;
  }

  /** The methods that are compared, as they stand. */
  methods(): string[] {
    const { methods, method, beside, model } = this.#bench.app.state;
    const chosen =
      this.state.methods ??
      startingMethods(beside === null ? [method] : [method, beside], cheapMethods, model?.info, rowsToStart);
    return methods.map(({ name }) => name).filter((name) => chosen.includes(name));
  }

  chooseMethods(methods: string[]): void {
    this.store.set({ methods });
  }

  chooseMetrics(metrics: string[]): void {
    this.store.set({ metrics });
  }

  /** The passes and, where the pace is known, the milliseconds that the table takes. */
  cost(): { passes: number; milliseconds: number | null } {
    const { subject } = this.#bench.state;
    const { engine, methods } = this.#bench.app.state;
    if (!subject || !engine) return { passes: 0, milliseconds: null };
    const metrics = engine.metrics().filter(({ name }) => this.state.metrics.includes(name));
    let [passes, milliseconds]: [number, number | null] = [0, 0];
    const add = (count: number, time: number | null) => {
      passes += count;
      milliseconds = milliseconds === null || time === null ? null : milliseconds + time;
    };
    for (const name of [null, ...this.methods()]) {
      const method = methods.find((other) => other.name === name);
      const made = method ? this.#bench.costOf(method) : { passes: 0, milliseconds: 0 };
      if (name !== subject.question.method) add(made.passes, made.milliseconds);
      for (const metric of metrics) {
        const again = metric.needs.includes("method") ? metricPasses(metric, made.passes, 0) : 0;
        const own = metric.needs.includes("method")
          ? 0
          : metricPasses(metric, 0, this.#prove.pictures(subject));
        if (own > 0) add(own, this.#bench.timeOf(own));
        if (again > 0)
          add(
            again,
            made.milliseconds === null ? null : (again / Math.max(1, made.passes)) * made.milliseconds,
          );
      }
    }
    return { passes, milliseconds };
  }

  async start(): Promise<void> {
    const names = this.methods();
    const { app } = this.#bench;
    const known = app.state.engine?.metrics() ?? [];
    const picture = app.state.given?.kind === "image";
    const metrics = known.filter(
      (metric) => measurable(metric, picture) && this.state.metrics.includes(metric.name),
    );
    await this.#bench.run("compare", async (run) => {
      const { units } = kinds[run.subject.given.kind];
      const title = (name: string) => app.state.methods.find((method) => method.name === name)?.title ?? name;
      const rows: Row[] = [null, ...names].map((method) => ({
        method,
        title: method === null ? t`${capitalised(units)} at random` : title(method),
        milliseconds: null,
        reason: null,
        cells: {},
      }));
      const show = () => {
        this.store.set({ rows: rows.map((row) => ({ ...row })), columns: metrics.map(({ name }) => name) });
      };
      show();
      // The methods first: those are what the visitor came for.
      for (const row of [...rows.slice(1), ...rows.slice(0, 1)]) {
        let map: Explanation | TensorData = randomMap(run.subject);
        if (row.method !== null) {
          const label = t`${rows.indexOf(row)} of ${names.length}: explaining by ${midSentence(row.title)}`;
          const made = await attempt(() => this.#bench.explain(run, row.method ?? "", label));
          if ("reason" in made) {
            row.reason = made.reason;
            show();
            continue;
          }
          map = made.value;
          row.milliseconds = made.value.info.milliseconds;
          show();
        }
        for (const metric of metrics) {
          run.signal.throwIfAborted();
          row.cells[metric.name] = await this.#measure(run, row, map, metric.name, metric.title);
          show();
        }
      }
    });
  }

  async #measure(
    { subject, input, signal, begin }: Run,
    row: Row,
    map: Explanation | TensorData,
    name: string,
    title: string,
  ): Promise<Cell> {
    const onProgress = begin(`${row.title}: ${midSentence(title)}`);
    const substrate = name === "insertion" && !subject.size ? { substrate: "blank" } : {}; // there is no picture to blur
    const params = isCurve(name) ? { step: this.#prove.step(subject), ...substrate } : {};
    const found = await attempt(async () => {
      const measured = await subject.model.measure(input, map, {
        metrics: [{ name: anyName(name), params }],
        target: subject.target.index,
        signal,
        onProgress,
      });
      return measured[0];
    });
    if ("reason" in found) return found;
    if (!found.value) return { reason: t`Nothing was measured.` };
    if (isCurve(name)) this.#bench.timed(found.value.forwardPasses, found.value.milliseconds);
    return { value: found.value.value };
  }
}

/** What a call gives, or why it cannot be had; other errors end the test. */
export async function attempt<T>(call: () => Promise<T>): Promise<{ value: T } | { reason: string }> {
  try {
    return { value: await call() };
  } catch (error) {
    if (error instanceof AdversightError && local.includes(error.code)) return { reason: error.message };
    throw error;
  }
}

/** A map that knows nothing, the same at every run: numbers of a linear congruential generator (Numerical Recipes). */
function randomMap({ explanation }: Subject): TensorData {
  const [batch = 1, , height = 1, width = 1] = explanation.attribution.shape;
  const picture = explanation.attribution.shape.length === 4; // or cells of a sound
  const shape = picture ? [batch, 1, height, width] : explanation.attribution.shape;
  let state = 1;
  const data = Float32Array.from({ length: shape.reduce((all, size) => all * size, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
  return { data, shape };
}

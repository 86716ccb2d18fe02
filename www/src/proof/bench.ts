// Where explanations are put to the test: what is judged, one test at a time, how far it is, and an end to it as soon as something else
// is asked of the page.

import { t } from "../strings/strings.js";
import {
  anyName,
  type ClassScore,
  type Explanation,
  type MethodDescription,
  type Model,
  type ModelInput,
  type Progress,
} from "adversight";
import { problemOf } from "../advice.js";
import type { App } from "../app.js";
import { passes } from "../methods.js";
import { estimate, measured, type Speed } from "../speed.js";
import { Store, type Given, type Question, type State, type Task } from "../state.js";

export const proofs = ["prove", "compare", "attack", "edges"] as const;
export type ProofName = (typeof proofs)[number];

/** Whether there is such a test of what was given: edges are of pictures alone. */
export const tests = ({ kind }: Given, proof: ProofName): boolean => proof !== "edges" || kind === "image";

/** What is put to the test. */
export interface Subject {
  given: Given;
  model: Model;
  explanation: Explanation;
  /** The question that it answers, with its class. */
  question: Question & { target: number };
  target: ClassScore;
  /** The method that made it. */
  method: MethodDescription;
  /** Height and width of the map, or null where the input is no picture. */
  size: [number, number] | null;
  /** How many pixels, words or cells can go one by one. */
  units: number;
}

export interface BenchState {
  open: ProofName | null;
  subject: Subject | null;
  /** Whether a test can begin: there is a subject, and the page is at nothing else. */
  ready: boolean;
  running: ProofName | null;
  task: Task | null;
  /** What the games have shown of the network's pace. */
  speed: Speed;
}

/** What a test gets to work with. */
export interface Run {
  subject: Subject;
  signal: AbortSignal;
  /** What the network is given of it; of a text the text itself, whose words the engine has to know. */
  input: ModelInput;
  /** Begins a part of the test; what it gives is told of the progress within it. */
  begin: (label: string) => (progress: Progress) => void;
}

/** The pace of passes without gradients goes by this name. */
const game = "game";

export class Bench {
  readonly store = new Store<BenchState>({
    open: null,
    subject: null,
    ready: false,
    running: null,
    task: null,
    speed: [],
  });
  readonly app: App;
  #abort: AbortController | null = null;
  #prepared: { given: Given; model: Model; input: ModelInput } | null = null;

  constructor(app: App) {
    this.app = app;
    app.store.watch(["explanation", "answered", "firstLook", "given", "model", "methods"], (state) => {
      const { subject } = this.store.state;
      if (subject && isOf(subject, state)) return;
      this.cancel();
      this.store.set({ subject: subjectOf(state) });
    });
    app.store.watch(["task", "explanation", "model", "firstLook"], ({ task }) => {
      if (task) this.cancel();
      this.store.set({ ready: task === null && this.store.state.subject !== null });
    });
    app.store.watch(["model"], () => {
      this.store.set({ speed: [] });
    });
    app.store.watch(["given"], ({ given }) => {
      const { open } = this.state;
      if (given && open && !tests(given, open)) this.open(null);
    });
  }

  get state(): Readonly<BenchState> {
    return this.store.state;
  }

  open(proof: ProofName | null): void {
    this.store.set({ open: proof });
  }

  /** Runs a test; one before it is ended. What fails is reported, and changes nothing of what is shown. */
  async run(proof: ProofName, test: (run: Run) => Promise<void>): Promise<void> {
    const { subject, ready } = this.state;
    if (!subject || !ready) return;
    this.cancel();
    const abort = new AbortController();
    const { signal } = abort;
    this.#abort = abort;
    this.store.set({ running: proof, task: { label: t`Getting ready`, done: 0, total: 0 } });
    const begin = (label: string) => {
      if (!signal.aborted) this.store.set({ task: { label, done: 0, total: 0 } });
      return ({ done, total }: Progress) => {
        if (!signal.aborted) this.store.set({ task: { label, done, total } });
      };
    };
    try {
      const input = await this.#input(subject, signal);
      signal.throwIfAborted();
      await test({ subject, signal, input, begin });
    } catch (error) {
      if (!signal.aborted) this.app.report(problemOf(error));
    } finally {
      if (this.#abort === abort) {
        this.#abort = null;
        this.store.set({ running: null, task: null });
      }
    }
  }

  cancel(): void {
    if (!this.#abort) return;
    this.#abort.abort(new DOMException("The test was cancelled.", "AbortError"));
    this.#abort = null;
    this.store.set({ running: null, task: null });
  }

  /** Takes the time of passes without gradients. */
  timed(forwardPasses: number, milliseconds: number): void {
    const measurement = { method: game, gradients: false, passes: forwardPasses, milliseconds };
    this.store.set({ speed: measured(this.state.speed, measurement) });
  }

  /** The milliseconds that so many passes without gradients take; null while nothing was measured. */
  timeOf(count: number): number | null {
    const speed = [...this.state.speed, ...this.app.state.speed];
    return estimate(speed, { method: game, gradients: false, passes: count });
  }

  /** The passes and milliseconds of explaining by a method, with the page's settings of it. */
  costOf(method: MethodDescription): { passes: number; milliseconds: number | null } {
    const { speed, params } = this.app.state;
    const count = passes(method, params[method.name]);
    const gradients = method.cost.backward > 0;
    return {
      passes: count,
      milliseconds: estimate(speed, { method: method.name, gradients, passes: count }),
    };
  }

  /**
   * The explanation of an input by a method with the page's settings, for the subject's class. What the page shows already is not
   * computed again.
   */
  async explain(run: Run, name: string, label: string): Promise<Explanation> {
    const { subject, signal, input, begin } = run;
    const { second, params } = this.app.state;
    if (name === subject.question.method) return subject.explanation;
    if (second?.question.method === name && second.explanation.info.target.index === subject.target.index) {
      return second.explanation;
    }
    const onProgress = begin(label);
    return subject.model.explain(input, {
      method: anyName(name),
      params: params[name] ?? {},
      target: subject.target.index,
      signal,
      onProgress,
    });
  }

  async #input({ given, model }: Subject, signal: AbortSignal): Promise<ModelInput> {
    if (readsWords(given)) return given.input;
    const known = this.#prepared;
    if (known?.given === given && known.model === model) return known.input;
    const input = await model.prepare(given.input, { signal });
    this.#prepared = { given, model, input };
    return input;
  }
}

/** Whether it reaches the network as tokens. */
const readsWords = ({ kind }: Given): boolean => kind === "text" || kind === "file";

const isOf = ({ explanation, model }: Subject, state: State): boolean =>
  explanation === state.explanation && model === state.model;

function subjectOf(state: State): Subject | null {
  const { explanation, answered, firstLook, model, methods } = state;
  const { given } = state;
  const method = methods.find(({ name }) => name === answered?.method);
  if (!explanation || !answered || firstLook || !given || !model || !method) return null;
  const { target } = explanation.info;
  const [height, width] = explanation.heatmap.shape;
  const words = explanation.parts.filter(({ special }) => !special).length;
  return {
    given,
    model,
    explanation,
    method,
    target,
    question: { ...answered, target: target.index },
    size: given.kind === "image" && explanation.attribution.shape.length === 4 ? [height, width] : null,
    units: readsWords(given) && words > 0 ? words : explanation.heatmap.data.length,
  };
}

/** Whether two subjects ask for the same class of the same input, whatever the method. */
export const sameAnswer = (a: Subject | null, b: Subject | null): boolean =>
  a !== null && b !== null && a.given === b.given && a.model === b.model && a.target.index === b.target.index;

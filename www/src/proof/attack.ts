// "Attack it": the image under an attack, and which explanations survive it.

import { anyName, type Attacked, type ClassScore, type Explanation } from "adversight";
import { midSentence } from "../format.js";
import { Store } from "../state.js";
import { sameAnswer, type Bench, type Run, type Subject } from "./bench.js";
import { attempt } from "./compare.js";
import { attackedMethods, startingMethods } from "./evidence.js";

/** One method's maps of the clean and of the attacked picture, both for the clean picture's class. */
export interface Pair {
  method: string;
  title: string;
  clean: Explanation;
  attacked: Explanation;
  /** Spearman's rank correlation of the two. */
  rank: number;
  /** The part of the strongest `k` pixels that they have in common. */
  top: number;
  k: number;
  /** What the network finds in the attacked picture behind the clean picture's map, m_0, and behind its own, m_adv. */
  behindClean: ClassScore;
  finds: ClassScore;
}

export type Outcome = Pair | { method: string; title: string; reason: string };

export type Norm = "linf" | "l2";

export interface AttackState {
  norm: Norm;
  /** The strength, as the choices have it: grey levels of 255, or a length in pixel values from 0 to 1. */
  strength: Record<Norm, number>;
  steps: number;
  /** The class that the attack leads to; null to lead away from the answer. */
  towards: number | null;
  methods: string[] | null;
  attacked: Attacked | null;
  outcomes: Outcome[];
}

export const strengths: Record<Norm, number[]> = { linf: [1, 2, 4, 8, 16], l2: [0.5, 1, 2, 4, 8] };
const rowsToStart = 3;

export const epsilonOf = ({ norm, strength }: Pick<AttackState, "norm" | "strength">): number =>
  norm === "linf" ? strength.linf / 255 : strength.l2;

export class Attack {
  readonly store = new Store<AttackState>({
    norm: "linf",
    strength: { linf: 2, l2: 1 },
    steps: 10,
    towards: null,
    methods: null,
    attacked: null,
    outcomes: [],
  });
  readonly #bench: Bench;
  #subject: Subject | null = null;

  constructor(bench: Bench) {
    this.#bench = bench;
    bench.store.watch(["subject"], ({ subject }) => {
      if (!subject || sameAnswer(this.#subject, subject)) return;
      this.#subject = subject;
      this.store.set({ attacked: null, outcomes: [] });
    });
    bench.app.store.watch(["given"], () => {
      this.store.set({ attacked: null, outcomes: [] });
    });
    bench.app.store.watch(["model"], () => {
      this.store.set({ attacked: null, outcomes: [], methods: null, towards: null });
    });
  }

  get state(): Readonly<AttackState> {
    return this.store.state;
  }

  change(change: Partial<Pick<AttackState, "norm" | "strength" | "steps" | "towards" | "methods">>): void {
    this.store.set(change);
  }

  /** The methods whose maps are compared, as they stand. */
  methods(): string[] {
    const { methods, method, beside, model } = this.#bench.app.state;
    const chosen =
      this.state.methods ??
      startingMethods(
        beside === null ? [method] : [method, beside],
        attackedMethods,
        model?.info,
        rowsToStart,
      );
    return methods.map(({ name }) => name).filter((name) => chosen.includes(name));
  }

  /** The passes and, where the pace is known, the milliseconds: a gradient takes three passes, and every method two maps. */
  cost(): { passes: number; milliseconds: number | null } {
    const { subject } = this.#bench.state;
    const { methods, speed } = this.#bench.app.state;
    let passes = 3 * this.state.steps + 2;
    const pace = Math.min(
      ...speed.filter(({ gradients }) => gradients).map((m) => m.milliseconds / m.passes),
    );
    let milliseconds = Number.isFinite(pace) ? pace * passes : this.#bench.timeOf(passes);
    for (const name of this.methods()) {
      const method = methods.find((other) => other.name === name);
      if (!method) continue;
      const made = this.#bench.costOf(method);
      const maps = name === subject?.question.method ? 1 : 2;
      passes += maps * made.passes + 2;
      milliseconds =
        milliseconds === null || made.milliseconds === null ? null : milliseconds + maps * made.milliseconds;
    }
    return { passes, milliseconds };
  }

  async start(): Promise<void> {
    const names = this.methods();
    const { steps, norm, towards } = this.state;
    const epsilon = epsilonOf(this.state);
    await this.#bench.run("attack", async (run) => {
      const { subject, input, signal, begin } = run;
      this.store.set({ attacked: null, outcomes: [] });
      const onProgress = begin("Attacking the picture");
      const attacked = await subject.model.attack(input, {
        norm,
        epsilon,
        steps,
        towards,
        signal,
        onProgress,
      });
      signal.throwIfAborted();
      this.store.set({ attacked });
      for (const [number, name] of names.entries()) {
        const title = this.#bench.app.state.methods.find((method) => method.name === name)?.title ?? name;
        const label = `${number + 1} of ${names.length}: explaining by ${midSentence(title)}`;
        const found = await attempt(() => this.#pair(run, attacked, name, title, label));
        signal.throwIfAborted();
        const outcome = "reason" in found ? { method: name, title, reason: found.reason } : found.value;
        this.store.set({ outcomes: [...this.state.outcomes, outcome] });
      }
    });
  }

  async #pair(run: Run, { input: x }: Attacked, name: string, title: string, label: string): Promise<Pair> {
    const { subject, signal, begin } = run;
    const { model, target, question, size } = subject;
    const clean = await this.#bench.explain(run, name, `${label}, the clean picture`);
    const onProgress = begin(`${label}, the attacked picture`);
    const params = name === question.method ? question.params : (this.#bench.app.state.params[name] ?? {});
    const attacked = await model.explain(x, {
      method: anyName(name),
      params,
      target: target.index,
      signal,
      onProgress,
    });
    // As many as the paper's 1000 of a picture of 224 by 224.
    const k = Math.max(1, Math.round((size ? size[0] * size[1] : x.data.length) / 50));
    const [rank, top] = await model.measure(x, attacked, {
      metrics: ["spearman", { name: "top_k_intersection", params: { k } }],
      reference: clean.attribution,
      signal,
    });
    const [behindClean, behind] = [
      await model.retrieve(x, clean, { top: 1, signal }),
      await model.retrieve(x, attacked, { top: 1, signal }),
    ];
    const [was, is] = [behindClean.top[0], behind.top[0]];
    if (!rank || !top || !was || !is) throw new Error("The engine measured nothing.");
    return {
      method: name,
      title,
      clean,
      attacked,
      rank: rank.value,
      top: top.value,
      k,
      behindClean: was,
      finds: is,
    };
  }
}

// "Attack it": what was given under an attack, and which explanations survive it. Pixels and samples are changed themselves; of words and bytes
// the numbers by which the network knows them, its embedding.

import { t } from "../strings/strings.js";
import {
  anyName,
  attackLimit,
  signalToNoise,
  type Attacked,
  type AttackOptions,
  type ClassScore,
  type Explanation,
  type Part,
  type SoundData,
  type TensorData,
} from "adversight";
import { midSentence } from "../format.js";
import { kinds, type Kind } from "../kinds.js";
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

/** How a strength is measured: grey levels of 255; a length where white is 1; a percentage of the embedding's length; decibels below the sound. */
export type Scale = Norm | "share" | "decibels";

export const scaleOf = (kind: Kind, norm: Norm): Scale =>
  kind === "image" ? norm : kind === "audio" ? "decibels" : "share";

/** What an attack on a sound is heard as. */
export interface AttackedSound {
  before: SoundData;
  after: SoundData;
  /** How far the change lies below the sound, in decibels. */
  below: number;
}

/** How far each word's numbers have moved, as a part of their own length: in place of the scores of its explanation. */
export interface MovedWords {
  parts: Part[];
  texts: string[];
  /** The same of all the words together. */
  whole: number;
}

export interface AttackState {
  norm: Norm;
  /** The strength, as the choices have it. */
  strength: Record<Scale, number>;
  steps: number;
  /** The class that the attack leads to; null to lead away from the answer. */
  towards: number | null;
  methods: string[] | null;
  attacked: Attacked | null;
  heard: AttackedSound | null;
  moved: MovedWords | null;
  outcomes: Outcome[];
}

export const strengths: Record<Scale, number[]> = {
  linf: [1, 2, 4, 8, 16],
  l2: [0.5, 1, 2, 4, 8],
  share: [1, 2, 5, 10, 20],
  decibels: [40, 30, 20, 10],
};
const rowsToStart = 3;

const nothingFound = { attacked: null, heard: null, moved: null, outcomes: [] };

export class Attack {
  readonly store = new Store<AttackState>({
    norm: "linf",
    strength: { linf: 2, l2: 1, share: 5, decibels: 30 },
    steps: 10,
    towards: null,
    methods: null,
    ...nothingFound,
  });
  readonly #bench: Bench;
  #subject: Subject | null = null;

  constructor(bench: Bench) {
    this.#bench = bench;
    bench.store.watch(["subject"], ({ subject }) => {
      if (!subject || sameAnswer(this.#subject, subject)) return;
      this.#subject = subject;
      this.store.set(nothingFound);
    });
    bench.app.store.watch(["given"], () => {
      this.store.set(nothingFound);
    });
    bench.app.store.watch(["model"], () => {
      this.store.set({ ...nothingFound, methods: null, towards: null });
    });
  }

  get state(): Readonly<AttackState> {
    return this.store.state;
  }

  change(change: Partial<Pick<AttackState, "norm" | "strength" | "steps" | "towards" | "methods">>): void {
    this.store.set(change);
  }

  /** The methods whose maps are compared, as they stand; none of a text, whose words the engine does not know behind attacked numbers. */
  methods(): string[] {
    if (this.#bench.app.state.given?.kind === "text") return [];
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
    const { steps, towards } = this.state;
    await this.#bench.run("attack", async (run) => {
      const { subject, input, signal, begin } = run;
      this.store.set(nothingFound);
      const onProgress = begin(t`Attacking the ${kinds[subject.given.kind].noun}`);
      const attacked = await subject.model.attack(input, {
        ...(await this.#strength(run)),
        steps,
        towards,
        signal,
        onProgress,
      });
      signal.throwIfAborted();
      this.store.set({ attacked, ...(await whatItDid(run, attacked)) });
      for (const [number, name] of names.entries()) {
        const title = this.#bench.app.state.methods.find((method) => method.name === name)?.title ?? name;
        const label = t`${number + 1} of ${names.length}: explaining by ${midSentence(title)}`;
        const found = await attempt(() => this.#pair(run, attacked, name, title, label));
        signal.throwIfAborted();
        const outcome = "reason" in found ? { method: name, title, reason: found.reason } : found.value;
        this.store.set({ outcomes: [...this.state.outcomes, outcome] });
      }
    });
  }

  /** The largest change, as the engine takes it. */
  async #strength({ subject, input, signal }: Run): Promise<Pick<AttackOptions, "norm" | "epsilon">> {
    const { norm, strength } = this.state;
    switch (scaleOf(subject.given.kind, norm)) {
      case "linf":
        return { norm, epsilon: strength.linf / 255 };
      case "l2":
        return { norm, epsilon: strength.l2 };
      case "decibels":
        return { norm: "l2", epsilon: attackLimit(input as TensorData, strength.decibels) };
      case "share": {
        // The numbers of a text are known to the engine alone: an attack that is next to none gives them.
        const none = await subject.model.attack(input, { epsilon: 1e-9, steps: 1, signal });
        return { norm: "l2", epsilon: (strength.share / 100) * lengthOf(cleanOf(none)) };
      }
    }
  }

  async #pair(run: Run, { input: x }: Attacked, name: string, title: string, label: string): Promise<Pair> {
    const { subject, signal, begin } = run;
    const { model, target, question, size } = subject;
    const clean = await this.#bench.explain(run, name, t`${label}, the clean picture`);
    const onProgress = begin(t`${label}, the attacked picture`);
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

/** What was attacked, before the attack. */
const cleanOf = ({ input, change }: Attacked): Float32Array =>
  input.data.map((value, i) => value - (change.data[i] ?? 0));

const lengthOf = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** What an attack is heard as, or which words it has moved. */
async function whatItDid(
  { subject, input, signal }: Run,
  attacked: Attacked,
): Promise<Pick<AttackState, "heard" | "moved">> {
  const { given, model, explanation } = subject;
  if (given.kind === "audio") {
    const [before, after] = [
      await model.soundOf(input as TensorData, { signal }),
      await model.soundOf(attacked.input, { signal }),
    ];
    return { heard: { before, after, below: signalToNoise(before, after) }, moved: null };
  }
  return { heard: null, moved: given.kind === "image" ? null : movedWords(explanation, attacked) };
}

/** How far each word has moved. */
export function movedWords(
  { parts, texts }: Pick<Explanation, "parts" | "texts">,
  attacked: Attacked,
): MovedWords {
  const clean = cleanOf(attacked);
  const width = attacked.change.shape.at(-1) ?? 1;
  const rows = (values: Float32Array, places: readonly number[]) =>
    Math.hypot(...places.map((place) => lengthOf(values.subarray(place * width, (place + 1) * width))));
  return {
    parts: parts.map((part) => {
      const own = rows(clean, part.places);
      return { ...part, score: own > 0 ? rows(attacked.change.data, part.places) / own : 0 };
    }),
    texts,
    whole: lengthOf(attacked.change.data) / (lengthOf(clean) || 1),
  };
}

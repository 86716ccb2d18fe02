// "Is it just edges?": the same question to copies of the network that have forgotten what they learned (Adebayo et al. 2018).

import { t } from "../strings/strings.js";
import {
  anyName,
  type Explanation,
  type LearnedLayer,
  type MetricChoice,
  type Model,
  type TensorData,
} from "adversight";
import { Store } from "../state.js";
import type { Bench, Run, Subject } from "./bench.js";
import { attempt } from "./compare.js";
import { depths, sobel } from "./edges.js";

/** The map of a network that has forgotten some of its layers. */
export interface Forgetful {
  /** How many layers, from the output on. */
  layers: number;
  explanation: Explanation | null;
  /** Spearman's rank correlation of the magnitudes with the real map, and their structural similarity where that is defined. */
  rank: number | null;
  ssim: number | null;
  /** Why there is none. */
  reason: string | null;
}

export interface ForgetState {
  /** Whether the network's file has no weights that could be forgotten. */
  none: boolean;
  layers: LearnedLayer[];
  copies: Forgetful[];
  /** The picture's own edges, and the rank correlation of the real map with them. */
  edges: { map: TensorData; rank: number } | null;
}

const nothing: ForgetState = { none: false, layers: [], copies: [], edges: null };

export class Forget {
  readonly store = new Store<ForgetState>(nothing);
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
    bench.store.watch(["subject"], () => {
      this.store.set(nothing);
    });
  }

  get state(): Readonly<ForgetState> {
    return this.store.state;
  }

  /** Three explanations. */
  cost(subject: Subject): { passes: number; milliseconds: number | null } {
    const { passes, milliseconds } = this.#bench.costOf(subject.method);
    return { passes: 3 * passes, milliseconds: milliseconds === null ? null : 3 * milliseconds };
  }

  async start(): Promise<void> {
    await this.#bench.run("edges", async (run) => {
      const { subject, input, signal, begin } = run;
      const { model, explanation } = subject;
      this.store.set(nothing);
      begin(t`Reading the network’s layers`);
      const layers = await model.layers({ signal });
      signal.throwIfAborted();
      this.store.set({ layers, none: layers.length === 0 });

      const alike = async (reference: TensorData) => {
        const metrics: MetricChoice[] = [{ name: "spearman", params: { magnitudes: true } }];
        const [rank] = await model.measure(input, explanation, { metrics, reference, signal });
        const [ssim] = subject.size
          ? await model.measure(input, explanation, { metrics: ["ssim"], reference, signal }).catch(() => [])
          : [];
        return { rank: rank?.value ?? null, ssim: ssim?.value ?? null };
      };
      const picture = subject.size ? await model.picture(input, { signal }) : null;
      if (picture) {
        const map = sobel(picture);
        const { rank } = await alike(map);
        signal.throwIfAborted();
        this.store.set({ edges: { map, rank: rank ?? 0 } });
      }

      for (const [number, count] of depths(layers.length).entries()) {
        const label = t`${number + 1} of ${depths(layers.length).length}: ${forgotten(count, layers.length)}`;
        begin(label);
        const copy: Forgetful = { layers: count, explanation: null, rank: null, ssim: null, reason: null };
        // Weights in another file, for one, cannot be forgotten here.
        const made = await attempt(() => model.randomise({ layers: count, seed: 1, signal }));
        if ("reason" in made) copy.reason = made.reason;
        else await this.#explain(made.value, copy, t`${label}, explained anew`, run, alike);
        signal.throwIfAborted();
        this.store.set({ copies: [...this.state.copies, copy] });
      }
    });
  }

  /** Asks a forgetful network the same, and frees it. */
  async #explain(
    forgetful: Model,
    copy: Forgetful,
    label: string,
    { subject: { question }, input, signal, begin }: Run,
    alike: (reference: TensorData) => Promise<Pick<Forgetful, "rank" | "ssim">>,
  ): Promise<void> {
    try {
      const onProgress = begin(label);
      const made = await attempt(() =>
        forgetful.explain(input, { ...question, method: anyName(question.method), signal, onProgress }),
      );
      if ("reason" in made) copy.reason = made.reason;
      else Object.assign(copy, { explanation: made.value }, await alike(made.value.attribution));
    } finally {
      forgetful.close();
    }
  }
}

/** Which layers have forgotten, in words. */
export function forgotten(count: number, all: number): string {
  if (count >= all) return t`all ${all} layers forgotten`;
  return count === 1 ? t`last layer forgotten` : t`last ${count} of ${all} forgotten`;
}

// "Prove it": what was given fades out or in by importance while the score is followed, beside several random orders.

import { t } from "../strings/strings.js";
import type { Game } from "adversight";
import { kinds, type Kind as Of } from "../kinds.js";
import { Store } from "../state.js";
import type { Bench, Subject } from "./bench.js";

export type Kind = "deletion" | "insertion";

/** A game by the map's order and, as they are played, the same in random orders. */
export interface Played {
  map: Game;
  random: Game[];
}

export interface ProveState {
  kind: Kind;
  /** Whether as few pixels change at a step as in the paper. */
  fine: boolean;
  games: Record<Kind, Played | null>;
  /** How far the shown game is: the part of the pixels that have changed. */
  part: number;
  playing: boolean;
}

/** Steps of a game where the paper's pixels a step are not asked for. */
const steps = 50;
/** RISE's pixels a step, the length of a row of its pictures. */
export const paperStep = 224;
/** One random order may be lucky; of so many, the worst and the best are a band. */
export const randomOrders = 5;
/** A random order's curve is smooth: it takes fewer steps. A file is long, and its steps take long. */
const coarser: Record<Of, { map: number; random: number }> = {
  image: { map: 1, random: 2 },
  text: { map: 1, random: 1 },
  audio: { map: 1, random: 2 },
  file: { map: 2, random: 4 },
  table: { map: 1, random: 1 },
  series: { map: 1, random: 1 },
};

/** Whether all has been played. */
export const isWhole = (played: Played | null): played is Played =>
  played !== null && played.random.length >= randomOrders;

const none: ProveState["games"] = { deletion: null, insertion: null };

export class Prove {
  readonly store = new Store<ProveState>({
    kind: "deletion",
    fine: false,
    games: none,
    part: 0,
    playing: false,
  });
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
    bench.store.watch(["subject"], () => {
      this.#forget();
    });
  }

  get state(): Readonly<ProveState> {
    return this.store.state;
  }

  /** The pixels, words or cells that change at a step. */
  step(subject: Subject): number {
    if (this.state.fine && finer(subject)) return paperStep;
    return Math.ceil(subject.units / (steps / coarser[subject.given.kind].map));
  }

  /** The same of a random order. */
  #randomStep(subject: Subject): number {
    if (this.state.fine && finer(subject)) return paperStep;
    return Math.ceil(subject.units / (steps / coarser[subject.given.kind].random));
  }

  /** The inputs that a game by the map's order shows the network. */
  pictures(subject: Subject): number {
    return Math.ceil(subject.units / this.step(subject)) + 1;
  }

  /** The passes of all games of one kind. */
  passes(subject: Subject): number {
    return this.pictures(subject) + randomOrders * (Math.ceil(subject.units / this.#randomStep(subject)) + 1);
  }

  chooseKind(kind: Kind): void {
    this.store.set({ kind, part: 0, playing: false });
  }

  chooseFine(fine: boolean): void {
    if (fine === this.state.fine) return;
    this.store.set({ fine });
    this.#forget();
  }

  /** Moves to a part of the pixels. */
  moveTo(part: number): void {
    this.store.set({ part: Math.min(1, Math.max(0, part)) });
  }

  /** Plays on, from the start where it has come to its end. */
  setPlaying(playing: boolean): void {
    if (playing && this.state.part >= 1) this.store.set({ part: 0 });
    this.store.set({ playing });
  }

  /** Plays the chosen game by the map, then in random orders; `still` leaves what is shown where it is. */
  async start({ still }: { still: boolean }): Promise<void> {
    const { kind } = this.state;
    await this.#bench.run("prove", async ({ subject, input, signal, begin }) => {
      const { model, explanation, given } = subject;
      const put = (played: Played) => {
        this.store.set({ games: { ...this.state.games, [kind]: played } });
      };
      const units = kinds[given.kind].units;
      const label = kind === "deletion" ? t`Taking ${units} away` : t`Putting ${units} back`;
      // There is no blur but of a picture.
      const substrate = subject.size ? null : "blank";
      const play = async (step: number, order: "map" | "random", seed: number, what: string) => {
        const found = await model.play(input, explanation, {
          kind,
          substrate,
          step,
          order,
          seed,
          signal,
          onProgress: begin(what),
        });
        signal.throwIfAborted();
        this.#bench.timed(found.forwardPasses, found.milliseconds);
        return found;
      };
      let map = this.state.games[kind]?.map;
      if (!map) {
        map = await play(this.step(subject), "map", 1, t`${label}, the most important first`);
        put({ map, random: [] });
        this.store.set({ part: 0, playing: !still });
      }
      const random = [...(this.state.games[kind]?.random ?? [])];
      while (random.length < randomOrders) {
        const what = t`${label} in random order, ${random.length + 1} of ${randomOrders}`;
        random.push(await play(this.#randomStep(subject), "random", random.length + 1, what));
        put({ map, random: [...random] });
      }
    });
  }

  #forget(): void {
    this.store.set({ games: none, part: 0, playing: false });
  }
}

/** Whether the paper's steps are finer than the page's own; they are of pictures. */
export const finer = ({ size, units }: Subject): boolean => size !== null && units / paperStep > steps;

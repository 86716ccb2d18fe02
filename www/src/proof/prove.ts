// "Prove it": the photograph fades out or in by importance while the score is followed.

import type { Game } from "adversight";
import { Store } from "../state.js";
import type { Bench, Subject } from "./bench.js";

export type Kind = "deletion" | "insertion";

/** A game by the map's order and, once it is played, one in random order. */
export interface Played {
  map: Game;
  random: Game | null;
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

  /** The pixels that change at a step. */
  step(subject: Subject): number {
    const pixels = pixelsOf(subject);
    return this.state.fine && finer(subject) ? paperStep : Math.ceil(pixels / steps);
  }

  /** The pictures that a game shows the network. */
  pictures(subject: Subject): number {
    return Math.ceil(pixelsOf(subject) / this.step(subject)) + 1;
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

  /** Plays the chosen game by the map, then in random order; `still` leaves the picture where it is. */
  async start({ still }: { still: boolean }): Promise<void> {
    const { kind } = this.state;
    await this.#bench.run("prove", async ({ subject, input, signal, begin }) => {
      const { model, explanation } = subject;
      const step = this.step(subject);
      const put = (played: Played) => {
        this.store.set({ games: { ...this.state.games, [kind]: played } });
      };
      const label = kind === "deletion" ? "Taking pixels away" : "Putting pixels back";
      // There is no blur but of a picture.
      const substrate = subject.size ? null : "blank";
      const play = async (order: "map" | "random", onProgress: ReturnType<typeof begin>) => {
        const found = await model.play(input, explanation, {
          kind,
          substrate,
          step,
          order,
          seed: 1,
          signal,
          onProgress,
        });
        signal.throwIfAborted();
        this.#bench.timed(found.forwardPasses, found.milliseconds);
        return found;
      };
      let map = this.state.games[kind]?.map;
      if (!map) {
        map = await play("map", begin(`${label}, the most important first`));
        put({ map, random: null });
        this.store.set({ part: 0, playing: !still });
      }
      put({ map, random: await play("random", begin(`${label} in random order, to compare`)) });
    });
  }

  #forget(): void {
    this.store.set({ games: none, part: 0, playing: false });
  }
}

/** The pixels, samples, tokens or features that change one by one. */
const pixelsOf = ({ explanation }: Subject): number => explanation.heatmap.data.length;

/** Whether the paper's steps are finer than the page's own. */
export const finer = (subject: Subject): boolean => pixelsOf(subject) / paperStep > steps;

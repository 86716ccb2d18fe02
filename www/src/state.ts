// What the page knows. Views read it and are told of changes; only app.ts changes it.

import type {
  Classification,
  ColourMap,
  DeviceChoice,
  Engine,
  Explanation,
  MethodDescription,
  Model,
  PartialExplanation,
  TableInput,
  View,
} from "adversight";
import type { Problem } from "./advice.js";
import type { Kind } from "./kinds.js";
import type { Example, Network, Sample } from "./library.js";
import type { Speed } from "./speed.js";
import type { Written } from "./struck.js";

interface GivenAs<K extends Kind, I> {
  kind: K;
  /** What the engine is asked about. */
  input: I;
  title: string;
  credit: string;
  /** The name of the example that it is, or null for something of the user's own. */
  example: string | null;
  /** What was changed of it by hand, in sentences. */
  changes?: readonly string[];
}

/** A table as a text. */
export type TableText = TableInput & { table: string };

/** What the person gave. */
export type Given =
  | GivenAs<"image", ImageBitmap>
  | (GivenAs<"text", string | readonly [string, string]> & {
      /** The text as it was written, where words of it are struck out. */
      written?: Written;
    })
  | GivenAs<"table", TableText>
  | GivenAs<"series", TableText>
  | GivenAs<"audio", Blob>
  | GivenAs<"file", Blob>;

export type Photo = Extract<Given, { kind: "image" }>;

/** A row of a table, or a series. */
export type Table = Extract<Given, { kind: "table" | "series" }>;

/** The photograph that was given; null where it is something else. */
export const photoOf = ({ given }: Pick<State, "given">): Photo | null =>
  given?.kind === "image" ? given : null;

/** Frees what was given. */
export function discard(given: Given | null): void {
  if (given?.kind === "image") given.input.close();
}

/** What the page is at. `total` is 0 while nobody knows how much there is to do. */
export interface Task {
  label: string;
  done: number;
  total: number;
}

export type Params = Record<string, unknown>;

/** The question that an explanation answers. */
export interface Question {
  method: string;
  params: Params;
  /** The class to explain; null for the network's own answer. */
  target: number | null;
}

/** An explanation with the question that it answers. */
export interface Answer {
  explanation: Explanation;
  question: Question;
}

export interface State {
  // What was chosen.
  deviceChoice: DeviceChoice;
  networks: Network[];
  network: Network | null;
  labels: string[];
  samples: Sample[];
  /** What can be chosen of each kind, beside the photographs. */
  examples: Example[];
  given: Given | null;
  method: string;
  /** The method whose explanation stands beside that of `method`, or null for one picture alone. */
  beside: string | null;
  /** The settings of every method, kept when another one is picked. */
  params: Record<string, Params>;
  target: number | null;
  /** The seconds after which a method is stopped; null to let it run. */
  limit: number | null;

  // What came of it.
  engine: Engine | null;
  methods: MethodDescription[];
  model: Model | null;
  classification: Classification | null;
  explanation: Explanation | null;
  /** The question that `explanation` answers. */
  answered: Question | null;
  /** Whether the explanation is a first look, with the one that was asked for still to come. */
  firstLook: boolean;
  /** The map so far of a method that is still at work, shown in place of `explanation`. */
  partial: PartialExplanation | null;
  /** What `beside` gave to the same question. */
  second: Answer | null;
  /** What was measured of this network on this device. */
  speed: Speed;
  /** Why answers of a network look like noise, by its name: found when it was set up, and true of every photograph. */
  doubts: Record<string, string>;
  task: Task | null;
  problem: Problem | null;

  // How it is shown; changing this computes nothing.
  /** Whether the page is dark, for what is drawn by a script. */
  dark: boolean;
  view: View;
  opacity: number;
  /** The width of the blur under which the heatmap is shown, in its own pixels. */
  smooth: number;
  colours: ColourMap;
  /** Whether what speaks against the class is shown in a colour of its own; null leaves it to the method. */
  signs: boolean | null;
  /** The part of the picture, from the left, where the photograph is shown without the map. */
  wipe: number;
  /** How many segments are shown, of an explanation by segments; null for as many as the method chose. */
  shownSegments: number | null;
  borders: boolean;
}

export const initialState: State = {
  deviceChoice: "auto",
  networks: [],
  network: null,
  labels: [],
  samples: [],
  examples: [],
  given: null,
  method: "agi",
  beside: null,
  params: {},
  target: null,
  limit: null,
  engine: null,
  methods: [],
  model: null,
  classification: null,
  explanation: null,
  answered: null,
  firstLook: false,
  partial: null,
  second: null,
  speed: [],
  doubts: {},
  task: null,
  problem: null,
  dark: false,
  view: "overlay",
  opacity: 0.85,
  smooth: 3,
  colours: "magma",
  signs: null,
  wipe: 0,
  shownSegments: null,
  borders: true,
};

export class Store<S extends object> {
  #state: S;
  readonly #watchers: { keys: readonly (keyof S)[]; listener: (state: S) => void }[] = [];

  constructor(state: S) {
    this.#state = state;
  }

  get state(): Readonly<S> {
    return this.#state;
  }

  set(change: Partial<S>): void {
    const before = this.#state;
    this.#state = { ...before, ...change };
    const changed = new Set(
      (Object.keys(change) as (keyof S)[]).filter((key) => !Object.is(before[key], change[key])),
    );
    for (const { keys, listener } of this.#watchers) {
      if (keys.some((key) => changed.has(key))) listener(this.#state);
    }
  }

  /** Calls the listener now, and whenever one of the named fields has changed. */
  watch(keys: readonly (keyof S)[], listener: (state: S) => void): void {
    this.#watchers.push({ keys, listener });
    listener(this.#state);
  }
}

// What judges an explanation: the types of its calls, and a game's pictures. Showing a game needs no engine.

import { AdversightError } from "./errors.js";
import type { AttackChoice, MetricChoice } from "./methods.js";
import type { TokenChoice } from "./texts.js";
import type {
  AttackOptions as Attacking,
  ExplainOptions,
  Explanation,
  Game,
  JudgeOptions as Judging,
  MaskRule,
  MeasureOptions as Measuring,
  PixelPicture,
  PlayOptions as Playing,
  Progress,
  RandomiseOptions as Randomising,
  Target,
  TensorData,
} from "./wasm/adversight.js";

/** An explanation, or a map of whatever origin: in the shape of the network's input, or one value a pixel. */
export type Judged = Explanation | TensorData;

interface Running {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** Of an explanation, the target and how it was made are known; of a mere map, `target` must be given. */
type OfJudged<Options extends Judging> = Omit<Options, "target"> & {
  target?: number | Target | undefined;
} & Running;

export type MeasureOptions<Model> = Omit<OfJudged<Measuring>, "metrics"> & {
  /** By their names, or with parameters. */
  metrics: MetricChoice[];
  /** A copy of the model that has forgotten what it learned, for the metrics that need one: `model.randomise()`. */
  randomised?: Model | undefined;
};

export type PlayOptions = OfJudged<Playing>;

export type AttackOptions = Omit<Attacking, "attack" | "params"> & AttackChoice & OfAttack;

interface OfAttack extends Running {
  /** The token whose class is attacked, where the network gives each its own. */
  token?: TokenChoice | undefined;
  /** How many of the best classes to give (5). */
  top?: number;
}

export interface RetrieveOptions {
  /** How the map becomes a mask; its own values for RelEx and RT-Sal, which learn one, and else its magnitudes. */
  mask?: MaskRule;
  /** How many of the best classes to give (5). */
  top?: number;
  signal?: AbortSignal | undefined;
}

export interface RandomiseOptions extends Randomising {
  signal?: AbortSignal | undefined;
}

const isExplanation = (judged: Judged): judged is Explanation => "attribution" in judged;

export const mapOf = (judged: Judged): TensorData => (isExplanation(judged) ? judged.attribution : judged);

/** The options with what an explanation tells by itself. */
export function judging<
  Options extends { target?: number | Target | undefined; explained?: ExplainOptions | null },
>(judged: Judged, options: Options): Options & Judging {
  const info = isExplanation(judged) ? judged.info : null;
  const target = options.target ?? info?.aim?.target ?? info?.target.index;
  if (target === undefined) {
    throw new AdversightError(
      "input_invalid",
      "Say which class the map explains: give its number as target.",
    );
  }
  const made = info && { method: info.method, params: info.params, seed: info.seed };
  return { ...options, target, explained: options.explained ?? made };
}

/** The token that an explanation is of, where the network gives each a class. */
export function tokenOf(judged: Judged): TokenChoice | undefined {
  if (!isExplanation(judged)) return undefined;
  return (judged.info as { token?: { number: number } | null }).token?.number;
}

export const segmentsOf = (judged: Judged) => (isExplanation(judged) ? (judged.segments ?? null) : null);

const learnMasks = ["relex", "rt_sal"];

export const maskRule = (judged: Judged): MaskRule =>
  isExplanation(judged) && learnMasks.includes(judged.info.method) ? "raw" : "scaled";

/** A game's picture when `changed` of its pixels have changed, the first ones in its order; null where the input is no picture. */
export function gameFrame(
  { from, to, ranks }: Pick<Game, "from" | "to" | "ranks">,
  changed: number,
): PixelPicture | null {
  if (!from || !to) return null;
  const pixels = from.pixels.slice();
  ranks.forEach((rank, pixel) => {
    if (rank >= changed) return;
    for (let i = 4 * pixel; i < 4 * pixel + 4; i++) pixels[i] = to.pixels[i] ?? 0;
  });
  return { ...from, pixels };
}

/** The score of a game when this part of the pixels has changed: on the line between the two steps about it. */
export function gameScore({ curve: { x, y } }: Pick<Game, "curve">, part: number): number {
  const next = x.findIndex((at) => at >= part);
  if (next < 0) return y.at(-1) ?? 0;
  const [x0 = 0, x1 = 0, y0 = 0, y1 = 0] = [x[next - 1], x[next], y[next - 1], y[next]];
  return next === 0 || x1 === x0 ? y1 : y0 + ((part - x0) / (x1 - x0)) * (y1 - y0);
}

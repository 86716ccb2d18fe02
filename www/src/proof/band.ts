// Several random orders as a band: the lowest, the highest and the mean of their scores at each place.

import { gameScore, type Curve, type Game } from "adversight";

export interface Band {
  low: Curve;
  high: Curve;
  mean: Curve;
}

/** The band of games, whatever the steps of each, at the places `x`; null where there are none. */
export function bandOf(games: readonly Pick<Game, "curve">[], x: readonly number[]): Band | null {
  if (games.length === 0) return null;
  const scores = x.map((part) => games.map((game) => gameScore(game, part)));
  const curve = (of: (values: number[]) => number): Curve => ({ x: [...x], y: scores.map(of) });
  return {
    low: curve((values) => Math.min(...values)),
    high: curve((values) => Math.max(...values)),
    mean: curve((values) => values.reduce((sum, value) => sum + value, 0) / values.length),
  };
}

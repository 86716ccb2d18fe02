// Whether an answer looks like noise: a network that was given something else than it was trained on still answers, but at random or always
// the same. The rules are made for preprocessing that is wrong, and are no proof; a network may also be unsure for good reasons.

import type { ClassScore } from "adversight";

/** More than this share of the largest entropy that so many classes can have is as good as chance. */
const chance = 0.9;
/** With this many classes, the best one has at least so many times its fair share, or is as good as any other. */
const fairShares = 3;
const manyClasses = 10;
const veryManyClasses = 100;
/** Pictures this different get different answers from a network of many classes. */
const enoughPictures = 4;

/** The entropy as a share of the largest that so many classes can have: 0 for certainty, 1 where all are alike. */
export function entropyShare(probabilities: readonly number[]): number {
  if (probabilities.length < 2) return 0;
  const entropy = probabilities.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
  return entropy / Math.log(probabilities.length);
}

/** Whether the numbers share out a whole among them, as a softmax does. */
const sharesOut = (probabilities: readonly number[]) =>
  Math.abs(probabilities.reduce((sum, p) => sum + p, 0) - 1) < 0.02;

/** Why the probabilities of all classes look like noise, as a sentence; null where they do not. */
export function looksLikeNoise(probabilities: readonly number[]): string | null {
  const classes = probabilities.length;
  if (classes < 2 || !sharesOut(probabilities)) return null;
  const best = Math.max(...probabilities);
  if (entropyShare(probabilities) > chance) {
    return "All answers are about equally probable: the network does as well as chance.";
  }
  if (classes >= manyClasses && best < fairShares / classes) {
    return `Even the best answer is hardly more probable than one in ${classes}.`;
  }
  return null;
}

/**
 * Why the best answers to very different pictures look like noise; null where they do not. SqueezeNet, which takes values up to 255, sees a
 * mosquito net in five of the page's six photographs when it is given values up to 1, and six different things when it is given its own.
 */
export function mostlyTheSame(best: readonly ClassScore[], classes: number): string | null {
  if (classes < manyClasses || best.length < enoughPictures) return null;
  const counts = new Map<number, number>();
  for (const { index } of best) counts.set(index, (counts.get(index) ?? 0) + 1);
  const [[commonest, count] = [-1, 0]] = [...counts].sort(([, a], [, b]) => b - a);
  // Few classes may well hold most of the pictures.
  const suspicious = classes < veryManyClasses ? count === best.length : count > best.length / 2;
  if (!suspicious) return null;
  const label = best.find(({ index }) => index === commonest)?.label ?? String(commonest);
  return `Of ${best.length} very different pictures, ${count === best.length ? "all" : count} get the answer “${label}”.`;
}

/** What to look at when one of the two has something to say. */
export const noiseAdvice =
  "Check the range of the values (0 to 1, −1 to 1, 0 to 255), the mean and deviation, the order of the channels (RGB or BGR), the size, and " +
  "that the file holds trained weights.";

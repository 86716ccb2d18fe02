// How far two results lie apart.

export interface Difference {
  cosine: number;
  /** The length of the difference, as a part of the length of the reference. */
  distance: number;
  /** The largest difference, as a part of the largest value of the reference. */
  error: number;
}

export function compare(values: Float32Array, reference: Float32Array): Difference {
  if (values.length !== reference.length) {
    throw new Error(`${values.length} values were given where ${reference.length} were expected.`);
  }
  let [dot, a, b, squares, difference, largest] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const [v, r] = [values[i]!, reference[i]!];
    if (!Number.isFinite(v)) return { cosine: NaN, distance: Infinity, error: Infinity };
    dot += v * r;
    a += v * v;
    b += r * r;
    squares += (v - r) ** 2;
    difference = Math.max(difference, Math.abs(v - r));
    largest = Math.max(largest, Math.abs(r));
  }
  return {
    cosine: dot / Math.sqrt(a * b),
    distance: Math.sqrt(squares / b),
    error: difference / largest,
  };
}

/** Which of the results agrees best with the others: the one whose middle cosine with the rest is the highest. */
export function mostAgreed(results: Float32Array[]): number {
  let [best, bestScore] = [0, -Infinity];
  results.forEach((result, i) => {
    const cosines = results
      .filter((_, j) => j !== i)
      .map((other) => compare(result, other).cosine)
      .map((cosine) => (Number.isNaN(cosine) ? -1 : cosine));
    const score = cosines.length === 0 ? 0 : median(cosines);
    if (score > bestScore) [best, bestScore] = [i, score];
  });
  return best;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

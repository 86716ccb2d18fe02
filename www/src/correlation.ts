// How alike two maps order the pixels.

/**
 * Spearman's rank correlation, -1 to 1: the correlation of the ranks, where equal values share the mean of theirs. Null where the maps
 * differ in size, or where one has no differences.
 */
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  if (a.length !== b.length || a.length < 2) return null;
  const [one, other] = [ranks(a), ranks(b)];
  const mean = (a.length + 1) / 2;
  let [both, first, second] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [(one[i] ?? 0) - mean, (other[i] ?? 0) - mean];
    both += x * y;
    first += x * x;
    second += y * y;
  }
  return first > 0 && second > 0 ? both / Math.sqrt(first * second) : null;
}

/** The ranks from 1 on; equal values share the mean of theirs. */
function ranks(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, place) => place).sort(
    (i, j) => (values[i] ?? 0) - (values[j] ?? 0),
  );
  const result = new Float64Array(values.length);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && values[order[end] ?? 0] === values[order[start] ?? 0]) end++;
    for (let i = start; i < end; i++) result[order[i] ?? 0] = (start + 1 + end) / 2;
    start = end;
  }
  return result;
}

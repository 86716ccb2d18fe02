// A recording: where in it somebody speaks.

/** The loudest stretch of so many samples, a little before its start left in; all of it where it is no longer than that. */
export function loudest(samples: Float32Array, length: number): Float32Array {
  if (samples.length <= length) return samples;
  let power = 0;
  for (const value of samples.subarray(0, length)) power += value * value;
  let [most, best] = [power, 0];
  for (let start = 1; start + length <= samples.length; start++) {
    power += (samples[start + length - 1] ?? 0) ** 2 - (samples[start - 1] ?? 0) ** 2;
    // The first of equals; what rounding adds is no reason to move.
    if (power > most * (1 + 1e-6)) [most, best] = [power, start];
  }
  // The word stands in the middle of the stretch and not at its end, where there is room behind it.
  const [first, last] = spoken(samples.subarray(best, best + length));
  const middle = best + (first + last) / 2;
  const start = Math.round(Math.min(Math.max(0, middle - length / 2), samples.length - length));
  return samples.subarray(start, start + length);
}

/** From where to where the middle nine tenths of the power lie. */
function spoken(samples: Float32Array): [number, number] {
  const all = samples.reduce((sum, value) => sum + value * value, 0);
  let [sum, first, last] = [0, 0, samples.length - 1];
  samples.forEach((value, at) => {
    sum += value * value;
    if (sum < 0.05 * all) first = at;
    if (sum < 0.95 * all) last = at;
  });
  return [first, last];
}

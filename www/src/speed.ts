// How long a method will take on this device with this network, from what has been measured of it.

/** A measurement: so many passes (see passesOf) took so long. */
export interface Measurement {
  /** The method; null for a mere classification. */
  method: string | null;
  passes: number;
  milliseconds: number;
}

/** The measurements of one network on one device, the best of each method. */
export type Speed = readonly Measurement[];

/** Takes a measurement in. Of two of one method, that of more passes tells more (one pass is mostly waiting), and else the newer. */
export function measured(speed: Speed, measurement: Measurement): Speed {
  if (!(measurement.passes > 0 && measurement.milliseconds > 0)) return speed;
  const before = speed.find(({ method }) => method === measurement.method);
  if (before && before.passes > measurement.passes) return speed;
  return [...speed.filter((other) => other !== before), measurement];
}

/**
 * The milliseconds that so many passes of a method take; null while nothing was measured. A method's own pace counts where it is known,
 * else that of the measurement with the most passes.
 */
export function estimate(speed: Speed, method: string, passes: number): number | null {
  const own = speed.find((measurement) => measurement.method === method);
  const [widest] = [...speed].sort((a, b) => b.passes - a.passes);
  const pace = own ?? widest;
  return pace ? (pace.milliseconds / pace.passes) * passes : null;
}

// How long a method will take on this device with this network, from what has been measured of it.

/** A measurement: so many passes (see passesOf) took so long. */
export interface Measurement {
  /** The method; null for a mere classification. */
  method: string | null;
  /** Whether gradients were taken. */
  gradients: boolean;
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
 * else the best one of a method that takes gradients as it does, or takes none: what is slower was held up by a first run, or by looking at
 * one sample at a time. (A classification is such a first run.)
 */
export function estimate(
  speed: Speed,
  { method, gradients, passes }: Omit<Measurement, "milliseconds">,
): number | null {
  const own = speed.filter((measurement) => measurement.method === method);
  const alike = speed.filter((other) => other.method !== null && other.gradients === gradients);
  const nearest = [own, alike, speed].find((some) => some.length > 0) ?? [];
  const paces = nearest.map((measurement) => measurement.milliseconds / measurement.passes);
  return paces.length > 0 ? Math.min(...paces) * passes : null;
}

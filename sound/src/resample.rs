//! Another rate, by a band-limited filter.
//!
//! Each new sample is a sum of old ones, weighed by a sinc under Kaiser's window: what lies below 91.3 % of the lower of the two Nyquist
//! frequencies passes, what lies above the whole of it is damped by 100 dB, as libsoxr's high quality has it. The phases of a
//! rational ratio repeat, so that their weights are computed once.

use std::f64::consts::PI;

/// The part of the lower Nyquist frequency that passes.
const PASSBAND: f64 = 0.913;
/// How far the rest is damped, in decibels.
const DAMPING: f64 = 100.0;
/// Phases whose weights are kept; above, they are computed where they are used.
const MOST_PHASES: u64 = 1 << 11;

/// Samples at the rate `from` as samples at the rate `to`. The first stays at the time 0; outside of the sound is silence.
///
/// The length is that of the sound, rounded to a whole number of samples, and at least 1.
pub fn resample(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    if from == to || samples.is_empty() || from == 0 || to == 0 {
        return samples.to_vec();
    }
    let divisor = greatest_common_divisor(from, to);
    // Sample n of the new ones lies at n * step / phases of the old.
    let (step, phases) = (u64::from(from / divisor), u64::from(to / divisor));
    let filter = Filter::new(f64::from(to.min(from)) / f64::from(from));
    let table: Vec<Vec<f64>> = match phases <= MOST_PHASES {
        true => (0..phases).map(|phase| filter.weights(phase as f64 / phases as f64)).collect(),
        false => Vec::new(),
    };
    let length = resampled_length(samples.len(), from, to) as u64;
    let reach = filter.reach as i64;
    let last = samples.len() as i64 - 1;
    (0..length)
        .map(|n| {
            let (at, phase) = (n * step / phases, n * step % phases);
            let own;
            let weights = match table.get(phase as usize) {
                Some(known) => known,
                None => {
                    own = filter.weights(phase as f64 / phases as f64);
                    &own
                }
            };
            let first = at as i64 - reach + 1;
            let skipped = (-first).clamp(0, weights.len() as i64);
            let taken = (last - first + 1).clamp(skipped, weights.len() as i64);
            let weights = &weights[skipped as usize..taken as usize];
            let start = (first + skipped) as usize;
            let old = samples.get(start..start + weights.len()).unwrap_or_default();
            old.iter().zip(weights).map(|(&value, weight)| f64::from(value) * weight).sum::<f64>() as f32
        })
        .collect()
}

/// How many samples [`resample`] gives for so many.
pub fn resampled_length(samples: usize, from: u32, to: u32) -> usize {
    if from == to || samples == 0 || from == 0 || to == 0 {
        return samples;
    }
    (samples as f64 * f64::from(to) / f64::from(from)).round().max(1.0) as usize
}

/// A sinc under Kaiser's window.
struct Filter {
    /// Where the response has fallen by half, as a part of the old Nyquist frequency.
    cutoff: f64,
    /// Old samples to each side.
    reach: usize,
    beta: f64,
}

impl Filter {
    /// For a new Nyquist frequency of `ratio` of the old, or the old one where that is lower (`ratio` 1).
    fn new(ratio: f64) -> Self {
        // Kaiser's formulas: taps from the damping and the width of the transition, and the window's shape.
        let transition = (1.0 - PASSBAND) * ratio * PI;
        let taps = (DAMPING - 7.95) / (2.285 * transition);
        let cutoff = (1.0 + PASSBAND) / 2.0 * ratio;
        Self { cutoff, reach: (taps / 2.0).ceil() as usize + 1, beta: 0.1102 * (DAMPING - 8.7) }
    }

    /// The weights of the old samples from `reach - 1` before to `reach` after the one at whose `phase` (0 to 1) the new
    /// one lies. They add up to 1, so that what is constant stays so.
    fn weights(&self, phase: f64) -> Vec<f64> {
        let reach = self.reach as f64;
        let weight = |tap: usize| {
            let distance = tap as f64 - (reach - 1.0) - phase;
            let inside = 1.0 - (distance / reach).powi(2);
            if inside <= 0.0 {
                return 0.0;
            }
            let x = PI * self.cutoff * distance;
            let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
            sinc * bessel(self.beta * inside.sqrt())
        };
        let weights: Vec<f64> = (0..2 * self.reach).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }
}

/// The modified Bessel function of the first kind of order 0, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > 1e-16 * sum {
        term *= (x / (2.0 * k)).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of `hertz` at `rate`.
    fn tone(hertz: f64, rate: u32, length: usize) -> Vec<f32> {
        (0..length).map(|n| (2.0 * PI * hertz * n as f64 / f64::from(rate)).sin() as f32).collect()
    }

    /// How far `found` is from `right` in decibels, away from the ends.
    fn error(found: &[f32], right: &[f32]) -> f64 {
        let middle = right.len() / 4..right.len() * 3 / 4;
        let power = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
        let wrong = power(
            &mut found[middle.clone()].iter().zip(&right[middle.clone()]).map(|(a, b)| f64::from(a - b)),
        );
        10.0 * (wrong / power(&mut right[middle].iter().map(|&value| value.into()))).log10()
    }

    #[test]
    fn a_tone_in_the_passband_stays_itself_at_any_rate() {
        for (from, to, hertz) in [
            (44_100, 16_000, 1000.0),
            (44_100, 16_000, 7000.0),
            (16_000, 44_100, 7000.0),
            (8000, 16_000, 3500.0),
            (48_000, 16_000, 440.0),
            (44_101, 16_000, 3000.0),
            (22_050, 16_001, 3000.0),
        ] {
            let found = resample(&tone(hertz, from, from as usize / 4), from, to);
            let right = tone(hertz, to, found.len());
            let length = f64::from(from / 4) * f64::from(to) / f64::from(from);
            assert!((found.len() as f64 - length).abs() <= 0.5, "{from} to {to}: {}", found.len());
            assert_eq!(found.len(), resampled_length(from as usize / 4, from, to));
            assert!(error(&found, &right) < -90.0, "{from} to {to}: {} dB", error(&found, &right));
        }
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_gone() {
        let found = resample(&tone(9000.0, 44_100, 11_025), 44_100, 16_000);
        let middle = &found[found.len() / 4..found.len() * 3 / 4];
        assert!(crate::level(middle) < 1e-4, "{}", crate::level(middle));
    }

    #[test]
    fn what_is_constant_stays_so_and_the_same_rate_changes_nothing() {
        let found = resample(&[0.5; 4000], 44_100, 16_000);
        assert!(found[300..1100].iter().all(|value| (value - 0.5).abs() < 1e-6));
        let samples = tone(100.0, 16_000, 50);
        assert_eq!(resample(&samples, 16_000, 16_000), samples);
        assert_eq!(resample(&[0.3], 44_100, 8000).len(), 1);
    }
}

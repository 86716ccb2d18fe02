//! Quantiles, their intervals, and how a sample's quantiles lie against those of the normal distribution.

use std::ops::{Add, Mul, Sub};

use serde::Serialize;
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};

use super::Interval;

fn sorted(sample: &[f64]) -> Vec<f64> {
    let mut sorted = sample.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The quantile at `p` from 0 to 1, by linear interpolation between two values, as numpy's default.
pub fn quantile(sample: &[f64], p: f64) -> Option<f64> {
    if sample.is_empty() || !(0.0..=1.0).contains(&p) {
        return None;
    }
    Some(interpolated(&sorted(sample), p, |part| part))
}

/// A percentile of sorted numbers that are not empty, as [`quantile`] but in 32 bits.
pub(crate) fn percentile(sorted: &[f32], percent: f32) -> f32 {
    interpolated(sorted, f64::from(percent) / 100.0, |part| part as f32)
}

/// What lies at `p` of the way through sorted numbers: between two of them by linear interpolation, in their own precision.
fn interpolated<T>(sorted: &[T], p: f64, rounded: impl Fn(f64) -> T) -> T
where
    T: Copy + Add<Output = T> + Sub<Output = T> + Mul<Output = T>,
{
    let position = p * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * rounded(position.fract())
}

/// The interval in which the quantile at `p` of the population lies with `confidence`, whatever its distribution:
/// the number of values below the quantile is binomial, which bounds it by two values of the sample (Conover,
/// Practical Nonparametric Statistics, 3.2; scipy's `quantile_test`). `None` where the sample is too small for it.
pub fn quantile_interval(sample: &[f64], p: f64, confidence: f64) -> Option<Interval> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let sorted = sorted(sample);
    let below = Binomial::new(p, sorted.len() as u64).ok()?;
    let tail = (1.0 - confidence) / 2.0;
    let low = (below.inverse_cdf(tail) as usize).checked_sub(1)?;
    let high = below.inverse_cdf(1.0 - tail) as usize;
    Some(Interval { low: *sorted.get(low)?, high: *sorted.get(high)? })
}

/// A point of a Q-Q plot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QqPoint {
    /// The quantile of the standard normal distribution.
    pub theoretical: f64,
    /// The sample's value at the same rank.
    pub sample: f64,
}

/// The Q-Q plot against the standard normal distribution: each value of the sample, in order, against Filliben's
/// estimate of the median of that order statistic (AXAI, figure 3; scipy's `probplot`).
pub fn qq_normal(sample: &[f64]) -> Vec<QqPoint> {
    let n = sample.len() as f64;
    let last = 0.5f64.powf(1.0 / n);
    let standard = Normal::standard();
    let median = |i: usize| match i + 1 {
        rank if rank == sample.len() => last,
        1 => 1.0 - last,
        rank => (rank as f64 - 0.3175) / (n + 0.365),
    };
    let point = |(i, sample)| QqPoint { theoretical: standard.inverse_cdf(median(i)), sample };
    sorted(sample).into_iter().enumerate().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_the_extremes_and_small_samples_have_no_interval() {
        let sample = [3.0, 1.0, 2.0];
        assert_eq!(quantile(&sample, 0.0), Some(1.0));
        assert_eq!(quantile(&sample, 1.0), Some(3.0));
        assert_eq!(quantile(&sample, 1.5), None);
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile_interval(&sample, 0.5, 0.95), None);
        assert!(qq_normal(&[]).is_empty());
        assert_eq!(qq_normal(&[7.0])[0], QqPoint { theoretical: 0.0, sample: 7.0 });
    }

    #[test]
    fn percentiles_are_numpys() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        // numpy.percentile([1, 2, 4, 8], [0, 50, 80, 100])
        assert_eq!(percentile(&sorted, 0.0), 1.0);
        assert_eq!(percentile(&sorted, 50.0), 3.0);
        assert!((percentile(&sorted, 80.0) - 5.6).abs() < 1e-5);
        assert_eq!(percentile(&sorted, 100.0), 8.0);
    }
}

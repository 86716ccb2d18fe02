//! Means, moments and the interval that a mean lies in.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Where a quantity lies with a given confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// The arithmetic mean; `None` of nothing.
pub fn mean(sample: &[f64]) -> Option<f64> {
    (!sample.is_empty()).then(|| sample.iter().sum::<f64>() / sample.len() as f64)
}

/// The central moment of order `order`: the mean of `(x - mean)^order` (AXAI, equation 3).
fn central_moment(sample: &[f64], order: i32) -> Option<f64> {
    let centre = mean(sample)?;
    mean(&sample.iter().map(|x| (x - centre).powi(order)).collect::<Vec<_>>())
}

/// The unbiased variance, with `n - 1` in the denominator; `None` of fewer than two values.
pub fn variance(sample: &[f64]) -> Option<f64> {
    let n = sample.len() as f64;
    (sample.len() > 1).then(|| central_moment(sample, 2).map(|moment| moment * n / (n - 1.0)))?
}

/// The Fisher-Pearson coefficient of skewness, `g1 = m3 / m2^(3/2)` (AXAI, equation 2), not corrected for bias.
/// 0 is symmetric; within -0.5 and 0.5 a distribution counts as approximately so. `None` of a constant sample.
pub fn skewness(sample: &[f64]) -> Option<f64> {
    let (m2, m3) = (central_moment(sample, 2)?, central_moment(sample, 3)?);
    (m2 > 0.0).then(|| m3 / m2.powf(1.5))
}

/// The interval of the mean at `confidence` (0.95 in the paper) by Student's t; `None` of fewer than two values or
/// of a confidence that is not between 0 and 1.
pub fn mean_interval(sample: &[f64], confidence: f64) -> Option<Interval> {
    let n = sample.len() as f64;
    let (centre, variance) = (mean(sample)?, variance(sample)?);
    if !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let student = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
    let half = student.inverse_cdf(0.5 + confidence / 2.0) * (variance / n).sqrt();
    Some(Interval { low: centre - half, high: centre + half })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_without_a_spread_have_no_skewness() {
        assert_eq!(mean(&[]), None);
        assert_eq!(variance(&[1.0]), None);
        assert_eq!(skewness(&[2.0; 5]), None);
        assert_eq!(mean_interval(&[2.0; 5], 0.95), Some(Interval { low: 2.0, high: 2.0 }));
        assert_eq!(mean_interval(&[1.0, 2.0], 1.0), None);
    }
}

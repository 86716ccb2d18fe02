//! The beta distribution of AXAI's table 3, fitted by the method of moments.

use serde::Serialize;

use super::{mean, variance};

/// A beta distribution on an interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BetaFit {
    /// First shape parameter.
    pub p: f64,
    /// Second shape parameter.
    pub q: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Fits a beta distribution on `[low, high]` by the method of moments (AXAI, equations 9 and 10), where the mean and
/// the unbiased variance are first taken to the interval `[0, 1]`. The paper takes the sample's own smallest and
/// largest value as the interval.
///
/// `None` of fewer than two values, of a constant sample, of an empty interval, and of a sample that spreads more
/// than any beta distribution on this interval.
pub fn fit_beta(sample: &[f64], low: f64, high: f64) -> Option<BetaFit> {
    let width = high - low;
    if width.is_nan() || width <= 0.0 {
        return None;
    }
    let centre = (mean(sample)? - low) / width;
    let spread = variance(sample)? / (width * width);
    if spread <= 0.0 {
        return None;
    }
    let common = centre * (1.0 - centre) / spread - 1.0;
    let (p, q) = (centre * common, (1.0 - centre) * common);
    (p > 0.0 && q > 0.0).then_some(BetaFit { p, q, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uniform_distribution_is_beta_1_1() {
        let sample: Vec<f64> = (0..100_001).map(|i| f64::from(i) / 1e5 * 4.0 - 2.0).collect();
        let fit = fit_beta(&sample, -2.0, 2.0).unwrap();
        assert!((fit.p - 1.0).abs() < 1e-3 && (fit.q - 1.0).abs() < 1e-3, "{fit:?}");
    }

    #[test]
    fn what_no_beta_distribution_can_be_is_refused() {
        assert_eq!(fit_beta(&[1.0; 3], 0.0, 2.0), None);
        assert_eq!(fit_beta(&[0.0, 1.0], 0.0, 1.0), None);
        assert_eq!(fit_beta(&[0.2, 0.4], 1.0, 1.0), None);
    }
}

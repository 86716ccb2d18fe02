//! Do two or more samples come from distributions with the same mean, or the same mean rank?

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, FisherSnedecor, Normal, StudentsT};

use super::{mean, ranks, variance};

/// The outcome of a test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TestResult {
    /// The test's statistic: t, U or F.
    pub statistic: f64,
    /// The probability of a statistic at least as extreme where there is no difference; two-sided for t and U.
    pub p_value: f64,
}

/// A test of the samples numbered `first` and `second`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pair {
    /// The first sample's number.
    pub first: usize,
    /// The second sample's number.
    pub second: usize,
    /// The outcome.
    pub result: TestResult,
}

/// Student's two-sample t-test of equal means with pooled variance (AXAI, equations 4 and 5, for any two sizes).
/// `None` of samples with fewer than two values, or both constant.
pub fn t_test(a: &[f64], b: &[f64]) -> Option<TestResult> {
    let (n_a, n_b) = (a.len() as f64, b.len() as f64);
    let freedom = n_a + n_b - 2.0;
    let pooled = ((n_a - 1.0) * variance(a)? + (n_b - 1.0) * variance(b)?) / freedom;
    if pooled <= 0.0 {
        return None;
    }
    let statistic = (mean(a)? - mean(b)?) / (pooled * (1.0 / n_a + 1.0 / n_b)).sqrt();
    let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some(TestResult { statistic, p_value: 2.0 * student.sf(statistic.abs()) })
}

/// The Mann-Whitney U test of equal mean ranks; the statistic is that of the first sample,
/// `U1 = R1 - n1 (n1 + 1) / 2` (AXAI's equation 6 prints `n1 (n1 - 1) / 2`, and takes the smaller of `U1` and
/// `U2 = n1 n2 - U1`, which changes no p-value). The p-value is by the normal approximation, corrected for ties and
/// continuity (scipy's `method="asymptotic"`). `None` of an empty sample, or where all values are equal.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<TestResult> {
    let (n_a, n_b) = (a.len() as f64, b.len() as f64);
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let pooled = [a, b].concat();
    let ranks = ranks(&pooled);
    let u = ranks[..a.len()].iter().sum::<f64>() - n_a * (n_a + 1.0) / 2.0;
    let n = n_a + n_b;
    let deviation = (n_a * n_b / 12.0 * (n + 1.0 - ties(ranks) / (n * (n - 1.0)))).sqrt();
    if deviation.is_nan() || deviation <= 0.0 {
        return None;
    }
    let z = ((u.max(n_a * n_b - u) - n_a * n_b / 2.0) - 0.5) / deviation;
    let p_value = (2.0 * Normal::standard().sf(z)).min(1.0);
    Some(TestResult { statistic: u, p_value })
}

/// The sum of `t^3 - t` over groups of `t` equal values.
fn ties(mut ranks: Vec<f64>) -> f64 {
    ranks.sort_unstable_by(f64::total_cmp);
    let size = |group: &[f64]| group.len() as f64;
    ranks.chunk_by(|a, b| a == b).map(size).map(|t| t.powi(3) - t).sum()
}

/// One-way analysis of variance: do all samples have the same mean? `None` of fewer than two samples, of an empty
/// sample, and where no sample varies.
pub fn anova(samples: &[&[f64]]) -> Option<TestResult> {
    let groups = samples.len() as f64;
    let count: usize = samples.iter().map(|sample| sample.len()).sum();
    let within_freedom = count as f64 - groups;
    if samples.len() < 2 || within_freedom <= 0.0 {
        return None;
    }
    let grand = mean(&samples.concat())?;
    let (mut between, mut within) = (0.0, 0.0);
    for sample in samples {
        let centre = mean(sample)?;
        between += sample.len() as f64 * (centre - grand).powi(2);
        within += sample.iter().map(|x| (x - centre).powi(2)).sum::<f64>();
    }
    if within <= 0.0 {
        return None;
    }
    let statistic = (between / (groups - 1.0)) / (within / within_freedom);
    let fisher = FisherSnedecor::new(groups - 1.0, within_freedom).ok()?;
    Some(TestResult { statistic, p_value: fisher.sf(statistic) })
}

/// A test of every pair of samples (AXAI's table 1); pairs for which the test is not defined are left out.
pub fn pairwise(samples: &[&[f64]], test: fn(&[f64], &[f64]) -> Option<TestResult>) -> Vec<Pair> {
    let pairs =
        (0..samples.len()).flat_map(|first| (first + 1..samples.len()).map(move |second| (first, second)));
    pairs
        .filter_map(|(first, second)| {
            Some(Pair { first, second, result: test(samples[first], samples[second])? })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_say_nothing_have_no_result() {
        assert_eq!(t_test(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(t_test(&[1.0; 3], &[2.0; 3]), None);
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(mann_whitney(&[1.0; 3], &[1.0; 3]), None);
        assert_eq!(anova(&[&[1.0, 2.0]]), None);
        assert_eq!(anova(&[&[1.0, 1.0], &[2.0, 2.0]]), None);
        assert_eq!(pairwise(&[&[1.0; 3], &[2.0; 3], &[1.0, 2.0]], t_test).len(), 2);
    }

    #[test]
    fn the_same_sample_twice_is_no_difference() {
        let sample = [1.0, 4.0, 2.0, 8.0];
        assert_eq!(t_test(&sample, &sample).unwrap().p_value, 1.0);
        assert_eq!(mann_whitney(&sample, &sample).unwrap().p_value, 1.0);
    }
}

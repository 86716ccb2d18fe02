//! Correlations between two lists of numbers.

/// Pearson's correlation; `None` where one of the lists is constant or empty.
///
/// # Panics
/// Where the lists differ in length.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "a correlation is of pairs");
    let (mean_a, mean_b) = (super::mean(a)?, super::mean(b)?);
    let (mut dot, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        dot += a * b;
        aa += a * a;
        bb += b * b;
    }
    // Rounding of the mean leaves a constant list with a spread of about its own last digit.
    let spread = |sum: f64, mean: f64| sum > a.len() as f64 * (mean * 4.0 * f64::EPSILON).powi(2);
    (spread(aa, mean_a) && spread(bb, mean_b)).then(|| (dot / (aa * bb).sqrt()).clamp(-1.0, 1.0))
}

/// Spearman's rank correlation: Pearson's of the ranks; `None` where one of the lists is constant or empty.
///
/// # Panics
/// Where the lists differ in length.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&ranks(a), &ranks(b))
}

/// The rank of every value, the smallest 1; equal values share the mean of their ranks.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = before as f64 + (equal.len() + 1) as f64 / 2.0;
        for &index in equal {
            ranks[index] = rank;
        }
        before += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_their_rank() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0, -0.0, 0.0]), [4.5, 3.0, 4.5, 1.5, 1.5]);
    }

    #[test]
    fn a_constant_list_correlates_with_nothing() {
        assert_eq!(pearson(&[0.1; 4], &[1.0, 2.0, 3.0, 4.0]), None);
        assert_eq!(spearman(&[], &[]), None);
        assert_eq!(spearman(&[1.0, 2.0, 4.0], &[1.0, 4.0, 9.0]), Some(1.0));
    }
}

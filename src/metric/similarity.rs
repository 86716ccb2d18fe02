//! How two maps resemble each other: defined for every pair of finite maps.

use super::assessment::descending;
use crate::statistics;

/// Spearman's rank correlation. A map without an order (all values equal) agrees with nothing, 0, but with itself, 1.
pub(super) fn spearman(a: &[f64], b: &[f64]) -> f64 {
    statistics::spearman(a, b).unwrap_or_else(|| same(a, b))
}

/// Pearson's correlation, with the same convention for a constant map.
pub(super) fn pearson(a: &[f64], b: &[f64]) -> f64 {
    statistics::pearson(a, b).unwrap_or_else(|| same(a, b))
}

fn same(a: &[f64], b: &[f64]) -> f64 {
    f64::from(u8::from(a == b))
}

/// The part of the `k` highest values of `a` that are among those of `b`, 0 to 1; equal values in their own order.
/// `k` is cut off to the number of values.
pub(super) fn top_k(a: &[f64], b: &[f64], k: usize) -> f64 {
    let k = k.min(a.len());
    let mut top = vec![false; a.len()];
    for &index in &descending(a)[..k] {
        top[index] = true;
    }
    let shared = descending(b)[..k].iter().filter(|&&index| top[index]).count();
    super::share(shared as f64, k as f64)
}

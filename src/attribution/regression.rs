//! Weighted least squares on the host, for methods that fit a linear model to a network's answers.

/// The coefficients that minimise `Σ wᵢ (yᵢ - xᵢ·β)² + ridge·‖β‖²`, by Cholesky's decomposition of the normal
/// equations in 64 bits; `None` where they do not determine the coefficients.
///
/// `rows` are the `xᵢ`, all of the same length.
pub(super) fn least_squares(rows: &[Vec<f64>], y: &[f64], weights: &[f64], ridge: f64) -> Option<Vec<f64>> {
    let n = rows.first()?.len();
    let mut matrix = vec![0.0; n * n];
    let mut right = vec![0.0; n];
    for ((row, y), weight) in rows.iter().zip(y).zip(weights) {
        for (i, a) in row.iter().enumerate().filter(|(_, a)| **a != 0.0) {
            right[i] += weight * a * y;
            for (entry, b) in matrix[i * n..=i * n + i].iter_mut().zip(row) {
                *entry += weight * a * b;
            }
        }
    }
    for i in 0..n {
        matrix[i * n + i] += ridge;
    }
    solve(matrix, right)
}

/// Like [`least_squares`], with an intercept that the ridge leaves alone; also returns the intercept.
pub(super) fn with_intercept(
    rows: &[Vec<f64>],
    y: &[f64],
    weights: &[f64],
    ridge: f64,
) -> Option<(Vec<f64>, f64)> {
    let total: f64 = weights.iter().sum();
    let mut mean = vec![0.0; rows.first()?.len()];
    for (row, weight) in rows.iter().zip(weights) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += weight * value / total);
    }
    let mean_y: f64 = y.iter().zip(weights).map(|(y, weight)| weight * y / total).sum();
    let centred: Vec<Vec<f64>> =
        rows.iter().map(|row| row.iter().zip(&mean).map(|(value, mean)| value - mean).collect()).collect();
    let y: Vec<f64> = y.iter().map(|y| y - mean_y).collect();
    let coefficients = least_squares(&centred, &y, weights, ridge)?;
    let intercept = mean_y - coefficients.iter().zip(&mean).map(|(c, mean)| c * mean).sum::<f64>();
    Some((coefficients, intercept))
}

/// Solves `matrix · x = right` for a positive definite matrix, of which the lower triangle is read.
fn solve(mut matrix: Vec<f64>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for i in 0..n {
        for j in 0..=i {
            let (above, below) = matrix.split_at(i * n);
            let dot =
                |row: &[f64], other: &[f64]| row[..j].iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
            if i == j {
                let before = below[i];
                let rest = before - dot(below, below);
                // Rounding leaves of a dependent row this much at most.
                if rest.is_nan() || rest <= 1e-12 * before.abs() {
                    return None;
                }
                matrix[i * n + i] = rest.sqrt();
            } else {
                let other = &above[j * n..];
                let value = (below[j] - dot(below, other)) / other[j];
                matrix[i * n + j] = value;
            }
        }
    }
    for i in 0..n {
        let known: f64 = (0..i).map(|j| matrix[i * n + j] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i * n + i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| matrix[j * n + i] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i * n + i];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_and_intercept_are_found() {
        let rows: Vec<Vec<f64>> =
            (0..8).map(|i| vec![f64::from(i & 1), f64::from(i >> 1 & 1), f64::from(i >> 2)]).collect();
        let y: Vec<f64> = rows.iter().map(|row| 3.0 + 2.0 * row[0] - row[1] + 0.5 * row[2]).collect();
        let weights: Vec<f64> = (1..=8).map(f64::from).collect();
        let (coefficients, intercept) = with_intercept(&rows, &y, &weights, 0.0).unwrap();
        for (found, exact) in coefficients.iter().zip([2.0, -1.0, 0.5]) {
            assert!((found - exact).abs() < 1e-12);
        }
        assert!((intercept - 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_ridge_shrinks_and_leaves_the_intercept_alone() {
        let rows = vec![vec![0.0], vec![1.0]];
        // Centred: x = ±1/2, y = ±1/2, so that β = (1/2) / (1/2 + 1) = 1/3.
        let (coefficients, intercept) = with_intercept(&rows, &[10.0, 11.0], &[1.0, 1.0], 1.0).unwrap();
        assert!((coefficients[0] - 1.0 / 3.0).abs() < 1e-12);
        assert!((intercept - (10.5 - 1.0 / 6.0)).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_determined_is_refused() {
        let rows = vec![vec![1.0, 1.0], vec![2.0, 2.0]];
        assert_eq!(least_squares(&rows, &[1.0, 2.0], &[1.0, 1.0], 0.0), None);
    }
}

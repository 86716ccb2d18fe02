//! Blur integrated gradients (Xu, Venugopalan, Sundararajan 2020): the gradient integrated from a blurred picture to
//! the sharp one.
//!
//! Equation 5 of the paper in the sums of PAIR's `saliency` package:
//! `-sum of (sigma_(k+1) - sigma_k) * d L(sigma_k)/d sigma * grad f(L(sigma_k))`, where `L(sigma)` is the input under a
//! Gaussian blur of that standard deviation, in model space, zeros beyond the edge.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    display::{Channels, Display},
    method::{Cost, Method, Need},
};
use crate::{Result, model::Score};

/// Blur integrated gradients.
pub struct BlurIg;

/// Parameters of blur integrated gradients.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Blurred pictures on the way.
    #[schemars(range(min = 1, max = 1000))]
    pub steps: usize,
    /// Standard deviation of the strongest blur, in pixels.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub max_sigma: f32,
    /// The difference of standard deviations over which the change of the picture is measured, in pixels.
    #[schemars(range(min = 0.001, max = 1.0))]
    pub grad_step: f32,
    /// Let the standard deviations grow as square roots instead of evenly.
    pub sqrt: bool,
    /// The score whose gradient is taken.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { steps: 100, max_sigma: 50.0, grad_step: 0.01, sqrt: false, score: Score::Logit }
    }
}

impl Method for BlurIg {
    type Config = Config;
    const NAME: &'static str = "blur_ig";
    const TITLE: &'static str = "Blur integrated gradients";
    const SUMMARY: &'static str =
        "Adds up the gradient while the picture comes into focus; no foreign colour serves as a baseline.";
    const PAPER: &'static str = "Xu, Venugopalan, Sundararajan: Attribution in Scale and Space (2020)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::SumAbs, low: 80.0, high: 99.0 };
    const ANYTIME: Anytime = Anytime::Shows;
    const SHORTFALL: &'static str = "More steps, or a smaller max_sigma, come closer.";

    fn cost(config: &Config) -> Cost {
        // The two ends are scored for the completeness gap.
        Cost { forward: config.steps + 2, backward: config.steps }
    }

    fn quick() -> Config {
        Config { steps: 20, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let Config { steps, score, .. } = *config;
        let sigma = |k: usize| {
            let part = k as f64 * f64::from(config.max_sigma);
            if config.sqrt { (part / steps as f64).sqrt() } else { part / steps as f64 }
        };
        subject.compared_with("the blurred picture".into());
        let mut sum = subject.input().zeros_like();
        let mut batches = subject.batches(steps, "gradients of blurred pictures");
        while let Some(rows) = batches.next().await? {
            let (blurred, changes): (Vec<_>, Vec<_>) = rows
                .clone()
                .map(|k| {
                    let blur = Blur::new(subject, sigma(k), config.grad_step)?;
                    let (blurred, change) = blur.apply();
                    Ok((blurred, change * (sigma(k) - sigma(k + 1)) as f32))
                })
                .collect::<Result<Vec<_>>>()?
                .into_iter()
                .unzip();
            let targets = vec![subject.target(); rows.len()];
            let gradient = subject.gradients(Tensor::cat(blurred, 0), &targets, score)?.gradient;
            // Blur IG eq. 5.
            sum = sum + (gradient * Tensor::cat(changes, 0)).sum_dim(0);
            batches.so_far(|| sum.clone()).await?;
        }
        // Completeness: the attributions should add up to f(x) - f(the most blurred picture).
        let most = Blur::new(subject, sigma(steps), config.grad_step)?.apply().0;
        let logits = subject.logits(Tensor::cat(vec![subject.input(), most], 0))?;
        let ends = subject.scores(logits, score);
        let change = ends.clone().slice(0..1) - ends.slice(1..2);
        Ok(Attribution::complete(sum, steps, change))
    }
}

/// The picture under a blur, and its change with the blur's standard deviation.
///
/// A Gaussian blur multiplies the picture by one matrix from the left and one from the right, here `L` and `R`. By
/// taking the matrices' derivatives in 64 bits, the picture's does not drown in the rounding of 32.
struct Blur {
    /// `[C, H, W]`.
    picture: Tensor<3>,
    left: [Tensor<3>; 3],
    right: [Tensor<3>; 3],
    features: usize,
}

impl Blur {
    fn new(subject: &Subject<'_>, sigma: f64, step: f32) -> Result<Self> {
        let [channels, height, width] = subject.image()?;
        let step = f64::from(step);
        let matrices = |size: usize| {
            let (here, beyond) = (kernel_matrix(size, sigma), kernel_matrix(size, sigma + step));
            let change = here.iter().zip(&beyond).map(|(here, beyond)| (beyond - here) / step).collect();
            [here, beyond, change].map(|matrix: Vec<f64>| {
                let matrix = matrix.into_iter().map(|value| value as f32).collect();
                subject.tensor(matrix, [size, size]).unsqueeze::<3>()
            })
        };
        Ok(Self {
            picture: subject.input().reshape([channels, height, width]),
            left: matrices(height),
            right: matrices(width),
            features: subject.features(),
        })
    }

    /// `L x R` and `(L' x R' - L x R) / step`, `[1, features]` each; the matrices are symmetric.
    fn apply(self) -> (Tensor<2>, Tensor<2>) {
        let [left, _, left_change] = self.left;
        let [right, right_beyond, right_change] = self.right;
        let from_left = left.matmul(self.picture.clone());
        let blurred = from_left.clone().matmul(right);
        let change = left_change.matmul(self.picture).matmul(right_beyond) + from_left.matmul(right_change);
        let row = |picture: Tensor<3>| picture.reshape([1, self.features]);
        (row(blurred), row(change))
    }
}

/// The blur of a line of `size` pixels as a matrix, row by row: a Gaussian cut at four standard deviations, as
/// scipy's `gaussian_filter(mode="constant")`.
fn kernel_matrix(size: usize, sigma: f64) -> Vec<f64> {
    let radius = (4.0 * sigma + 0.5) as usize;
    let weights: Vec<f64> =
        (0..=radius).map(|d| if d == 0 { 1.0 } else { (-0.5 * (d as f64 / sigma).powi(2)).exp() }).collect();
    let total = 2.0 * weights.iter().sum::<f64>() - 1.0;
    (0..size * size)
        .map(|index| weights.get((index / size).abs_diff(index % size)).map_or(0.0, |weight| weight / total))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_scipys() {
        // scipy.ndimage.gaussian_filter1d([0, 0, 1, 0, 0], sigma, mode="constant")
        for (sigma, expected) in [
            (0.8, [0.021910314171364808, 0.22831071645846548, 0.49867645200647487]),
            (2.1, [0.12071213501718141, 0.1696172988578891, 0.18998087343209763]),
        ] {
            let row = &kernel_matrix(5, sigma)[10..15];
            for (column, value) in row.iter().enumerate() {
                assert!((value - expected[2 - column.abs_diff(2)]).abs() < 1e-15, "{row:?}");
            }
        }
        assert_eq!(kernel_matrix(2, 0.0), [1.0, 0.0, 0.0, 1.0]);
    }
}

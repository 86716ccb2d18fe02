//! Meaningful perturbation, MASK (Fong and Vedaldi 2017): the smallest smooth region whose blurring takes the class away.
//!
//! A coarse mask `m` is learned by gradient descent on `l1·mean|1 - m| + tv·TV(m) + p_t(x·up(m) + blur(x)·(1 - up(m)))`.
//! The network's gradient comes from the model; those of the interpolation and of the two penalties are written out
//! below. The random jitter of some implementations is left out.

use burn::tensor::{Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    baseline::{BASELINE, given_or},
    display::{Channels, Display},
    method::{Cost, Given, Method, Need},
    scaled,
};
use crate::{Result, filter::gaussian, input::parts::Joined, model::Score};

/// Meaningful perturbation.
pub struct Mask;

/// A published setting of the iterations and the weights of the penalties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Setting {
    /// 300 iterations, l1 1e-4, tv 0.01.
    #[default]
    Gentle,
    /// 500 iterations, l1 0.01, tv 0.2.
    Sparse,
    /// The parameters `iterations`, `l1` and `tv`.
    Own,
}

/// Parameters of MASK.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// gentle: 300 iterations, l1 0.0001, tv 0.01; sparse: 500 iterations, l1 0.01, tv 0.2; own: the three parameters
    /// below.
    pub setting: Setting,
    /// With the setting own: steps of the optimiser.
    #[schemars(range(min = 1, max = 10000))]
    pub iterations: usize,
    /// With the setting own: weight of the region's size.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub l1: f32,
    /// With the setting own: weight of the region's roughness.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub tv: f32,
    /// Power of the differences in the roughness.
    #[schemars(range(min = 1.0, max = 10.0))]
    pub tv_beta: f32,
    /// Step size of the optimiser (Adam).
    #[schemars(range(min = 0.0, max = 10.0))]
    pub learning_rate: f32,
    /// Side of the coarse mask. Left out: 28 for pictures of 224 pixels a side and more; an eighth of a smaller one's shorter
    /// side, but no coarser than 8 cells where there are as many pixels.
    #[schemars(range(min = 2, max = 1000))]
    pub mask_size: Option<usize>,
    /// Deviation of the blur, in pixels; its kernel is 11 pixels wide.
    #[schemars(range(min = 0.1, max = 100.0))]
    pub blur: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            setting: Setting::Gentle,
            iterations: 300,
            l1: 1e-4,
            tv: 1e-2,
            tv_beta: 3.0,
            learning_rate: 0.1,
            mask_size: None,
            blur: 5.0,
        }
    }
}

impl Config {
    /// Iterations, weight of the size, weight of the roughness.
    fn weights(&self) -> (usize, f32, f32) {
        match self.setting {
            Setting::Gentle => (300, 1e-4, 1e-2),
            Setting::Sparse => (500, 1e-2, 0.2),
            Setting::Own => (self.iterations, self.l1, self.tv),
        }
    }
}

impl Method for Mask {
    type Config = Config;
    const NAME: &'static str = "mask";
    const TITLE: &'static str = "Meaningful perturbation";
    const SUMMARY: &'static str =
        "Looks for the smallest region that must be blurred for the class to vanish.";
    const PAPER: &'static str =
        "Fong, Vedaldi: Interpretable Explanations of Black Boxes by Meaningful Perturbation (2017)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;
    const ANYTIME: Anytime = Anytime::Settles;
    const GIVEN: &'static [Given] = &[BASELINE];

    fn cost(config: &Config) -> Cost {
        let (iterations, ..) = config.weights();
        Cost { forward: iterations, backward: iterations }
    }

    fn quick() -> Config {
        // The weights are those of the setting "sparse", which finds a region sooner.
        Config { setting: Setting::Own, iterations: 100, l1: 1e-2, tv: 0.2, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let [channels, height, width] = subject.image()?;
        let (iterations, l1, tv) = config.weights();
        let device = subject.input().device();
        let matrix = |values: Vec<f32>, rows, columns| {
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device)
        };
        let shorter = height.min(width);
        let side = config.mask_size.unwrap_or_else(|| scaled(28, shorter).max(shorter.min(8)).max(2));
        subject.decided("mask_size", side);
        let down = matrix(interpolation(side, height), height, side);
        let right = matrix(interpolation(side, width), width, side);
        let up = |mask: Tensor<2>| down.clone().matmul(mask).matmul(right.clone().transpose());

        let x = subject.input().reshape([channels, height, width]);
        let blank = given_or(subject, "the blurred picture")?;
        let blur_down = matrix(blur(height, config.blur), height, height).unsqueeze::<3>();
        let blur_right = matrix(blur(width, config.blur), width, width).transpose().unsqueeze::<3>();
        let blurred = match blank {
            Some(blank) => blank.reshape([channels, height, width]),
            None => blur_down.matmul(x.clone()).matmul(blur_right),
        };
        let difference = x - blurred.clone();

        let mut mask = Tensor::<2>::ones([side, side], &device);
        let map = |mask: &Tensor<2>| (up(mask.clone()) * -1.0 + 1.0).reshape([1, height * width]);
        let mut done = 0;
        let mut optimiser = Adam::new(&mask, config.learning_rate);
        for iteration in 0..iterations {
            subject.checkpoint(iteration, iterations, "looking for the smallest region").await?;
            let picture = blurred.clone() + difference.clone() * up(mask.clone()).unsqueeze::<3>();
            let picture = picture.reshape([1, channels * height * width]);
            let found = subject.gradients(picture, &[subject.target()], Score::Probability)?;
            let at_pixels = found.gradient.reshape([channels, height, width]) * difference.clone();
            let at_pixels = at_pixels.sum_dim(0).reshape([height, width]);
            // The transpose of `up`.
            let at_cells = down.clone().transpose().matmul(at_pixels).matmul(right.clone());
            let size = (mask.clone() * -1.0 + 1.0).sign() * (-l1 / (side * side) as f32);
            let gradient = at_cells + size + roughness(&mask, config.tv_beta) * tv;
            mask = optimiser.step(mask, gradient).clamp(0.0, 1.0);
            done += 1;
            if subject.so_far(done, iterations, || map(&mask)).await? {
                break;
            }
        }
        Ok(Attribution::new(map(&mask), done))
    }
}

/// The gradient of `TV(m) = mean|m[i+1,j] - m[i,j]|^β + mean|m[i,j+1] - m[i,j]|^β`.
fn roughness(mask: &Tensor<2>, beta: f32) -> Tensor<2> {
    let [rows, columns] = mask.dims();
    let along_rows = slope(
        mask.clone().slice([1..rows, 0..columns]) - mask.clone().slice([0..rows - 1, 0..columns]),
        beta,
    );
    let along_columns = slope(
        mask.clone().slice([0..rows, 1..columns]) - mask.clone().slice([0..rows, 0..columns - 1]),
        beta,
    );
    let edge_row = Tensor::zeros([1, columns], &mask.device());
    let edge_column = Tensor::zeros([rows, 1], &mask.device());
    // Each difference pulls at the cell after it and pushes at the one before it.
    Tensor::cat(vec![edge_row.clone(), along_rows.clone()], 0) - Tensor::cat(vec![along_rows, edge_row], 0)
        + Tensor::cat(vec![edge_column.clone(), along_columns.clone()], 1)
        - Tensor::cat(vec![along_columns, edge_column], 1)
}

/// The derivative of `mean|d|^β`.
fn slope(difference: Tensor<2>, beta: f32) -> Tensor<2> {
    let count = difference.dims().iter().product::<usize>() as f32;
    difference.clone().abs().powf_scalar(beta - 1.0) * difference.sign() * (beta / count)
}

/// Adam (Kingma and Ba 2014) with its published constants.
struct Adam {
    learning_rate: f32,
    mean: Tensor<2>,
    square: Tensor<2>,
    steps: i32,
}

impl Adam {
    fn new(parameters: &Tensor<2>, learning_rate: f32) -> Self {
        Self { learning_rate, mean: parameters.zeros_like(), square: parameters.zeros_like(), steps: 0 }
    }

    fn step(&mut self, parameters: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        const KEEP_MEAN: f64 = 0.9;
        const KEEP_SQUARE: f64 = 0.999;
        const GUARD: f64 = 1e-8;
        self.steps += 1;
        self.mean = self.mean.clone() * KEEP_MEAN + gradient.clone() * (1.0 - KEEP_MEAN);
        self.square = self.square.clone() * KEEP_SQUARE + gradient.clone() * gradient * (1.0 - KEEP_SQUARE);
        let mean = self.mean.clone() / (1.0 - KEEP_MEAN.powi(self.steps));
        let deviation = (self.square.clone() / (1.0 - KEEP_SQUARE.powi(self.steps))).sqrt();
        parameters - mean / (deviation + GUARD) * self.learning_rate
    }
}

/// Bilinear interpolation of `from` cells to `to` pixels with the corners on the corners, a matrix `[to, from]`.
fn interpolation(from: usize, to: usize) -> Vec<f32> {
    let mut matrix = vec![0.0; to * from];
    let step = (from - 1) as f64 / (to - 1).max(1) as f64;
    for (pixel, weights) in matrix.chunks_exact_mut(from).enumerate() {
        let position = pixel as f64 * step;
        let cell = (position as usize).min(from - 2);
        let part = position - cell as f64;
        weights[cell] = (1.0 - part) as f32;
        weights[cell + 1] = part as f32;
    }
    matrix
}

/// A Gaussian blur of 11 pixels along a side, mirrored at the middle of the edge pixels as OpenCV does it: a matrix
/// `[size, size]`.
fn blur(size: usize, deviation: f32) -> Vec<f32> {
    const RADIUS: isize = 5;
    let weights = gaussian(RADIUS as usize, f64::from(deviation));
    let mut matrix = vec![0.0; size * size];
    let last = size as isize - 1;
    for pixel in 0..=last {
        for (offset, weight) in (-RADIUS..=RADIUS).zip(&weights) {
            let mut from = pixel + offset;
            while !(0..=last).contains(&from) && last > 0 {
                from = if from < 0 { -from } else { 2 * last - from };
            }
            matrix[pixel as usize * size + from.clamp(0, last) as usize] += *weight as f32;
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolations_and_blurs_are_means() {
        for (matrix, columns) in
            [(interpolation(28, 224), 28), (interpolation(5, 3), 5), (blur(224, 5.0), 224), (blur(4, 5.0), 4)]
        {
            for weights in matrix.chunks_exact(columns) {
                assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            }
        }
        assert_eq!(interpolation(3, 5)[5 * 3 - 1], 1.0, "the last pixel is the last cell");
    }

    #[test]
    fn the_gradient_of_the_roughness_is_its_slope() {
        let values: Vec<f32> = (0..12).map(|i| ((i * 7919 % 13) as f32) / 13.0).collect();
        let tv = |values: &[f32]| {
            let at = |row: usize, column: usize| f64::from(values[row * 4 + column]);
            let mut sums = [0.0; 2];
            for row in 0..3 {
                for column in 0..4 {
                    if row < 2 {
                        sums[0] += (at(row + 1, column) - at(row, column)).abs().powi(3) / 8.0;
                    }
                    if column < 3 {
                        sums[1] += (at(row, column + 1) - at(row, column)).abs().powi(3) / 9.0;
                    }
                }
            }
            sums[0] + sums[1]
        };
        let device = burn::tensor::Device::flex();
        let mask = Tensor::<2>::from_data(TensorData::new(values.clone(), [3, 4]), &device);
        let slopes = roughness(&mask, 3.0).into_data().try_into_vec::<f32>().unwrap();
        for (index, slope) in slopes.iter().enumerate() {
            let moved = |by: f32| {
                let mut values = values.clone();
                values[index] += by;
                tv(&values)
            };
            let numeric = (moved(1e-3) - moved(-1e-3)) / 2e-3;
            assert!((numeric - f64::from(*slope)).abs() < 1e-4, "{index}: {slope}, not {numeric}");
        }
    }
}

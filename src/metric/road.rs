//! ROAD: remove and debias (Rong et al. 2022), removal by noisy linear imputation.

use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Curve, Finding,
    assessment::{ascending, descending},
    definition::{Better, Metric, Need},
};
use crate::Result;

/// ROAD.
pub struct Road;

/// Which pixels go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum First {
    /// The most important ones: a good map loses the class soon.
    MostRelevant,
    /// The least important ones: a good map keeps the class long.
    LeastRelevant,
}

/// Parameters of ROAD.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many parts of the pixels are removed, evenly between none and all: 9 removes 10 %, 20 %, … 90 %.
    #[schemars(range(min = 1, max = 99))]
    pub steps: usize,
    /// Which pixels go first; with the least relevant a high value is good.
    pub first: First,
    /// Standard deviation of the noise on imputed pixels, as a part of the input's range.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub noise_level: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { steps: 9, first: First::MostRelevant, noise_level: 0.01 }
    }
}

impl Metric for Road {
    type Config = Config;
    const NAME: &'static str = "road";
    const TITLE: &'static str = "ROAD";
    const SUMMARY: &'static str = "The class's mean probability while important pixels are replaced by what their \
                                   neighbours suggest, so that the hole itself tells the network nothing.";
    const PAPER: &'static str = "Rong, Leemann, Borisov, Kasneci, Kasneci: A Consistent and Efficient Evaluation Strategy (ROAD, 2022)";
    const NEEDS: &'static [Need] = &[Need::Predictions, Need::Image];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "0 to 1";
    const COST: &'static str = "steps forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let shape @ [channels, height, width] = assessment.image()?;
        let pixels = assessment.pixels();
        let order = match config.first {
            First::MostRelevant => descending(&pixels),
            First::LeastRelevant => ascending(&pixels),
        };
        let deviation = config.noise_level * assessment.width_of_range();
        let mut random = assessment.random();
        let count = height * width;
        let (mut x, mut pictures) = (Vec::new(), Vec::new());
        for step in 1..=config.steps {
            assessment.checkpoint(step - 1, config.steps, "imputing pixels").await?;
            let removed = &order[..count * step / (config.steps + 1)];
            let mut picture = assessment.input.data.clone();
            impute(&mut picture, shape, removed);
            for channel in 0..channels {
                let noise = StandardNormal.sample_iter(&mut random);
                for (&pixel, noise) in removed.iter().zip::<Vec<f32>>(noise.take(removed.len()).collect()) {
                    picture[channel * count + pixel] += deviation * noise;
                }
            }
            x.push(removed.len() as f64 / count as f64);
            pictures.push(picture);
        }
        let logits = assessment.logits_of(&pictures, "imputed pictures").await?;
        let y: Vec<f64> = logits
            .iter()
            .map(|logits| f64::from(assessment.explainer.model().probabilities(logits)[assessment.target]))
            .collect();
        let kept = logits
            .iter()
            .filter(|logits| assessment.explainer.model().predicted(logits) == assessment.target)
            .count();
        let steps = config.steps as f64;
        Ok(Finding::new(y.iter().sum::<f64>() / steps)
            .with("kept", kept as f64 / steps)
            .along(Curve { x, y }))
    }
}

/// The eight neighbours, row and column first, and their weights.
const NEIGHBOURS: [(isize, isize, f64); 8] = [
    (-1, -1, 1.0 / 12.0),
    (-1, 0, 1.0 / 6.0),
    (-1, 1, 1.0 / 12.0),
    (0, -1, 1.0 / 6.0),
    (0, 1, 1.0 / 6.0),
    (1, -1, 1.0 / 12.0),
    (1, 0, 1.0 / 6.0),
    (1, 1, 1.0 / 12.0),
];

/// Residual, relative to the right-hand side, at which the equations count as solved.
const RESIDUAL: f64 = 1e-7;

/// Replaces the `removed` pixels so that each is the weighted mean of its neighbours inside the picture.
///
/// The equations `(sum of weights) x_i - sum over removed j of w_ij x_j = sum over kept j of w_ij x_j` are symmetric
/// and positive definite where any pixel is kept, so conjugate gradients solve them.
fn impute(picture: &mut [f32], [_, height, width]: [usize; 3], removed: &[usize]) {
    const KEPT: usize = usize::MAX;
    if removed.is_empty() || removed.len() == height * width {
        return;
    }
    let mut unknown = vec![KEPT; height * width];
    for (number, &pixel) in removed.iter().enumerate() {
        unknown[pixel] = number;
    }
    let neighbours = |pixel: usize| {
        let (row, column) = ((pixel / width) as isize, (pixel % width) as isize);
        NEIGHBOURS.into_iter().filter_map(move |(down, right, weight)| {
            let (row, column) = (row + down, column + right);
            let inside = (0..height as isize).contains(&row) && (0..width as isize).contains(&column);
            inside.then(|| (row as usize * width + column as usize, weight))
        })
    };
    let diagonal: Vec<f64> =
        removed.iter().map(|&pixel| neighbours(pixel).map(|(_, weight)| weight).sum()).collect();
    // Row by row, the unknowns next to each unknown.
    let mut links: Vec<(usize, f64)> = Vec::with_capacity(8 * removed.len());
    let mut ends = Vec::with_capacity(removed.len());
    for &pixel in removed {
        links.extend(
            neighbours(pixel)
                .filter(|(other, _)| unknown[*other] != KEPT)
                .map(|(other, weight)| (unknown[other], weight)),
        );
        ends.push(links.len());
    }
    let apply = |x: &[f64]| -> Vec<f64> {
        let mut start = 0;
        let row = |(i, &end): (usize, &usize)| {
            let coupled: f64 = links[start..end].iter().map(|&(j, weight)| weight * x[j]).sum();
            start = end;
            diagonal[i] * x[i] - coupled
        };
        ends.iter().enumerate().map(row).collect()
    };
    for plane in picture.chunks_exact_mut(height * width) {
        let known: Vec<f64> = removed
            .iter()
            .map(|&pixel| {
                neighbours(pixel)
                    .filter(|(other, _)| unknown[*other] == KEPT)
                    .map(|(other, weight)| weight * f64::from(plane[other]))
                    .sum()
            })
            .collect();
        let solution = conjugate_gradients(apply, &known);
        for (&pixel, value) in removed.iter().zip(solution) {
            plane[pixel] = value as f32;
        }
    }
}

/// Solves `A x = b` for a symmetric, positive definite `A` (Hestenes, Stiefel 1952).
fn conjugate_gradients(apply: impl Fn(&[f64]) -> Vec<f64>, b: &[f64]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let mut x = vec![0.0; b.len()];
    let mut residual = b.to_vec();
    let mut direction = residual.clone();
    let mut square = dot(&residual, &residual);
    let goal = square * RESIDUAL * RESIDUAL;
    for _ in 0..b.len() {
        if square <= goal {
            break;
        }
        let applied = apply(&direction);
        let length = square / dot(&direction, &applied);
        for (i, x) in x.iter_mut().enumerate() {
            *x += length * direction[i];
            residual[i] -= length * applied[i];
        }
        let next = dot(&residual, &residual);
        for (direction, residual) in direction.iter_mut().zip(&residual) {
            *direction = residual + next / square * *direction;
        }
        square = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_fills_its_own_hole() {
        // A linear picture is the mean of its neighbours everywhere inside.
        let slope: Vec<f32> = (0..49).map(|i| (i % 7) as f32 + 10.0 * (i / 7) as f32).collect();
        let mut picture = slope.clone();
        let hole = [8, 9, 16, 24, 25, 26, 31];
        hole.iter().for_each(|&pixel| picture[pixel] = -100.0);
        impute(&mut picture, [1, 7, 7], &hole);
        for (ours, expected) in picture.iter().zip(&slope) {
            assert!((ours - expected).abs() < 1e-3, "{ours}, not {expected}");
        }
    }

    #[test]
    fn nothing_is_left_to_impute_from() {
        let mut picture = vec![1.0; 4];
        impute(&mut picture, [1, 2, 2], &[0, 1, 2, 3]);
        assert_eq!(picture, [1.0; 4]);
    }
}

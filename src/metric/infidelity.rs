//! Infidelity (Yeh et al. 2019).

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
};
use crate::{Result, Score};

/// Infidelity.
pub struct Infidelity;

/// How the input is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Perturbation {
    /// Normal noise is taken away.
    Noise,
    /// All but normal noise is taken away: the paper's noisy baseline.
    NoisyBaseline,
    /// A random square is set to zero in model space: the paper's square removal.
    Square,
}

/// Parameters of infidelity.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the input is disturbed: by noise, by noise in place of the input, or by removing a square.
    pub perturbation: Perturbation,
    /// How often.
    #[schemars(range(min = 1, max = 10000))]
    pub samples: usize,
    /// Standard deviation of the noise, as a part of the input's range.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub noise_level: f32,
    /// The longest side of a removed square, as a part of the picture's shorter side.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub square: f32,
    /// Scale the map first by the factor that fits it best, as the paper's comparisons between methods do.
    pub normalise: bool,
    /// The score that the map accounts for.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            perturbation: Perturbation::Noise,
            samples: 100,
            noise_level: 0.05,
            square: 0.25,
            normalise: false,
            score: Score::Logit,
        }
    }
}

impl Metric for Infidelity {
    type Config = Config;
    const NAME: &'static str = "infidelity";
    const TITLE: &'static str = "Infidelity";
    const SUMMARY: &'static str = "The mean squared difference between what the map predicts for a disturbance of the input \
                                   and how much the score really falls.";
    const PAPER: &'static str =
        "Yeh, Hsieh, Suggala, Inouye, Ravikumar: On the (In)fidelity and Sensitivity of Explanations (2019)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "0 or more";
    const COST: &'static str = "samples + 1 forward passes";

    /// Knows the given tensor `perturbations`: rows of what is taken away from the input, in model space.
    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let x = &assessment.input.data;
        let given = assessment.given_rows("perturbations")?;
        let side = match config.perturbation {
            Perturbation::Square => assessment.image()?,
            _ => [1, 1, x.len()],
        };
        let count = given.as_ref().map_or(config.samples, Vec::len);
        let perturbation = |number: usize| match &given {
            Some(given) => given[number].clone(),
            None => draw(assessment, config, side, number),
        };
        let map = assessment.spread_map();
        let dot = |perturbation: Vec<f32>| -> f64 {
            map.iter().zip(perturbation).map(|(&map, i)| f64::from(map) * f64::from(i)).sum()
        };
        let predicted: Vec<f64> = (0..count).map(|number| dot(perturbation(number))).collect();
        // The first sample is the input itself.
        let scores = assessment
            .scores(count + 1, config.score, "disturbed inputs", |rows| {
                let disturbed: Vec<Vec<f32>> = rows
                    .map(|row| match row.checked_sub(1) {
                        None => x.clone(),
                        Some(number) => x.iter().zip(perturbation(number)).map(|(x, i)| x - i).collect(),
                    })
                    .collect();
                assessment.upload(&disturbed)
            })
            .await?;
        let falls: Vec<f64> = scores[1..].iter().map(|score| scores[0] - score).collect();
        let scale = if config.normalise { best_scale(&predicted, &falls) } else { 1.0 };
        let mean = |terms: Vec<f64>| terms.iter().sum::<f64>() / terms.len() as f64;
        let infidelity =
            mean(predicted.iter().zip(&falls).map(|(phi, fall)| (scale * phi - fall).powi(2)).collect());
        Ok(Finding::new(infidelity)
            .with("scale", scale)
            .with("mean_squared_fall", mean(falls.iter().map(|fall| fall * fall).collect())))
    }
}

/// The factor on the predictions that leaves the smallest squared difference; 1 where they are all 0.
fn best_scale(predicted: &[f64], falls: &[f64]) -> f64 {
    let products: f64 = predicted.iter().zip(falls).map(|(phi, fall)| phi * fall).sum();
    let squares: f64 = predicted.iter().map(|phi| phi * phi).sum();
    if squares > 0.0 { products / squares } else { 1.0 }
}

/// What is taken away from the input in the sample numbered `number`.
fn draw(
    assessment: &Assessment<'_>,
    config: &Config,
    [_, height, width]: [usize; 3],
    number: usize,
) -> Vec<f32> {
    let x = &assessment.input.data;
    let mut random = assessment.random_of(number);
    if config.perturbation == Perturbation::Square {
        let longest = ((config.square * height.min(width) as f32) as usize).max(1);
        let side = random.random_range(1..=longest);
        let (top, left) = (random.random_range(0..=height - side), random.random_range(0..=width - side));
        let inside = |i: usize| {
            let (row, column) = (i / width % height, i % width);
            (top..top + side).contains(&row) && (left..left + side).contains(&column)
        };
        return x.iter().enumerate().map(|(i, &x)| if inside(i) { x } else { 0.0 }).collect();
    }
    let deviation = config.noise_level * assessment.width_of_range();
    let noise = StandardNormal.sample_iter(random).map(|value: f32| deviation * value);
    match config.perturbation {
        Perturbation::NoisyBaseline => x.iter().zip(noise).map(|(x, noise)| x - noise).collect(),
        _ => noise.take(x.len()).collect(),
    }
}

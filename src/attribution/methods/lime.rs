//! LIME on pictures (Ribeiro, Singh, Guestrin 2016): a linear model of the segments, fitted to the network's answers
//! to pictures of which some segments are hidden.

use rand_distr::{Bernoulli, Distribution};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    baseline::{BACKGROUND, BASELINE, Baseline, COVERS},
    display::{Channels, Display},
    hidden::{SAMPLES, Samples},
    method::{Cost, Given, Method, Need},
    partition::{DENSITY_NOISE, MOST_TO_FIT, Partition, SEGMENTS, fitted, too_many},
    regression,
};
use crate::{Error, Result, model::Score};

/// LIME.
pub struct Lime;

/// Parameters of LIME.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Pictures that the network is asked about.
    #[schemars(range(min = 2, max = 100000))]
    pub samples: usize,
    /// Width of the kernel that weighs a sample by its cosine distance from the whole picture.
    #[schemars(range(min = 0.01, max = 100.0))]
    pub kernel_width: f32,
    /// Strength of the ridge that keeps the weights small.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub ridge: f32,
    /// What is shown in place of a hidden segment.
    #[schemars(extend("choices" = COVERS))]
    pub hidden: Baseline,
    /// Segments that make up the explanation: the highest positive weights.
    #[schemars(range(min = 1, max = 1000))]
    pub k: usize,
    /// The score that is modelled.
    pub score: Score,
    /// How the input is cut.
    #[serde(flatten)]
    pub partition: Partition,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            samples: 1000,
            kernel_width: 0.25,
            ridge: 1.0,
            hidden: Baseline::Auto,
            k: 5,
            score: Score::Probability,
            partition: Partition { kernel_size: 4.0, max_dist: 200.0, ratio: 0.2, ..Partition::default() },
        }
    }
}

impl Method for Lime {
    type Config = Config;
    const NAME: &'static str = "lime";
    const TITLE: &'static str = "LIME";
    const SUMMARY: &'static str = "Hides parts of the picture at random and fits a simple model to what the network then says. It needs the network's answers alone.";
    const PAPER: &'static str = "Ribeiro, Singh, Guestrin: \u{201c}Why Should I Trust You?\u{201d} Explaining the Predictions of Any Classifier (2016)";
    const NEEDS: &'static [Need] = &[Need::Predictions, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 50.0, high: 99.0 };

    const GIVEN: &'static [Given] = &[SEGMENTS, DENSITY_NOISE, SAMPLES, BASELINE, BACKGROUND];

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.samples, backward: 0 }
    }

    fn quick() -> Config {
        Config { samples: 200, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let segments = config.partition.cut(subject).await?;
        if segments.count > MOST_TO_FIT {
            return Err(too_many(subject, segments.count));
        }
        let samples = match Samples::given(subject, segments.count)? {
            Some(samples) => samples,
            None => draw(subject, segments.count, config.samples)?,
        };
        let hidden = config.hidden.cover(subject, Some(&segments))?;
        let answers = samples.scores(subject, &segments, hidden, config.score).await?;
        let answers: Vec<f64> = answers.into_iter().map(f64::from).collect();
        let weights: Vec<f64> = samples.rows().map(|row| weight(row, config.kernel_width.into())).collect();
        let rows: Vec<Vec<f64>> =
            samples.rows().map(|row| row.iter().map(|&shown| shown.into()).collect()).collect();
        let (coefficients, _) = regression::with_intercept(&rows, &answers, &weights, config.ridge.into())
            .ok_or_else(|| {
                subject.unsuited("the samples do not determine the weights; take more, or a ridge above 0")
            })?;
        let values: Vec<f32> = coefficients.into_iter().map(|value| value as f32).collect();
        Ok(fitted(subject, segments, values, config.k, samples.count()))
    }
}

/// Samples that show each segment with probability 1/2; the first shows the whole picture.
fn draw(subject: &Subject<'_>, segments: usize, count: usize) -> Result<Samples> {
    let coin = Bernoulli::new(0.5).map_err(|error| Error::Internal(error.to_string()))?;
    let drawn = coin.sample_iter(subject.random()).map(|shown| if shown { 1.0 } else { 0.0 });
    let shown = std::iter::repeat_n(1.0, segments).chain(drawn).take(count * segments).collect();
    Ok(Samples { shown, segments })
}

/// `√exp(-d²/w²)` with `d` the cosine distance from the row of ones; a row of zeros is at distance 1.
fn weight(row: &[f32], width: f64) -> f64 {
    let shown = f64::from(row.iter().sum::<f32>());
    let distance = 1.0 - (shown / row.len() as f64).sqrt();
    (-0.5 * (distance / width).powi(2)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_picture_weighs_one() {
        assert_eq!(weight(&[1.0; 7], 0.25), 1.0);
        // sklearn.metrics.pairwise_distances([[1, 0, 0, 1]], [[1, 1, 1, 1]], metric="cosine") = 0.292893
        assert!(
            (weight(&[1.0, 0.0, 0.0, 1.0], 0.25) - (-(0.292_893_2f64 / 0.25).powi(2) / 2.0).exp()).abs()
                < 1e-6
        );
        assert!((weight(&[0.0; 4], 0.25) - (-8.0f64).exp()).abs() < 1e-15);
    }
}

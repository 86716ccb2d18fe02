//! Sensitivity-n (Ancona et al. 2018): for n pixels at a time, does the score fall by what the map says?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Curve, Finding,
    curve::{Ranking, Substrate},
    definition::{Better, Metric, Need},
    hiding::{Choice, Subsets},
    similarity,
};
use crate::{Result, Score};

/// Sensitivity-n.
pub struct SensitivityN;

/// Parameters of sensitivity-n.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many numbers n are tried, from 1 to 80 % of the pixels, each about as many times the last.
    #[schemars(range(min = 1, max = 100))]
    pub sizes: usize,
    /// How often pixels are chosen for each n.
    #[schemars(range(min = 2, max = 10000))]
    pub samples: usize,
    /// What takes the place of a pixel.
    pub substrate: Substrate,
    /// How the channels of a pixel become its value; the mean keeps the sign.
    pub ranking: Ranking,
    /// The score whose fall is looked at.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sizes: 8,
            samples: 100,
            substrate: Substrate::Blank,
            ranking: Ranking::Mean,
            score: Score::Logit,
        }
    }
}

/// At most `count` different numbers of parts, from 1 to 80 % of them, evenly in their logarithm.
fn sizes(parts: usize, count: usize) -> Vec<usize> {
    let most = (0.8 * parts as f64).max(1.0);
    let at = |i: usize| most.powf(i as f64 / (count - 1).max(1) as f64).round() as usize;
    let mut sizes: Vec<usize> = (0..count).map(at).collect();
    sizes.dedup();
    sizes
}

impl Metric for SensitivityN {
    type Config = Config;
    const NAME: &'static str = "sensitivity_n";
    const TITLE: &'static str = "Sensitivity-n";
    const SUMMARY: &'static str = "The correlation between what the map says of n random pixels, summed, and how much the score \
                                   falls where they are hidden, as a mean over n; the curve shows it for each n.";
    const PAPER: &'static str = "Ancona, Ceolini, Öztireli, Gross: Towards Better Understanding of Gradient-based Attribution \
                                   Methods (2018)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "sizes * samples + 1 forward passes";

    /// Knows the given tensor `subsets`: a row for each sample with a value for each part, not 0 where it is hidden.
    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let parts = assessment.parts(config.ranking)?;
        let sizes = sizes(parts.count(), config.sizes);
        let hiding = (config.substrate, config.score);
        let choice = |number: usize| Choice::Exactly(sizes[number / config.samples]);
        let found = Subsets::hide(assessment, &parts, hiding, sizes.len() * config.samples, choice).await?;
        let each = found.said.chunks(config.samples).zip(found.falls.chunks(config.samples));
        let y: Vec<f64> = each.map(|(said, falls)| similarity::pearson(said, falls)).collect();
        let x = sizes.iter().map(|&size| size as f64).collect();
        Ok(Finding::new(y.iter().sum::<f64>() / y.len().max(1) as f64).along(Curve { x, y }))
    }
}

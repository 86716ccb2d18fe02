//! The efficient test by weight randomisation (Hedström et al. 2024): the map of a network that has learned nothing must be more complex.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    complexity::entropy,
    definition::{Better, Metric, Need},
    share,
};
use crate::Result;

/// Efficient weight randomisation.
pub struct EfficientRandomisation;

/// Parameters of the check.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bins of the histogram, of equal width from the smallest to the largest value.
    #[schemars(range(min = 2, max = 10000))]
    pub bins: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { bins: 100 }
    }
}

/// How many values are in each of `bins` bins of equal width from the smallest to the largest, as numpy counts them.
fn histogram(values: &[f64], bins: usize) -> Vec<f64> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // All alike are in one bin.
    let width = if high > low { high - low } else { 1.0 };
    let mut counts = vec![0.0; bins];
    for value in values {
        counts[(((value - low) / width * bins as f64) as usize).min(bins - 1)] += 1.0;
    }
    counts
}

impl Metric for EfficientRandomisation {
    type Config = Config;
    const NAME: &'static str = "efficient_randomisation";
    const TITLE: &'static str = "Efficient weight randomisation";
    const SUMMARY: &'static str = "How much the entropy of the map's histogram rises where the network has random weights, as a \
                                   part of the map's own.";
    const PAPER: &'static str = "Hedström, Weber, Lapuschkin, Höhne: Sanity Checks Revisited: An Exploration to Repair the Model \
                                   Parameter Randomisation Test (2024)";
    const NEEDS: &'static [Need] = &[Need::Method, Need::Randomised];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 or more";
    const COST: &'static str = "1 explanation";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let randomised = assessment.randomised()?;
        assessment.checkpoint(0, 1, "explaining the randomised network").await?;
        let other = assessment.explain(randomised, &assessment.input, |_| ()).await?;
        let before = entropy(&histogram(&assessment.pixels(), config.bins));
        let after = entropy(&histogram(&assessment.aggregate(&other), config.bins));
        Ok(Finding::new(share(after - before, before))
            .with("entropy", before)
            .with("randomised_entropy", after))
    }
}

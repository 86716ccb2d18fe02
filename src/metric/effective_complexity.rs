//! Effective complexity (Nguyen and Martinez 2020): how many pixels does the map need?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    share,
};
use crate::Result;

/// Effective complexity.
pub struct EffectiveComplexity;

/// Parameters of the count.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The part of the largest magnitude that a pixel must be above.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub least: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { least: 1e-5 }
    }
}

impl Metric for EffectiveComplexity {
    type Config = Config;
    const NAME: &'static str = "effective_complexity";
    const TITLE: &'static str = "Effective complexity";
    const SUMMARY: &'static str = "How many pixels have a magnitude above a small part of the largest; beside it, the part of all \
                                   pixels that they are.";
    const PAPER: &'static str = "Nguyen, Martinez: On Quantitative Aspects of Model Interpretability (2020)";
    const NEEDS: &'static [Need] = &[];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "0 to the number of pixels";
    const COST: &'static str = "none";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let pixels = assessment.pixels();
        let most = pixels.iter().map(|value| value.abs()).fold(0.0, f64::max);
        let count = pixels.iter().filter(|value| value.abs() > f64::from(config.least) * most).count() as f64;
        Ok(Finding::new(count).with("relative", share(count, pixels.len() as f64)))
    }
}

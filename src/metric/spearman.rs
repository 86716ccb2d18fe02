//! Spearman's rank correlation of two maps (Ghorbani et al. 2019; RelEx, figure 5).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    similarity,
};
use crate::Result;

/// Rank correlation.
pub struct Spearman;

/// Parameters of the correlation.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Compare magnitudes instead of signed values, as the check by weight randomisation does.
    pub magnitudes: bool,
}

impl Metric for Spearman {
    type Config = Config;
    const NAME: &'static str = "spearman";
    const TITLE: &'static str = "Rank correlation";
    const SUMMARY: &'static str = "Whether two maps put the pixels in the same order: 1 the same, 0 unrelated, -1 reversed. A \
                                   constant map agrees with nothing but itself.";
    const PAPER: &'static str = "Ghorbani, Abid, Zou: Interpretation of Neural Networks Is Fragile (2019)";
    const NEEDS: &'static [Need] = &[Need::Reference];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "none";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let compared = |values: Vec<f64>| -> Vec<f64> {
            if config.magnitudes { values.into_iter().map(f64::abs).collect() } else { values }
        };
        let other = compared(assessment.aggregate(assessment.reference()?));
        Ok(Finding::new(similarity::spearman(&compared(assessment.pixels()), &other)))
    }
}

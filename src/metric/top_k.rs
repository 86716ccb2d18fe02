//! Intersection of the most important pixels of two maps (Ghorbani et al. 2019; RelEx, supplement).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    similarity,
};
use crate::Result;

/// Top-k intersection.
pub struct TopK;

/// Parameters of the intersection.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many pixels are compared; all of them where the map has fewer.
    #[schemars(range(min = 1, max = 1000000))]
    pub k: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { k: 1000 }
    }
}

impl Metric for TopK {
    type Config = Config;
    const NAME: &'static str = "top_k_intersection";
    const TITLE: &'static str = "Top-k intersection";
    const SUMMARY: &'static str =
        "The part of one map's most important pixels that are among the other's, 0 to 1.";
    const PAPER: &'static str = "Ghorbani, Abid, Zou: Interpretation of Neural Networks Is Fragile (2019)";
    const NEEDS: &'static [Need] = &[Need::Reference];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "0 to 1";
    const COST: &'static str = "none";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let other = assessment.aggregate(assessment.reference()?);
        Ok(Finding::new(similarity::top_k(&assessment.pixels(), &other, config.k)))
    }
}

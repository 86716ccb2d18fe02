//! Pearson's correlation of two maps (Adebayo et al. 2018 beside other similarities).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    similarity,
};
use crate::Result;

/// Correlation.
pub struct Pearson;

/// It has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl Metric for Pearson {
    type Config = Config;
    const NAME: &'static str = "pearson";
    const TITLE: &'static str = "Correlation";
    const SUMMARY: &'static str = "Whether two maps rise and fall together: 1 the same, 0 unrelated, -1 reversed. A constant map \
                                   agrees with nothing but itself.";
    const PAPER: &'static str =
        "Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim: Sanity Checks for Saliency Maps (2018)";
    const NEEDS: &'static [Need] = &[Need::Reference];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "none";

    async fn measure(assessment: &Assessment<'_>, _: &Config) -> Result<Finding> {
        let other = assessment.aggregate(assessment.reference()?);
        Ok(Finding::new(similarity::pearson(&assessment.pixels(), &other)))
    }
}

//! The sanity check of Adebayo et al. (2018): a map must change where the network forgets what it learned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
};
use crate::Result;

/// Weight randomisation.
pub struct Randomisation;

/// Parameters of the check.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Compare magnitudes instead of signed values: random weights turn signs around by chance.
    pub magnitudes: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { magnitudes: true }
    }
}

impl Metric for Randomisation {
    type Config = Config;
    const NAME: &'static str = "randomisation";
    const TITLE: &'static str = "Weight randomisation";
    const SUMMARY: &'static str = "The rank correlation between the map and that of the same network with random weights. A \
                                   method whose map hardly changes does not explain the network.";
    const PAPER: &'static str =
        "Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim: Sanity Checks for Saliency Maps (2018)";
    const NEEDS: &'static [Need] = &[Need::Method, Need::Randomised];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "1 explanation";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let randomised = assessment.randomised()?;
        assessment.checkpoint(0, 1, "explaining the randomised network").await?;
        let other = assessment.explain(randomised, &assessment.input, |_| ()).await?;
        Ok(assessment.compared(&assessment.map, &other, config.magnitudes))
    }
}

//! Preservation, the score P of RelEx (Lim et al. 2021, section 4.2).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    assessment::ascending,
    curve::{Substrate, area, play},
    registry::{Better, Metric, Need},
};
use crate::Result;

pub(super) struct Preservation;

/// Parameters of preservation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// Pixels that are taken out at a step.
    #[schemars(range(min = 1, max = 1000000))]
    step: usize,
    /// What takes the place of a pixel.
    substrate: Substrate,
}

impl Default for Config {
    fn default() -> Self {
        Self { step: 224, substrate: Substrate::Blank }
    }
}

impl Metric for Preservation {
    type Config = Config;
    const NAME: &'static str = "preservation";
    const TITLE: &'static str = "Preservation";
    const SUMMARY: &'static str = "The area under the class's probability while the pixels are taken out, the least \
                                   important first: how long what matters alone keeps the class.";
    const PAPER: &'static str =
        "Lim, Lee, Kim: Building Reliable Explanations of Unreliable Neural Networks (2021)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let empty = config.substrate.picture(assessment)?;
        let order = ascending(&assessment.pixels());
        let curve = play(assessment, &order, assessment.input_row(), empty, config.step).await?;
        Ok(Finding::new(area(&curve.y)).along(curve))
    }
}

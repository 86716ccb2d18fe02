//! Insertion (Petsiuk et al. 2018; the AGI paper's table 1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    assessment::First,
    curve::{Ranking, Substrate, area, play},
    definition::{Better, Metric, Need},
};
use crate::Result;

/// Insertion.
pub struct Insertion;

/// Parameters of insertion.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Pixels that are put in at a step, or words of a text. Left out: RISE's 224 pixels, and one word.
    #[schemars(range(min = 1, max = 1000000))]
    pub step: Option<usize>,
    /// The picture that the pixels are put into: blurred as in RISE, or blank as in the AGI paper.
    pub substrate: Substrate,
    /// How the channels of a pixel become the value that it is ranked by.
    pub ranking: Ranking,
}

impl Default for Config {
    fn default() -> Self {
        Self { step: None, substrate: Substrate::Blur, ranking: Ranking::AsShown }
    }
}

impl Metric for Insertion {
    type Config = Config;
    const NAME: &'static str = "insertion";
    const TITLE: &'static str = "Insertion";
    const SUMMARY: &'static str = "The area under the class's probability while the pixels are put into an empty \
                                   picture, the most important first.";
    const PAPER: &'static str = "Petsiuk, Das, Saenko: RISE (2018)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "0 to 1";
    const COST: &'static str = "pixels / step + 1 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let empty = config.substrate.picture(assessment)?;
        let order = assessment.turns(config.ranking, First::Most)?;
        let curve = play(assessment, &order, empty, assessment.input_row(), config.step).await?;
        Ok(Finding::new(area(&curve.y)).along(curve))
    }
}

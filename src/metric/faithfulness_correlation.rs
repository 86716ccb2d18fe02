//! Faithfulness correlation (Bhatt et al. 2020): does the score fall by what the map says where random pixels go?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    curve::{Ranking, Substrate},
    definition::{Better, Metric, Need},
    hiding::{Choice, Subsets, correlated},
};
use crate::{Result, Score};

/// Faithfulness correlation.
pub struct FaithfulnessCorrelation;

/// Parameters of the correlation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How often pixels are chosen.
    #[schemars(range(min = 2, max = 100000))]
    pub samples: usize,
    /// How many pixels are hidden at once, or words of a text. Left out: 224 as in Quantus, and half of them where there are fewer.
    #[schemars(range(min = 1, max = 1000000))]
    pub subset: Option<usize>,
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
            samples: 100,
            subset: None,
            substrate: Substrate::Blank,
            ranking: Ranking::Mean,
            score: Score::Logit,
        }
    }
}

/// Pixels that Quantus hides at once.
const USUAL: usize = 224;

impl Metric for FaithfulnessCorrelation {
    type Config = Config;
    const NAME: &'static str = "faithfulness_correlation";
    const TITLE: &'static str = "Faithfulness correlation";
    const SUMMARY: &'static str = "The correlation between what the map says of a random choice of pixels, summed, and how much the \
                                   score falls where they are hidden.";
    const PAPER: &'static str =
        "Bhatt, Weller, Moura: Evaluating and Aggregating Feature-Based Model Explanations (2020)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "samples + 1 forward passes";

    /// Knows the given tensor `subsets`: a row for each sample with a value for each part, not 0 where it is hidden.
    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let parts = assessment.parts(config.ranking)?;
        let half = (parts.count() / 2).max(1);
        let size = config.subset.unwrap_or(USUAL.min(half));
        let hiding = (config.substrate, config.score);
        let found =
            Subsets::hide(assessment, &parts, hiding, config.samples, |_| Choice::Exactly(size)).await?;
        Ok(correlated(&found.said, &found.falls).with("subset", size.min(parts.count()) as f64))
    }
}

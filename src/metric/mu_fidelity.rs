//! Mu-fidelity (Bhatt et al. 2020, as Xplique has it for pictures): random cells of a coarse grid are hidden.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    curve::{Ranking, Substrate},
    definition::{Better, Metric, Need},
    hiding::{Choice, Parts, Subsets},
    similarity,
};
use crate::{Result, Score};

/// Mu-fidelity.
pub struct MuFidelity;

/// Parameters of mu-fidelity.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How often cells are chosen.
    #[schemars(range(min = 2, max = 100000))]
    pub samples: usize,
    /// Cells along each side of a picture. What is no picture has no grid: each place, or word, is chosen by itself.
    #[schemars(range(min = 2, max = 1000))]
    pub grid: usize,
    /// The part of the cells that is hidden, on average.
    #[schemars(range(min = 0.01, max = 0.99))]
    pub part: f32,
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
            samples: 200,
            grid: 9,
            part: 0.2,
            substrate: Substrate::Blank,
            ranking: Ranking::Mean,
            score: Score::Logit,
        }
    }
}

impl Metric for MuFidelity {
    type Config = Config;
    const NAME: &'static str = "mu_fidelity";
    const TITLE: &'static str = "Mu-fidelity";
    const SUMMARY: &'static str = "The rank correlation between what the map says of random cells of a coarse grid, summed, and how \
                                   much the score falls where they are hidden.";
    const PAPER: &'static str =
        "Bhatt, Weller, Moura: Evaluating and Aggregating Feature-Based Model Explanations (2020)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "samples + 1 forward passes";

    /// Knows the given tensor `subsets`: a row for each sample with a value for each part, not 0 where it is hidden.
    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let parts = match assessment.is_picture() {
            true => Parts::grid(assessment, config.ranking, config.grid)?,
            false => assessment.parts(config.ranking)?,
        };
        let hiding = (config.substrate, config.score);
        let choice = |_| Choice::Each(config.part.into());
        let found = Subsets::hide(assessment, &parts, hiding, config.samples, choice).await?;
        Ok(Finding::new(similarity::spearman(&found.said, &found.falls)))
    }
}

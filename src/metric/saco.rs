//! SaCo (Wu et al. 2024): a group of pixels that the map puts above another must count for more.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    assessment::First,
    curve::{Ranking, Substrate},
    definition::{Better, Metric, Need},
    hiding::Groups,
    share,
};
use crate::{Result, Score};

/// Salience-guided faithfulness coefficient.
pub struct Saco;

/// Parameters of SaCo.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Into how many groups of equal size the pixels, or the words of a text, are cut.
    #[schemars(range(min = 2, max = 1000))]
    pub groups: usize,
    /// What takes the place of a pixel.
    pub substrate: Substrate,
    /// How the channels of a pixel become its value.
    pub ranking: Ranking,
    /// The score whose fall is looked at.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { groups: 10, substrate: Substrate::Blank, ranking: Ranking::AsShown, score: Score::Probability }
    }
}

impl Metric for Saco {
    type Config = Config;
    const NAME: &'static str = "saco";
    const TITLE: &'static str = "Salience-guided faithfulness coefficient";
    const SUMMARY: &'static str = "Over all pairs of groups of pixels: the difference of what the map says of them, counted for the \
                                   map where hiding the one that it puts above costs at least as much, and against it elsewhere; as \
                                   a part of all differences.";
    const PAPER: &'static str =
        "Wu, Kang, Tang, Hong, Yan: On the Faithfulness of Vision Transformer Explanations (2024)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "groups + 1 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let groups = Groups::of(assessment.parts(config.ranking)?, First::Most, config.groups);
        let (scores, whole) = groups.hidden_alone(assessment, config.substrate, config.score).await?;
        let said = groups.values();
        let (mut kept, mut all) = (0.0, 0.0);
        for (i, above) in said.iter().enumerate() {
            for (j, below) in said.iter().enumerate().skip(i + 1) {
                let difference = above - below;
                kept += if whole - scores[i] >= whole - scores[j] { difference } else { -difference };
                all += difference.abs();
            }
        }
        Ok(Finding::new(share(kept, all)))
    }
}

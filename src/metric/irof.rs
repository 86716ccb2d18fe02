//! Iterative removal of features (Rieger and Hansen 2020): segments are hidden, the most important first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Curve, Finding,
    assessment::First,
    curve::{Ranking, Substrate},
    definition::{Better, Metric, Need},
    hiding::Groups,
    share,
};
use crate::{Result, Score};

/// Iterative removal of features.
pub struct Irof;

/// Parameters of IROF.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What takes the place of a pixel.
    pub substrate: Substrate,
    /// How the channels of a pixel become its value.
    pub ranking: Ranking,
    /// The score that is followed. One that can be negative has no parts that are lost.
    #[schemars(extend("choices" = ["probability", "logit"]))]
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { substrate: Substrate::Blank, ranking: Ranking::AsShown, score: Score::Probability }
    }
}

impl Metric for Irof {
    type Config = Config;
    const NAME: &'static str = "irof";
    const TITLE: &'static str = "Iterative removal of features";
    const SUMMARY: &'static str = "How much of the score is lost on average while the segments of the picture are hidden one after \
                                   the other, the most important first.";
    const PAPER: &'static str =
        "Rieger, Hansen: IROF: a Low Resource Evaluation Metric for Explanation Methods (2020)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "at most 1";
    const COST: &'static str = "segments + 1 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let parts = assessment.segmented(config.ranking)?;
        let count = parts.count();
        let groups = Groups::of(parts, First::Most, count);
        let scores = groups.hidden_in_turn(assessment, config.substrate, config.score, count).await?;
        let y: Vec<f64> = scores.iter().map(|&score| share(score, scores[0])).collect();
        let lost: f64 = y[1..].iter().map(|kept| 1.0 - kept).sum();
        let x = (0..=count).map(|step| step as f64).collect();
        Ok(Finding::new(share(lost, count as f64)).with("segments", count as f64).along(Curve { x, y }))
    }
}

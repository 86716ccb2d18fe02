//! Non-sensitivity (Nguyen and Martinez 2020): what the map leaves out must not matter, and what does not matter must be left out.

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

/// Non-sensitivity.
pub struct NonSensitivity;

/// Parameters of non-sensitivity.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Into how many groups of equal size the pixels, or the words of a text, are cut, in the order of their magnitudes.
    #[schemars(range(min = 2, max = 1000000))]
    pub groups: usize,
    /// Below what a change of the score is none, and below which part of the largest value of a group the map says nothing of one.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub least: f32,
    /// What takes the place of a pixel.
    pub substrate: Substrate,
    /// The score whose change is looked at.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { groups: 100, least: 1e-5, substrate: Substrate::Blank, score: Score::Logit }
    }
}

impl Metric for NonSensitivity {
    type Config = Config;
    const NAME: &'static str = "non_sensitivity";
    const TITLE: &'static str = "Non-sensitivity";
    const SUMMARY: &'static str = "The part of the groups of pixels of which the map says nothing although the score changes where \
                                   they are hidden, or something although it does not.";
    const PAPER: &'static str = "Nguyen, Martinez: On Quantitative Aspects of Model Interpretability (2020)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "0 to 1";
    const COST: &'static str = "groups + 1 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let groups = Groups::of(assessment.parts(Ranking::SumAbs)?, First::Least, config.groups);
        let (scores, whole) = groups.hidden_alone(assessment, config.substrate, config.score).await?;
        let said = groups.values();
        let least = f64::from(config.least);
        let silent = least * said.iter().map(|value| value.abs()).fold(0.0, f64::max);
        let wrong = said.iter().zip(&scores).filter(|(value, score)| {
            let (nothing, unchanged) = (value.abs() <= silent, (whole - **score).abs() < least);
            nothing != unchanged
        });
        Ok(Finding::new(share(wrong.count() as f64, said.len() as f64)).with("groups", said.len() as f64))
    }
}

//! Completeness (Sundararajan et al. 2017): does the map add up to what the score lost against a baseline?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    share,
};
use crate::{Result, Score, attribution::Baseline};

/// Completeness gap.
pub struct Completeness;

/// Parameters of completeness.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The input against which the score is lost: the one that the method started from.
    #[schemars(extend("choices" = ["auto", "zero", "black"]))]
    pub baseline: Baseline,
    /// The score that the map accounts for.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { baseline: Baseline::Auto, score: Score::Logit }
    }
}

impl Metric for Completeness {
    type Config = Config;
    const NAME: &'static str = "completeness";
    const TITLE: &'static str = "Completeness gap";
    const SUMMARY: &'static str = "How far the map's sum is from the change of the score between the baseline and the input; \
                                   beside it, the same as a part of that change.";
    const PAPER: &'static str = "Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks (2017)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "0 or more";
    const COST: &'static str = "2 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let x = &assessment.input.data;
        // The same as the methods take for nothing ([`Baseline`]).
        let baseline = match config.baseline {
            Baseline::Auto | Baseline::Black if assessment.is_picture() => black(assessment),
            Baseline::Black => {
                return Err(
                    assessment.unsuited("black is known of pictures alone; choose zero as the baseline")
                );
            }
            _ => vec![0.0; x.len()],
        };
        let pair = [x.clone(), baseline];
        let scores =
            assessment.scores(2, config.score, "the baseline", |rows| assessment.upload(&pair[rows])).await?;
        let sum: f64 = assessment.map.data.iter().map(|&value| f64::from(value)).sum();
        let change = scores[0] - scores[1];
        let gap = sum - change;
        Ok(Finding::new(gap.abs())
            .with("relative", share(gap.abs(), change.abs()))
            .with("sum", sum)
            .with("change", change))
    }
}

fn black(assessment: &Assessment<'_>) -> Vec<f32> {
    let x = &assessment.input.data;
    match assessment.explainer.preprocessing() {
        None => vec![x.iter().copied().fold(f32::INFINITY, f32::min); x.len()],
        Some(preprocessing) => {
            let pixels = assessment.positions();
            (0..x.len()).map(|i| preprocessing.to_model(i / pixels, 0.0)).collect()
        }
    }
}

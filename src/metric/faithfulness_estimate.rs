//! Faithfulness estimate (Alvarez-Melis and Jaakkola 2018): pixels are hidden a few at a time, each few alone.

use super::{
    Assessment, Finding,
    assessment::First,
    definition::{Better, Metric, Need},
    hiding::{InGroups, correlated},
};
use crate::Result;

/// Faithfulness estimate.
pub struct FaithfulnessEstimate;

impl Metric for FaithfulnessEstimate {
    type Config = InGroups;
    const NAME: &'static str = "faithfulness_estimate";
    const TITLE: &'static str = "Faithfulness estimate";
    const SUMMARY: &'static str = "The correlation between what the map says of a group of pixels and how much the score falls \
                                   where that group alone is hidden; the groups follow the map's order.";
    const PAPER: &'static str = "Alvarez-Melis, Jaakkola: Towards Robust Interpretability with Self-Explaining Neural Networks \
                                   (2018)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "groups + 1 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &InGroups) -> Result<Finding> {
        let groups = config.cut(assessment, First::Most)?;
        let (scores, whole) = groups.hidden_alone(assessment, config.substrate, config.score).await?;
        let falls: Vec<f64> = scores.iter().map(|score| whole - score).collect();
        Ok(correlated(&groups.values(), &falls))
    }
}

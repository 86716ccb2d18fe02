//! Monotonicity (Arya et al. 2019, as AIX360 has it): the score must rise at every step while pixels are put in.
//!
//! Quantus 0.6 puts the baseline into the baseline, so that nothing changes and every map passes.

use super::{
    Assessment, Curve, Finding,
    assessment::First,
    definition::{Better, Metric, Need},
    hiding::{InGroups, never_falls},
};
use crate::Result;

/// Monotonicity.
pub struct Monotonicity;

impl Metric for Monotonicity {
    type Config = InGroups;
    const NAME: &'static str = "monotonicity";
    const TITLE: &'static str = "Monotonicity";
    const SUMMARY: &'static str = "1 where the score never falls while groups of pixels are put into an empty input, the least \
                                   important first, else 0. Beside it the part of the steps at which it does not fall.";
    const PAPER: &'static str = "Arya et al.: One Explanation Does Not Fit All: A Toolkit and Taxonomy of AI Explainability \
                                   Techniques (2019)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "0 or 1";
    const COST: &'static str = "groups + 1 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &InGroups) -> Result<Finding> {
        // Hidden last is shown first.
        let groups = config.cut(assessment, First::Most)?;
        let all = groups.count;
        let mut scores = groups.hidden_in_turn(assessment, config.substrate, config.score, all).await?;
        scores.reverse();
        let x = (0..=all).map(|done| done as f64 / all.max(1) as f64).collect();
        // As in AIX360, the first of the compared scores is that with one group shown.
        Ok(never_falls(&scores[1..]).along(Curve { x, y: scores }))
    }
}

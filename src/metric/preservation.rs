//! Preservation, the score P of RelEx (Lim et al. 2021, section 4.2).

use super::{
    Assessment, Finding,
    assessment::First,
    curve::{Removal, area, play},
    definition::{Better, Metric, Need},
};
use crate::Result;

/// Preservation.
pub struct Preservation;

impl Metric for Preservation {
    type Config = Removal;
    const NAME: &'static str = "preservation";
    const TITLE: &'static str = "Preservation";
    const SUMMARY: &'static str = "The area under the class's probability while the pixels are taken out, the least \
                                   important first: how long what matters alone keeps the class.";
    const PAPER: &'static str =
        "Lim, Lee, Kim: Building Reliable Explanations of Unreliable Neural Networks (2021)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "0 to 1";
    const COST: &'static str = "pixels / step + 1 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Removal) -> Result<Finding> {
        let empty = config.substrate.picture(assessment)?;
        let order = assessment.turns(config.ranking, First::Least)?;
        let curve = play(assessment, &order, assessment.input_row(), empty, config.step).await?;
        Ok(Finding::new(area(&curve.y)).along(curve))
    }
}

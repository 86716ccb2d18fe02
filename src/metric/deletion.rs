//! Deletion (Petsiuk et al. 2018), the score D of RelEx.

use super::{
    Assessment, Finding,
    assessment::First,
    curve::{Removal, area, play},
    definition::{Better, Metric, Need},
};
use crate::Result;

/// Deletion.
pub struct Deletion;

impl Metric for Deletion {
    type Config = Removal;
    const NAME: &'static str = "deletion";
    const TITLE: &'static str = "Deletion";
    const SUMMARY: &'static str = "The area under the class's probability while the pixels are taken out, the most \
                                   important first. Very low values say little: they come from pictures that no \
                                   network has seen.";
    const PAPER: &'static str = "Petsiuk, Das, Saenko: RISE (2018)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "0 to 1";
    const COST: &'static str = "pixels / step + 1 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Removal) -> Result<Finding> {
        let empty = config.substrate.picture(assessment)?;
        let order = assessment.turns(config.ranking, First::Most)?;
        let curve = play(assessment, &order, assessment.input_row(), empty, config.step).await?;
        Ok(Finding::new(area(&curve.y)).along(curve))
    }
}

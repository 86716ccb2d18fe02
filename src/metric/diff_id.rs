//! DiffID (Yang et al. 2023): insertion less deletion, so that a network that says much of anything gains nothing.

use super::{
    Assessment, Curve, Finding,
    assessment::First,
    curve::{Removal, area, play},
    definition::{Better, Metric, Need},
};
use crate::Result;

/// Insertion less deletion.
pub struct DiffId;

impl Metric for DiffId {
    type Config = Removal;
    const NAME: &'static str = "diff_id";
    const TITLE: &'static str = "Insertion less deletion";
    const SUMMARY: &'static str = "The area under the class's probability while pixels are put in, less that while they are taken \
                                   out, the most important first in both.";
    const PAPER: &'static str = "Zhu et al.: MFABA: A More Faithful and Accelerated Boundary-based Attribution Method (2024); \
                                   Yang et al.: Local Path Integration for Attribution (2023)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "2 * (pixels / step + 1) forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Removal) -> Result<Finding> {
        let turns = assessment.turns(config.ranking, First::Most)?;
        let empty = config.substrate.picture(assessment)?;
        let input = assessment.input_row();
        let inserted = play(assessment, &turns, empty.clone(), input.clone(), config.step).await?;
        let deleted = play(assessment, &turns, input, empty, config.step).await?;
        let (insertion, deletion) = (area(&inserted.y), area(&deleted.y));
        let y = inserted.y.iter().zip(&deleted.y).map(|(inserted, deleted)| inserted - deleted).collect();
        Ok(Finding::new(insertion - deletion)
            .with("insertion", insertion)
            .with("deletion", deletion)
            .along(Curve { x: inserted.x, y }))
    }
}

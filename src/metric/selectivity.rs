//! Selectivity (Montavon et al. 2018): how fast does the score fall while squares are hidden?

use super::{
    Assessment, Curve, Finding,
    curve::area,
    definition::{Better, Metric, Need},
    hiding::InSquares,
};
use crate::Result;

/// Selectivity.
pub struct Selectivity;

impl Metric for Selectivity {
    type Config = InSquares;
    const NAME: &'static str = "selectivity";
    const TITLE: &'static str = "Selectivity";
    const SUMMARY: &'static str = "The area under the score while squares of the picture are hidden one after the other, the most \
                                   important first.";
    const PAPER: &'static str =
        "Montavon, Samek, Müller: Methods for Interpreting and Understanding Deep Neural Networks (2018)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "any; 0 to 1 of a probability";
    const COST: &'static str = "min(squares, regions) + 1 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &InSquares) -> Result<Finding> {
        let y = config.followed(assessment).await?;
        let x = (0..y.len()).map(|step| step as f64).collect();
        Ok(Finding::new(area(&y)).along(Curve { x, y }))
    }
}

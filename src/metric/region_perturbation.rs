//! Region perturbation (Samek et al. 2017): squares of a picture are hidden, the most important first.

use super::{
    Assessment, Curve, Finding,
    definition::{Better, Metric, Need},
    hiding::InSquares,
};
use crate::Result;

/// Region perturbation.
pub struct RegionPerturbation;

impl Metric for RegionPerturbation {
    type Config = InSquares;
    const NAME: &'static str = "region_perturbation";
    const TITLE: &'static str = "Region perturbation";
    const SUMMARY: &'static str = "How far the score falls on average while squares of the picture are hidden one after the other, \
                                   the most important first (AOPC); the curve shows each fall.";
    const PAPER: &'static str = "Samek, Binder, Montavon, Lapuschkin, Müller: Evaluating the Visualization of What a Deep Neural \
                                   Network Has Learned (2017)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "any; -1 to 1 of a probability";
    const COST: &'static str = "min(squares, regions) + 1 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &InSquares) -> Result<Finding> {
        let scores = config.followed(assessment).await?;
        let y: Vec<f64> = scores.iter().map(|score| scores[0] - score).collect();
        let x = (0..y.len()).map(|step| step as f64).collect();
        Ok(Finding::new(y.iter().sum::<f64>() / y.len() as f64).along(Curve { x, y }))
    }
}

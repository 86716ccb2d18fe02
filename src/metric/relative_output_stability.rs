//! Relative output stability (Agarwal et al. 2022).

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    neighbours::{Around, Neighbours, distance},
};
use crate::Result;

/// Relative output stability.
pub struct RelativeOutputStability;

impl Metric for RelativeOutputStability {
    type Config = Around;
    const NAME: &'static str = "relative_output_stability";
    const TITLE: &'static str = "Relative output stability";
    const SUMMARY: &'static str = "The largest relative change of the map near the input over the distance of the logits. \
                                   Neighbours of another class are left out.";
    const PAPER: &'static str = "Agarwal, Johnson, Pawelczyk, Krishna, Saxena, Zitnik, Lakkaraju: Rethinking Stability for \
                                   Attribution-based Explanations (2022)";
    const NEEDS: &'static [Need] = &[Need::Method, Need::Predictions];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "0 or more";
    const COST: &'static str = "samples explanations, samples + 1 forward passes";

    /// Knows the given tensor `noise`: rows of what is added to the input, in model space.
    async fn measure(assessment: &Assessment<'_>, config: &Around) -> Result<Finding> {
        let neighbours = Neighbours::new(assessment, config)?;
        let moved = |number: usize, logits: &[Vec<f32>]| distance(&logits[neighbours.count], &logits[number]);
        Ok(Finding::new(neighbours.relative_stability(moved).await?))
    }
}

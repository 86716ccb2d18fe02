//! Relative input stability (Agarwal et al. 2022).

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    neighbours::{Around, Neighbours, relative},
};
use crate::Result;

/// Relative input stability.
pub struct RelativeInputStability;

impl Metric for RelativeInputStability {
    type Config = Around;
    const NAME: &'static str = "relative_input_stability";
    const TITLE: &'static str = "Relative input stability";
    const SUMMARY: &'static str = "The largest relative change of the map near the input over the relative change of the input. \
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
        let moved = |number, _: &[Vec<f32>]| relative(&assessment.input.data, &neighbours.input(number));
        Ok(Finding::new(neighbours.relative_stability(moved).await?))
    }
}

//! The local Lipschitz estimate (Alvarez-Melis and Jaakkola 2018): how fast can the map change as the input moves?

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    neighbours::{Around, Neighbours, distance, largest_and_mean},
    share,
};
use crate::Result;

/// Local Lipschitz estimate.
pub struct LocalLipschitz;

impl Metric for LocalLipschitz {
    type Config = Around;
    const NAME: &'static str = "local_lipschitz";
    const TITLE: &'static str = "Local Lipschitz estimate";
    const SUMMARY: &'static str = "The largest distance between the map and that of a nearby input over the distance of the two \
                                   inputs, in the map's units over the input's.";
    const PAPER: &'static str =
        "Alvarez-Melis, Jaakkola: On the Robustness of Interpretability Methods (2018)";
    const NEEDS: &'static [Need] = &[Need::Method];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "0 or more";
    const COST: &'static str = "samples explanations";

    /// Knows the given tensor `noise`: rows of what is added to the input, in model space.
    async fn measure(assessment: &Assessment<'_>, config: &Around) -> Result<Finding> {
        let neighbours = Neighbours::new(assessment, config)?;
        let mut found = Vec::with_capacity(neighbours.count);
        for number in 0..neighbours.count {
            let moved = distance(&assessment.map.data, &neighbours.map(number).await?);
            found.push(share(moved, distance(&assessment.input.data, &neighbours.input(number))));
        }
        let (largest, mean) = largest_and_mean(&found);
        Ok(Finding::new(largest).with("mean", mean))
    }
}

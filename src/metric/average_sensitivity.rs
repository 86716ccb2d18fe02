//! Average sensitivity (Yeh et al. 2019; Bhatt et al. 2020): how much does the map change where the input hardly does?

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    neighbours::{Around, Neighbours, largest_and_mean},
};
use crate::Result;

/// Average sensitivity.
pub struct AverageSensitivity;

impl Metric for AverageSensitivity {
    type Config = Around;
    const NAME: &'static str = "average_sensitivity";
    const TITLE: &'static str = "Average sensitivity";
    const SUMMARY: &'static str =
        "The mean distance between the map and that of a nearby input, as a part of the map's own length.";
    const PAPER: &'static str = "Yeh, Hsieh, Suggala, Inouye, Ravikumar: On the (In)fidelity and Sensitivity of Explanations \
                                   (2019)";
    const NEEDS: &'static [Need] = &[Need::Method];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "0 or more";
    const COST: &'static str = "samples explanations";

    /// Knows the given tensor `noise`: rows of what is added to the input, in model space.
    async fn measure(assessment: &Assessment<'_>, config: &Around) -> Result<Finding> {
        let found = Neighbours::new(assessment, config)?.sensitivities().await?;
        let (largest, mean) = largest_and_mean(&found);
        Ok(Finding::new(mean).with("largest", largest))
    }
}

//! Overlap of the important pixels with the object's (Arras et al. 2022).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    assessment::descending,
    definition::{Better, Metric, Need},
    share,
};
use crate::Result;

/// Overlap with the object.
pub struct MaskOverlap;

/// It has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl Metric for MaskOverlap {
    type Config = Config;
    const NAME: &'static str = "mask_overlap";
    const TITLE: &'static str = "Overlap with the object";
    const SUMMARY: &'static str = "With as many of the most important pixels as the object has: intersection over union with \
                                   it. Beside it, the part of them on the object (relevance rank accuracy) and the part of \
                                   the positive values there (relevance mass accuracy).";
    const PAPER: &'static str = "Arras, Osman, Samek: CLEVR-XAI (2022)";
    const NEEDS: &'static [Need] = &[Need::Object];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "0 to 1";
    const COST: &'static str = "none";

    async fn measure(assessment: &Assessment<'_>, _: &Config) -> Result<Finding> {
        let object = assessment.object()?;
        let pixels = assessment.pixels();
        let size = object.iter().filter(|&&inside| inside).count();
        let hits = descending(&pixels)[..size].iter().filter(|&&pixel| object[pixel]).count();
        let positive = |pixel: usize| pixels[pixel].max(0.0);
        let all: f64 = (0..pixels.len()).map(positive).sum();
        let inside: f64 = (0..pixels.len()).filter(|&pixel| object[pixel]).map(positive).sum();
        Ok(Finding::new(share(hits as f64, (2 * size - hits) as f64))
            .with("rank_accuracy", share(hits as f64, size as f64))
            .with("mass_accuracy", share(inside, all)))
    }
}

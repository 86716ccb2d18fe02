//! AXAI's ablation (appendix E.4): the segments of the explanation are blurred.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
};
use crate::{
    Result,
    filter::{self, Edge},
};

/// Ablation of segments.
pub struct Ablation;

/// Parameters of the ablation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many of the most important segments are blurred first, and how many of those after them then. The method must
    /// explain with as many as both together: K = 10 in the paper.
    #[schemars(range(min = 1, max = 100))]
    pub first: usize,
    /// Standard deviation of the blur in pixels; the paper names none.
    #[schemars(range(min = 0.5, max = 100.0))]
    pub sigma: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { first: 5, sigma: 10.0 }
    }
}

impl Metric for Ablation {
    type Config = Config;
    const NAME: &'static str = "ablation";
    const TITLE: &'static str = "Ablation of segments";
    const SUMMARY: &'static str = "How much of the class's probability is lost when the top five segments are blurred. Beside \
                                   it, whether the class stays the predicted one, and both for the sixth to tenth.";
    const PAPER: &'static str = "AXAI: Explanations via Adversarial Attacks (2021), appendix E.4";
    const NEEDS: &'static [Need] = &[Need::Predictions, Need::Image, Need::Segments];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "3 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let shape @ [channels, height, width] = assessment.image()?;
        let segments = assessment.segments()?;
        if segments.labels.len() != height * width {
            return Err(assessment.unsuited("the segments do not cover the picture"));
        }
        let sigma = f64::from(config.sigma);
        let kernel = filter::gaussian((4.0 * sigma + 0.5) as usize, sigma);
        let x = &assessment.input.data;
        let blurred = filter::blur(x, shape, &kernel, Edge::Mirror);
        let without = |chosen: &[u32]| -> Vec<f32> {
            let hit: Vec<bool> = segments.labels.iter().map(|label| chosen.contains(label)).collect();
            let hit = hit.repeat(channels);
            (0..x.len()).map(|i| if hit[i] { blurred[i] } else { x[i] }).collect()
        };
        let chosen = &segments.chosen;
        let (top, rest) = chosen.split_at(config.first.min(chosen.len()));
        let second = &rest[..config.first.min(rest.len())];
        let pictures = [x.clone(), without(top), without(second)];
        let logits = assessment.logits_of(&pictures, "blurred segments").await?;
        let probability =
            |i: usize| f64::from(assessment.explainer.model().probabilities(&logits[i])[assessment.target]);
        let kept = |i: usize| {
            f64::from(u8::from(assessment.explainer.model().predicted(&logits[i]) == assessment.target))
        };
        Ok(Finding::new(probability(0) - probability(1))
            .with("drop_second", probability(0) - probability(2))
            .with("kept_whole", kept(0))
            .with("kept_first", kept(1))
            .with("kept_second", kept(2))
            .with("blurred_first", top.len() as f64)
            .with("blurred_second", second.len() as f64))
    }
}

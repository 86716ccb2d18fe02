//! Relative representation stability (Agarwal et al. 2022).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    neighbours::{Around, Neighbours, relative},
};
use crate::Result;

/// Relative representation stability.
pub struct RelativeRepresentationStability;

/// Parameters of the stability.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many neighbours of the input are explained.
    #[schemars(range(min = 1, max = 1000))]
    pub samples: usize,
    /// How far each value of a neighbour may be from the input's, as a part of the input's range.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub radius: f32,
    /// The layer, by the name of its node; where it is empty, the one that Grad-CAM takes.
    pub layer: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { samples: 10, radius: 0.02, layer: String::new() }
    }
}

impl Metric for RelativeRepresentationStability {
    type Config = Config;
    const NAME: &'static str = "relative_representation_stability";
    const TITLE: &'static str = "Relative representation stability";
    const SUMMARY: &'static str = "The largest relative change of the map near the input over the relative change of what an inner \
                                   layer holds. Neighbours of another class are left out.";
    const PAPER: &'static str = "Agarwal, Johnson, Pawelczyk, Krishna, Saxena, Zitnik, Lakkaraju: Rethinking Stability for \
                                   Attribution-based Explanations (2022)";
    const NEEDS: &'static [Need] = &[Need::Method, Need::Predictions];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "0 or more";
    const COST: &'static str =
        "samples explanations, 2 * (samples + 1) forward passes, samples + 1 backward passes";

    /// Knows the given tensor `noise`: rows of what is added to the input, in model space.
    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let around = Around { samples: config.samples, radius: config.radius };
        let neighbours = Neighbours::new(assessment, &around)?;
        let layer = match (config.layer.as_str(), &assessment.explainer.model().info().layer) {
            ("", Some(layer)) => layer.clone(),
            ("", None) => {
                return Err(assessment
                    .unsuited("no layer of the model leaves a map; name one by the parameter layer"));
            }
            (named, _) => named.to_owned(),
        };
        let before = assessment.held_by(&layer, assessment.input.data.clone()).await?;
        let mut moved = Vec::with_capacity(neighbours.count);
        for number in 0..neighbours.count {
            assessment.checkpoint(number, neighbours.count, "neighbours at a layer").await?;
            moved.push(relative(&before, &assessment.held_by(&layer, neighbours.input(number)).await?));
        }
        let stability = neighbours.relative_stability(|number, _| moved[number]).await?;
        Ok(Finding::new(stability))
    }
}

//! Max-sensitivity (Yeh et al. 2019): how much can the map change where the input hardly does?

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
};
use crate::{HostTensor, Result};

/// Max-sensitivity.
pub struct MaxSensitivity;

/// Parameters of max-sensitivity.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many neighbours of the input are explained.
    #[schemars(range(min = 1, max = 1000))]
    pub samples: usize,
    /// How far each value of a neighbour may be from the input's, as a part of the input's range.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub radius: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { samples: 10, radius: 0.02 }
    }
}

impl Metric for MaxSensitivity {
    type Config = Config;
    const NAME: &'static str = "max_sensitivity";
    const TITLE: &'static str = "Max-sensitivity";
    const SUMMARY: &'static str = "The largest distance between the map and that of a nearby input, as a part of the map's \
                                   own length.";
    const PAPER: &'static str =
        "Yeh, Hsieh, Suggala, Inouye, Ravikumar: On the (In)fidelity and Sensitivity of Explanations (2019)";
    const NEEDS: &'static [Need] = &[Need::Method];
    const BETTER: Better = Better::Lower;

    /// Knows the given tensor `noise`: rows of what is added to the input, in model space.
    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let x = &assessment.input;
        let given = assessment.given_rows("noise")?;
        let count = given.as_ref().map_or(config.samples, Vec::len);
        let radius = config.radius * assessment.width_of_range();
        let noise = |number: usize| -> Vec<f32> {
            if let Some(given) = &given {
                return given[number].clone();
            }
            let mut random = assessment.random_of(number);
            x.data.iter().map(|_| radius * random.random_range(-1.0..=1.0)).collect()
        };
        let map = &assessment.map.data;
        let length = norm(map.iter().copied());
        let (mut largest, mut sum) = (0.0f64, 0.0);
        for number in 0..count {
            assessment.checkpoint(number, count, "explaining neighbours").await?;
            let data = x.data.iter().zip(noise(number)).map(|(x, noise)| x + noise).collect();
            let neighbour = HostTensor { data, shape: x.shape.clone() };
            let other = assessment.explain(assessment.explainer, &neighbour, |_| ()).await?;
            if other.data.len() != map.len() {
                return Err(assessment.unsuited("the given map is not of the kind that the method makes"));
            }
            let distance = norm(map.iter().zip(&other.data).map(|(a, b)| a - b));
            // An empty map has no length to compare with (Captum does the same).
            let sensitivity = if length > 0.0 { distance / length } else { distance };
            largest = largest.max(sensitivity);
            sum += sensitivity;
        }
        Ok(Finding::new(largest).with("mean", sum / count as f64))
    }
}

fn norm(values: impl Iterator<Item = f32>) -> f64 {
    values.map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

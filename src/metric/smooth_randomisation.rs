//! The smooth test by weight randomisation (Hedström et al. 2024): both maps are means over noisy inputs, so that their own noise is not taken for a change.

use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
};
use crate::{HostTensor, Result};

/// Smooth weight randomisation.
pub struct SmoothRandomisation;

/// Parameters of the check.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many inputs are explained by each of the networks.
    #[schemars(range(min = 1, max = 1000))]
    pub samples: usize,
    /// Standard deviation of the noise, as a part of the input's range.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub noise_level: f32,
    /// Compare magnitudes instead of signed values: random weights turn signs around by chance.
    pub magnitudes: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { samples: 50, noise_level: 0.1, magnitudes: true }
    }
}

impl Metric for SmoothRandomisation {
    type Config = Config;
    const NAME: &'static str = "smooth_randomisation";
    const TITLE: &'static str = "Smooth weight randomisation";
    const SUMMARY: &'static str = "The rank correlation between the mean of maps of noisy inputs and the same of a network with \
                                   random weights. A method whose map hardly changes does not explain the network.";
    const PAPER: &'static str = "Hedström, Weber, Lapuschkin, Höhne: Sanity Checks Revisited: An Exploration to Repair the Model \
                                   Parameter Randomisation Test (2024)";
    const NEEDS: &'static [Need] = &[Need::Method, Need::Randomised];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "2 * samples explanations";

    /// Knows the given tensor `noise`: rows of what is added to the input, in model space; the input itself is one more.
    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let randomised = assessment.randomised()?;
        let x = &assessment.input;
        let given = assessment.given_rows("noise")?;
        // The last one is the input itself, as in Quantus.
        let samples = given.as_ref().map_or(config.samples, |given| given.len() + 1);
        let deviation = config.noise_level * assessment.width_of_range();
        let mut means: [Vec<f32>; 2] = Default::default();
        let mut shape = Vec::new();
        for number in 0..samples {
            assessment.checkpoint(number, samples, "explaining noisy inputs").await?;
            let mut noisy = x.data.clone();
            match &given {
                _ if number + 1 == samples => (),
                Some(given) => noisy.iter_mut().zip(&given[number]).for_each(|(x, noise)| *x += noise),
                None => {
                    let noise = StandardNormal.sample_iter(assessment.random_of(number));
                    noisy.iter_mut().zip(noise).for_each(|(x, noise): (_, f32)| *x += deviation * noise);
                }
            }
            let noisy = HostTensor { data: noisy, shape: x.shape.clone() };
            for (mean, explainer) in means.iter_mut().zip([assessment.explainer, randomised]) {
                let map = assessment.explain(explainer, &noisy, |_| ()).await?;
                mean.resize(map.data.len(), 0.0);
                mean.iter_mut().zip(&map.data).for_each(|(mean, value)| *mean += value / samples as f32);
                shape = map.shape;
            }
        }
        let [map, other] = means.map(|data| HostTensor { data, shape: shape.clone() });
        Ok(assessment.compared(&map, &other, config.magnitudes))
    }
}

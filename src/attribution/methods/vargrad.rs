//! VarGrad (Adebayo et al. 2018): the variance of the gradient over noisy copies of the input.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    display::{Channels, Display},
    method::{Cost, Given, Method, NOISE, Need},
    smoothgrad::{Moments, moments},
};
use crate::{Result, input::parts::Joined, model::Score};

/// VarGrad.
pub struct VarGrad;

/// Parameters of VarGrad.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Noisy copies of the input.
    #[schemars(range(min = 2, max = 1000))]
    pub samples: usize,
    /// Standard deviation of the noise, as a part of the input's range.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub noise_level: f32,
    /// The score whose gradient is taken.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { samples: 25, noise_level: 0.15, score: Score::Logit }
    }
}

impl Method for VarGrad {
    type Config = Config;
    const NAME: &'static str = "vargrad";
    const TITLE: &'static str = "VarGrad";
    const SUMMARY: &'static str =
        "How much the gradient varies among noisy copies of the picture; what stays equal drops out.";
    const PAPER: &'static str = "Adebayo, Gilmer, Goodfellow, Kim: Local Explanation Methods for Deep Neural Networks Lack Sensitivity to Parameter Values (2018)";
    const NEEDS: &'static [Need] = &[Need::Gradient];
    const DISPLAY: Display = Display { channels: Channels::SumAbs, low: 0.0, high: 99.0 };
    const JOINED: Joined = Joined::Magnitudes;
    const ANYTIME: Anytime = Anytime::Settles;
    const GIVEN: &'static [Given] = &[NOISE];

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.samples, backward: config.samples }
    }

    fn quick() -> Config {
        Config { samples: 8, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        // No variance is negative; a difference of two roundings may be.
        let variance = |Moments { mean, square, .. }| (square - mean.clone() * mean).clamp_min(0.0);
        let moments = moments(subject, config.samples, config.noise_level, config.score, variance).await?;
        let samples = moments.samples;
        Ok(Attribution::new(variance(moments), samples))
    }
}

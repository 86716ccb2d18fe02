//! SmoothGrad (Smilkov et al. 2017) and its squared form (Hooker et al. 2019).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display},
    registry::{Cost, Method, Need},
};
use crate::{Result, model::Score};

pub(super) struct SmoothGrad;

/// Parameters of SmoothGrad.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// Noisy copies of the input.
    #[schemars(range(min = 1, max = 1000))]
    samples: usize,
    /// Standard deviation of the noise, as a part of the input's range.
    #[schemars(range(min = 0.0, max = 1.0))]
    noise_level: f32,
    /// Average the squares of the gradients instead of the gradients.
    squared: bool,
    /// The score whose gradient is taken.
    score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { samples: 25, noise_level: 0.15, squared: false, score: Score::Logit }
    }
}

impl Method for SmoothGrad {
    type Config = Config;
    const NAME: &'static str = "smoothgrad";
    const TITLE: &'static str = "SmoothGrad";
    const SUMMARY: &'static str =
        "The mean gradient of many noisy copies of the picture; steadier than a single one.";
    const PAPER: &'static str = "Smilkov, Thorat, Kim, Viégas, Wattenberg: SmoothGrad (2017)";
    const NEEDS: &'static [Need] = &[Need::Gradient];
    const DISPLAY: Display = Display { channels: Channels::MaxAbs, low: 0.0, high: 99.0 };

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.samples, backward: config.samples }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let x = subject.input();
        let (low, high) = subject.range();
        let sigma = config.noise_level * (high - low);
        let chunk = subject.batch_limit();
        let mut random = subject.random();
        let mut sum = x.zeros_like();
        for start in (0..config.samples).step_by(chunk) {
            subject.checkpoint(start, config.samples, "gradients of noisy copies").await?;
            let rows = chunk.min(config.samples - start);
            let noisy = x.clone() + subject.noise(rows, &mut random) * sigma;
            let found = subject.gradients(noisy, &vec![subject.target(); rows], config.score)?;
            let gradient = found.gradient;
            let gradient = if config.squared { gradient.clone() * gradient } else { gradient };
            sum = sum + gradient.sum_dim(0);
        }
        let map = sum / config.samples as f32;
        Ok(Attribution::new(map, config.samples))
    }
}

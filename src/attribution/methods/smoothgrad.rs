//! SmoothGrad (Smilkov et al. 2017) and its squared form (Hooker et al. 2019).

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    display::{Channels, Display},
    method::{Cost, Given, Method, NOISE, Need},
};
use crate::{Result, input::parts::Joined, model::Score};

/// SmoothGrad.
pub struct SmoothGrad;

/// Parameters of SmoothGrad.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Noisy copies of the input.
    #[schemars(range(min = 1, max = 1000))]
    pub samples: usize,
    /// Standard deviation of the noise, as a part of the input's range.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub noise_level: f32,
    /// Average the squares of the gradients instead of the gradients.
    pub squared: bool,
    /// The score whose gradient is taken.
    pub score: Score,
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
        let map = |Moments { mean, square, .. }| if config.squared { square } else { mean };
        let moments = moments(subject, config.samples, config.noise_level, config.score, map).await?;
        let samples = moments.samples;
        Ok(Attribution::new(map(moments), samples))
    }
}

/// The mean of the gradients of noisy copies, and that of their squares, `[1, features]` each.
pub(super) struct Moments {
    pub mean: Tensor<2>,
    pub square: Tensor<2>,
    /// Copies that were made.
    pub samples: usize,
}

impl Moments {
    fn of(sum: &Tensor<2>, squares: &Tensor<2>, samples: usize) -> Self {
        let mean = |sum: &Tensor<2>| sum.clone() / samples as f32;
        Self { mean: mean(sum), square: mean(squares), samples }
    }
}

/// Takes the gradients of `samples` copies of the input with noise of `noise_level` times the input's range; `map` is what
/// the method makes of them.
pub(super) async fn moments(
    subject: &Subject<'_>,
    samples: usize,
    noise_level: f32,
    score: Score,
    map: impl Fn(Moments) -> Tensor<2>,
) -> Result<Moments> {
    let x = subject.input();
    let (low, high) = subject.range();
    let sigma = noise_level * (high - low);
    let mut noise = subject.noise_source(samples, subject.random())?;
    let (mut sum, mut squares) = (x.zeros_like(), x.zeros_like());
    let mut batches = subject.batches(samples, "gradients of noisy copies");
    while let Some(rows) = batches.next().await? {
        let rows = rows.len();
        let noisy = x.clone() + noise.next(rows) * sigma;
        let gradient = subject.gradients(noisy, &vec![subject.target(); rows], score)?.gradient;
        sum = sum + gradient.clone().sum_dim(0);
        squares = squares + (gradient.clone() * gradient).sum_dim(0);
        if batches.so_far(|| map(Moments::of(&sum, &squares, batches.done()))).await? {
            break;
        }
    }
    Ok(Moments::of(&sum, &squares, batches.done()))
}

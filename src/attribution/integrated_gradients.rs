//! Integrated gradients (Sundararajan et al. 2017, equations 1 and 3).

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    display::{Channels, Display},
    registry::{Cost, Method, Need},
};
use crate::{Result, model::Score};

pub(super) struct IntegratedGradients;

/// The input that stands for the absence of everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Baseline {
    /// Pixels of value 0.
    #[default]
    Black,
    /// Pixels of value 1.
    White,
    /// The mean of the training data: 0 in model space.
    Mean,
}

impl Baseline {
    /// The baseline in model space, `[1, features]`.
    pub(super) fn row(self, subject: &Subject<'_>) -> Result<Tensor<2>> {
        Ok(match self {
            Self::Black => subject.pixel_space()?.black,
            Self::White => subject.pixel_space()?.white,
            Self::Mean => subject.input().zeros_like(),
        })
    }
}

/// Parameters of integrated gradients.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// Points on the line from the baseline to the input, both ends included.
    #[schemars(range(min = 2, max = 1000))]
    steps: usize,
    /// Where the line starts.
    baseline: Baseline,
    /// The score whose gradient is taken.
    score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { steps: 50, baseline: Baseline::Black, score: Score::Logit }
    }
}

impl Method for IntegratedGradients {
    type Config = Config;
    const NAME: &'static str = "integrated_gradients";
    const TITLE: &'static str = "Integrated gradients";
    const SUMMARY: &'static str = "Adds up the gradient on the way from an empty picture to this one; the parts sum to the change of the score.";
    const PAPER: &'static str = "Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks (2017)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::SumAbs, low: 80.0, high: 99.0 };
    const ANYTIME: Anytime = Anytime::Shows;

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.steps, backward: config.steps }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let x = subject.input();
        let baseline = config.baseline.row(subject)?;
        let difference = x - baseline.clone();
        let points = config.steps;
        let chunk = subject.batch_limit();
        let mut sum = difference.zeros_like();
        let (mut first, mut last) = (None, None);
        for start in (0..points).step_by(chunk) {
            subject.checkpoint(start, points, "gradients between the baseline and the input").await?;
            let end = (start + chunk).min(points);
            let alphas = (start..end).map(|k| k as f32 / (points - 1) as f32).collect();
            let alphas = subject.tensor(alphas, [end - start, 1]);
            let path = baseline.clone() + alphas * difference.clone();
            let found = subject.gradients(path, &vec![subject.target(); end - start], config.score)?;
            sum = sum + found.gradient.sum_dim(0);
            let score = subject.scores(found.logits, config.score);
            if start == 0 {
                first = Some(score.clone().slice(0..1));
            }
            last = Some(score.slice(end - start - 1..end - start));
            let map = || difference.clone() * (sum.clone() / points as f32);
            subject.so_far(end, points, map).await?;
        }
        let map = difference * (sum / points as f32);
        // Completeness: the attributions should add up to f(x) - f(baseline).
        let gap = first.zip(last).map(|(first, last)| map.clone().sum() - (last - first));
        Ok(Attribution { gap, ..Attribution::new(map, points) })
    }
}

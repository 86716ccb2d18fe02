//! Integrated gradients (Sundararajan et al. 2017, equations 1 and 3).

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Batches, JUMP_PASSES, Subject,
    anytime::Anytime,
    baseline::{BACKGROUND, BASELINE, Baseline, STARTS},
    display::{Channels, Display},
    method::{Cost, Given, Method, Need},
};
use crate::{Error, Result, model::Score};

/// Integrated gradients.
pub struct IntegratedGradients;

/// Parameters of integrated gradients.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Points on the line from the baseline to the input, both ends included.
    #[schemars(range(min = 2, max = 1000))]
    pub steps: usize,
    /// Where the line starts.
    #[schemars(extend("choices" = STARTS))]
    pub baseline: Baseline,
    /// The score whose gradient is taken.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { steps: 50, baseline: Baseline::Auto, score: Score::Logit }
    }
}

impl Method for IntegratedGradients {
    type Config = Config;
    const NAME: &'static str = "integrated_gradients";
    const TITLE: &'static str = "Integrated gradients";
    const SUMMARY: &'static str = "Adds up the gradient on the way from an empty input (black for pictures, zero for all else) to this one; the parts sum to the change of the score.";
    const PAPER: &'static str = "Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks (2017)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::SumAbs, low: 80.0, high: 99.0 };
    const ANYTIME: Anytime = Anytime::Shows;
    const GIVEN: &'static [Given] = &[BASELINE, BACKGROUND];
    const SHORTFALL: &'static str = "More steps come closer.";

    fn cost(config: &Config) -> Cost {
        // Where the sum is missed, what the score does near the baseline is looked at.
        Cost { forward: config.steps + JUMP_PASSES, backward: config.steps }
    }

    fn quick() -> Config {
        Config { steps: 15, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let &Config { steps, score, baseline } = config;
        let batches = subject.batches(steps, STAGE);
        let start = baseline.start(subject)?;
        let path = along_a_line(subject, start.clone(), steps, score, batches, true).await?;
        Ok(Attribution::complete(path.map, steps, path.change).along(start, score))
    }
}

/// What is done while the gradient is integrated.
pub(super) const STAGE: &str = "gradients between the baseline and the input";

/// Integrated gradients from one baseline.
pub(super) struct Line {
    /// What each feature counts, `[1, features]`.
    pub map: Tensor<2>,
    /// The score of the input minus that of the baseline, `[1]`.
    pub change: Tensor<1>,
}

/// Integrated gradients eq. 3: `(x - b)` times the mean gradient at `steps` points on the straight line from `b` to `x`, both
/// ends included; hands over the maps on the way where it `shows` them.
pub(super) async fn along_a_line(
    subject: &Subject<'_>,
    baseline: Tensor<2>,
    steps: usize,
    score: Score,
    mut batches: Batches<'_>,
    shows: bool,
) -> Result<Line> {
    let difference = subject.input() - baseline.clone();
    let mut sum = difference.zeros_like();
    let (mut first, mut last) = (None, None);
    while let Some(rows) = batches.next().await? {
        let count = rows.len();
        let alphas = rows.map(|k| k as f32 / (steps - 1) as f32).collect();
        let path = baseline.clone() + subject.tensor(alphas, [count, 1]) * difference.clone();
        let found = subject.gradients(path, &vec![subject.target(); count], score)?;
        sum = sum + found.gradient.sum_dim(0);
        let scores = subject.scores(found.logits, score);
        first.get_or_insert_with(|| scores.clone().slice(0..1));
        last = Some(scores.slice(count - 1..count));
        if shows {
            batches.so_far(|| difference.clone() * (sum.clone() / steps as f32)).await?;
        }
    }
    let ends = first.zip(last).ok_or_else(|| Error::Internal("a path without a point".into()))?;
    Ok(Line { map: difference * (sum / steps as f32), change: ends.1 - ends.0 })
}

//! Guided integrated gradients (Kapishnikov et al. 2021): a path that first changes what the network hardly notices.
//!
//! Guided IG algorithm 1, as in PAIR's `saliency` package. Each step takes the gradient once, and shortens the l1
//! distance to the input by an equal part: the features of the smallest gradients move first, and no feature may be
//! further than `max_dist` from where the straight line would have it.

use burn::tensor::{Bool, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, JUMP_PASSES, Subject,
    anytime::Anytime,
    baseline::{BACKGROUND, BASELINE, Baseline, STARTS},
    display::{Channels, Display},
    method::{Cost, Given, Method, Need},
};
use crate::{Error, Result, model::Score};

/// Guided integrated gradients.
pub struct GuidedIg;

/// Parameters of guided integrated gradients.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps from the baseline to the input.
    #[schemars(range(min = 2, max = 1000))]
    pub steps: usize,
    /// Where the path starts.
    #[schemars(extend("choices" = STARTS))]
    pub baseline: Baseline,
    /// Part of the features that move at a time, those of the smallest gradients.
    #[schemars(range(min = 0.05, max = 1.0))]
    pub fraction: f32,
    /// How far from the straight line a feature may be, as a part of its way; at 0 the path is the line.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_dist: f32,
    /// The score whose gradient is taken.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { steps: 200, baseline: Baseline::Auto, fraction: 0.25, max_dist: 0.02, score: Score::Logit }
    }
}

impl Method for GuidedIg {
    type Config = Config;
    const NAME: &'static str = "guided_ig";
    const TITLE: &'static str = "Guided integrated gradients";
    const SUMMARY: &'static str =
        "Integrated gradients along a path that avoids what makes the network's gradient noisy.";
    const PAPER: &'static str =
        "Kapishnikov et al.: Guided Integrated Gradients: An Adaptive Path Method for Removing Noise (2021)";
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
        Config { steps: 20, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let Config { steps, max_dist, score, .. } = *config;
        let input = subject.input();
        let baseline = config.baseline.start(subject)?;
        let way = input.clone() - baseline.clone();
        let length = way.clone().abs();
        let still = length.clone().equal_elem(0.0);
        let distance = |left: Tensor<2>| (left * length.clone()).sum().reshape([1, 1]);
        // The part of its way that each feature has before it. Kept in place of the features, because close to the
        // input 32 bits tell the parts apart and the features no longer.
        let mut left = way.ones_like();
        let total = distance(left.clone());
        let mut map = way.zeros_like();
        let mut first = None;
        // Guided IG algorithm 1.
        for step in 0..steps {
            subject.checkpoint(step, steps, "gradients on the guided path").await?;
            let at_baseline = left.clone().equal_elem(1.0);
            let x = (input.clone() - way.clone() * left.clone()).mask_where(at_baseline, baseline.clone());
            let found = subject.gradients(x, &[subject.target()], score)?;
            first.get_or_insert(found.logits);
            let gradient = found.gradient;

            let before = left.clone();
            let alpha = (step + 1) as f32 / steps as f32;
            // No feature may be further from the straight line: those that are behind catch up.
            left = left.clamp_max(1.0 - (alpha - max_dist).max(0.0));
            let least = 1.0 - (alpha + max_dist).min(1.0);
            let target = total.clone() * ((steps - step - 1) as f32 / steps as f32);
            // Each round takes its part of the features as far as they may go, so that so many are enough.
            for _ in 0..=(1.0 / config.fraction).ceil() as usize {
                let missing = (distance(left.clone()) - target.clone()).clamp_min(0.0);
                let room = left.clone() - least;
                let fixed = room.clone().equal_elem(0.0).bool_or(still.clone());
                let size = gradient.clone().abs().mask_fill(fixed.clone(), f32::MAX);
                let chosen = smallest(subject, size, config.fraction).await?.bool_and(fixed.bool_not());
                let reach = distance(room.clone().mask_fill(chosen.clone().bool_not(), 0.0));
                // The part of their room that closes the gap, all of it at most.
                let part = (missing.clone() / reach.clone().clamp_min(1e-20)).clamp(0.0, 1.0);
                left = left.mask_where(chosen, room * (part * -1.0 + 1.0) + least);
                let enough = subject.peek(&reach.greater_equal(missing).float()).await?;
                if enough.is_some_and(|enough| enough[0] == 1.0) {
                    break;
                }
            }
            map = map + (before - left.clone()) * way.clone() * gradient;
            subject.so_far(step + 1, steps, || map.clone()).await?;
        }
        // Completeness: the attributions should add up to f(x) - f(baseline).
        let last = subject.scores(subject.clean(), score);
        let first = first.ok_or_else(|| Error::Internal("a path without a point".into()))?;
        Ok(Attribution::complete(map, steps, last - subject.scores(first, score)).along(baseline, score))
    }
}

/// The `fraction` of the values that are smallest, and all that equal the largest of them: those up to the quantile
/// of `fraction`, the lower of two neighbours. The values are not negative; a row, `[1, features]`.
///
/// Where reading is free the quantile is read off; a GPU, which has no sort, narrows it down.
async fn smallest(subject: &Subject<'_>, values: Tensor<2>, fraction: f32) -> Result<Tensor<2, Bool>> {
    let features = values.dims()[1];
    let rank = (f64::from(fraction) * (features - 1) as f64) as usize;
    let threshold = match subject.peek(&values.clone().reshape([features, 1])).await? {
        Some(mut values) => *values.select_nth_unstable_by(rank, f32::total_cmp).1,
        None => return Ok(values.clone().lower_equal(narrowed(&values, rank))),
    };
    Ok(values.lower_equal_elem(threshold))
}

/// A number from the value of rank `rank`, from 0, up to the next larger value, `[1, 1]`; values of `f32::MAX` are
/// never counted.
///
/// Each pass compares all values with 16 candidates at once and keeps the sixteenth between two of them. Ten passes
/// come down to 2^-40 of the largest value, finer than 32 bits can tell the values that matter apart.
fn narrowed(values: &Tensor<2>, rank: usize) -> Tensor<2> {
    const CANDIDATES: usize = 16;
    let device = values.device();
    let parts: Vec<f32> = (1..=CANDIDATES).map(|part| part as f32 / CANDIDATES as f32).collect();
    let parts = Tensor::<1>::from_data(parts.as_slice(), &device).reshape([CANDIDATES, 1]);
    let counted = values.clone().lower_elem(f32::MAX);
    let mut high = values.clone().mask_fill(counted.bool_not(), 0.0).max().reshape([1, 1]);
    let mut low = high.zeros_like();
    for _ in 0..10 {
        let candidates = low.clone() + parts.clone() * (high.clone() - low.clone());
        let below = values.clone().lower_equal(candidates.clone()).float().sum_dim(1);
        let enough = below.greater_elem(rank as f32 + 0.5);
        let (highs, lows) = (
            candidates.clone().mask_fill(enough.clone().bool_not(), f32::MAX),
            candidates.mask_fill(enough, 0.0),
        );
        high = high.min_pair(highs.min().reshape([1, 1]));
        low = low.max_pair(lows.max().reshape([1, 1]));
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_narrowed_down_to_the_value_that_sorting_finds() {
        let device = crate::Device::cpu("test");
        let values: Vec<f32> = (0..1000u32)
            .map(|k| match k.wrapping_mul(2_654_435_761) >> 16 {
                0..1000 => 0.0,
                60_000.. => f32::MAX,
                k => (k as f32 / 1e4).exp(),
            })
            .collect();
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let row = Tensor::<1>::from_data(values.as_slice(), device.burn()).reshape([1, 1000]);
        for rank in [0, 1, 250, 600, 900, 999] {
            let threshold = narrowed(&row, rank).into_scalar::<f32>();
            let chosen = |threshold| values.iter().filter(|&&value| value <= threshold).count();
            let largest = sorted.iter().copied().filter(|&value| value < f32::MAX).fold(0.0, f32::max);
            assert_eq!(chosen(threshold), chosen(sorted[rank].min(largest)), "rank {rank}");
        }
    }
}

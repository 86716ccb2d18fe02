//! RelEx (Lim, Lee, Kim 2021): a mask that keeps the class and whose rest loses it, for noisy copies of the input.
//!
//! RelEx eq. 11: over a batch of copies `x_i` of the input, the mask `m` minimises
//! `mean[-ln p_t(m x_i)] + lambda1 |m|_1 + lambda2 mean[-ln(1 - p_t((1 - m) x_i))]`.

use burn::tensor::{Tensor, activation};
use rand::distr::{Distribution, StandardUniform};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    baseline::{BASELINE, behind, given_or, zeros},
    display::{Channels, Display},
    method::{Cost, Given, Method, NOISE, Need},
    subject::NoiseSource,
};
use crate::{
    Result,
    input::parts::Joined,
    model::{Activation, Score},
};

/// RelEx.
pub struct RelEx;

/// Keeps the logarithm of `1 - p_t` finite.
const GUARD: f32 = 1e-7;

/// Parameters of RelEx. The paper's variant without a batch is `samples` 1 with `noise_level` 0.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps of gradient descent; the paper also takes 100.
    #[schemars(range(min = 1, max = 1000))]
    pub iterations: usize,
    /// Noisy copies of the input, drawn anew in each step.
    #[schemars(range(min = 1, max = 1000))]
    pub samples: usize,
    /// Standard deviation of the noise, as a part of the input's range.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub noise_level: f32,
    /// Weight of the mask's l1 norm (lambda 1).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sparsity: f32,
    /// Weight of what the rest of the picture must lose (lambda 2).
    #[schemars(range(min = 0.0, max = 100.0))]
    pub deletion: f32,
    /// Length of a step.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub learning_rate: f32,
    /// Part of the last step that is made again.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub momentum: f32,
    /// End as soon as the mask does its work: on average the masked copies have at least this probability of the
    /// class, and the rest of them at most what is missing to 1. At 1 all steps are made.
    #[schemars(range(min = 0.5, max = 1.0))]
    pub stop_at: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            iterations: 50,
            samples: 50,
            noise_level: 0.1,
            sparsity: 1e-4,
            deletion: 1.0,
            learning_rate: 0.1,
            momentum: 0.99,
            stop_at: 1.0,
        }
    }
}

impl Method for RelEx {
    type Config = Config;
    const NAME: &'static str = "relex";
    const TITLE: &'static str = "RelEx";
    const SUMMARY: &'static str = "Learns the smallest mask that keeps the class while the rest of the picture loses it, also under noise. Robust against attacks, and costly.";
    const PAPER: &'static str =
        "Lim, Lee, Kim: Building Reliable Explanations of Unreliable Neural Networks (2021)";
    const NEEDS: &'static [Need] = &[Need::Gradient];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;
    const ANYTIME: Anytime = Anytime::Settles;
    const GIVEN: &'static [Given] = &[
        Given { name: "mask", description: "where the descent starts, in the input's shape, 0 to 1" },
        NOISE,
        BASELINE,
    ];

    fn cost(config: &Config) -> Cost {
        let copies = if config.deletion > 0.0 { 2 } else { 1 };
        let gradients = copies * config.iterations * config.samples;
        Cost { forward: gradients, backward: gradients }
    }

    fn quick() -> Config {
        Config { samples: 1, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let Config { iterations, samples, learning_rate, momentum, stop_at, .. } = *config;
        let mut random = subject.random();
        let features = subject.features();
        let start: Vec<f32> = match subject.given_rows("mask", 1)? {
            Some(given) => given.to_vec(),
            None => StandardUniform.sample_iter(&mut random).take(features).map(|u: f32| u / 100.0).collect(),
        };
        let mut mask = subject.tensor(start, [1, features]);
        let mut noise = subject.noise_source(iterations * samples, random)?;
        let blank = given_or(subject, zeros(subject))?;
        let mut velocity = mask.zeros_like();
        let mut searching = subject.tensor(vec![1.0], [1, 1]);
        let mut steps = 0;
        for iteration in 0..iterations {
            subject.checkpoint(iteration, iterations, "learning a mask").await?;
            let found = descend(subject, config, &mask, &mut noise, blank.as_ref())?;
            if stop_at < 1.0 {
                let at_work = found.kept.greater_equal_elem(stop_at).float()
                    * found.left.lower_equal_elem(1.0 - stop_at).float();
                searching = searching * (at_work * -1.0 + 1.0);
                // Where finding out would mean waiting for a GPU, the mask stays as it is and the steps go on.
                if subject.peek(&searching).await?.is_some_and(|searching| searching[0] == 0.0) {
                    break;
                }
            }
            let norm = found.gradient.clone().powi_scalar(2).sum().sqrt().reshape([1, 1]);
            let direction = found.gradient / norm.clamp_min(f32::MIN_POSITIVE);
            velocity = velocity * momentum + direction;
            let next = (mask.clone() - velocity.clone() * learning_rate).clamp(0.0, 1.0);
            mask = if stop_at < 1.0 { mask.clone() + (next - mask) * searching.clone() } else { next };
            steps += 1;
            if subject.so_far(steps, iterations, || mask.clone()).await? {
                break;
            }
        }
        Ok(Attribution::new(mask, steps))
    }
}

/// What a step finds out about a mask.
struct Found {
    /// The gradient of the loss with respect to the mask, `[1, features]`.
    gradient: Tensor<2>,
    /// The mean of `p_t(m x_i)`, `[1, 1]`.
    kept: Tensor<2>,
    /// The mean of `p_t((1 - m) x_i)`, `[1, 1]`.
    left: Tensor<2>,
}

/// The loss's gradient over one batch of noisy copies.
fn descend(
    subject: &Subject<'_>,
    config: &Config,
    mask: &Tensor<2>,
    noise: &mut NoiseSource<'_>,
    blank: Option<&Tensor<2>>,
) -> Result<Found> {
    let Config { samples, noise_level, sparsity, deletion, .. } = *config;
    let x = subject.input();
    let target = subject.target();
    let (low, high) = subject.range();
    let sigma = noise_level * (high - low);
    let rest = mask.clone() * -1.0 + 1.0;
    let mut sum = mask.zeros_like();
    let (mut kept, mut left) = (subject.tensor(vec![0.0], [1, 1]), subject.tensor(vec![0.0], [1, 1]));
    let chunk = subject.batch_limit();
    for start in (0..samples).step_by(chunk) {
        let rows = chunk.min(samples - start);
        let copies = x.clone() + noise.next(rows) * sigma;
        let targets = vec![target; rows];
        let probability =
            |logits| -> Tensor<2> { subject.scores(logits, Score::Probability).reshape([rows, 1]) };

        // What the mask lets through in place of what it hides: the copy less the baseline, which is 0 where none is given.
        let shown = blank.map_or_else(|| copies.clone(), |blank| copies.clone() - blank.clone());
        // RelEx eq. 11, the first term. -ln p_t(m x): by the chain rule, -x times the gradient of ln p_t at m x.
        let masked = behind(copies.clone(), mask.clone(), blank.cloned());
        let found = subject.gradients(masked, &targets, Score::LogProbability)?;
        sum = sum - (found.gradient * shown.clone()).sum_dim(0);
        kept = kept + probability(found.logits).sum_dim(0);

        // RelEx eq. 11, the third term. -ln(1 - p_t((1 - m) x)): -x times the gradient of p_t at (1 - m) x, over 1 - p_t.
        if deletion > 0.0 {
            let left_over = behind(copies, rest.clone(), blank.cloned());
            let found = subject.gradients(left_over, &targets, Score::Probability)?;
            let weight = (others(subject, found.logits.clone()) + GUARD).recip() * deletion;
            sum = sum - (found.gradient * shown * weight).sum_dim(0);
            left = left + probability(found.logits).sum_dim(0);
        }
    }
    let count = samples as f32;
    Ok(Found {
        gradient: sum / count + mask.clone().sign() * sparsity,
        kept: kept / count,
        left: left / count,
    })
}

/// `1 - p_t` of each row, `[N, 1]`; of a softmax as the sum of the other probabilities, which does not round to 0 where
/// `p_t` rounds to 1.
fn others(subject: &Subject<'_>, logits: Tensor<2>) -> Tensor<2> {
    if subject.model().info().activation != Activation::Softmax {
        let rows = logits.dims()[0];
        return subject.scores(logits, Score::Probability).reshape([rows, 1]) * -1.0 + 1.0;
    }
    let mut others = vec![1.0; subject.classes()];
    others[subject.target()] = 0.0;
    let others = subject.tensor(others, [1, subject.classes()]);
    (activation::softmax(logits, 1) * others).sum_dim(1)
}

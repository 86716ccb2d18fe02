//! The fast gradient method (Goodfellow et al. 2014; Miyato et al. 2016 for l2) and projected gradient descent
//! (Madry et al. 2017).

use burn::tensor::Tensor;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AttackOptions, Network,
    registry::{Attacking, Shared},
    victim::{Found, Victim},
};
use crate::{Result, Score, model::read};

/// Projected gradient descent, as an attack on one input.
pub(super) struct Pgd;

/// It has no parameters beside the options of every attack.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {}

impl Attacking for Pgd {
    type Config = Config;
    const NAME: &'static str = "pgd";
    const TITLE: &'static str = "Projected gradient descent";
    const SUMMARY: &'static str = "Steps along the gradient, each brought back within the bound; of a single step the fast gradient method.";
    const PAPER: &'static str = "Madry, Makelov, Schmidt, Tsipras, Vladu: Towards Deep Learning Models Resistant to Adversarial Attacks (2017)";
    const READS: &'static [Shared] =
        &[Shared::Norm, Shared::Epsilon, Shared::Step, Shared::Steps, Shared::Towards, Shared::RandomStart];
    const COST: &'static str = "steps gradients";

    /// Knows the given tensor `start`: the change to begin with.
    async fn run(victim: &Victim<'_>, options: &AttackOptions, _: &Config) -> Result<Found> {
        let attack = Attack {
            norm: options.norm,
            step: options.step.unwrap_or(match options.steps {
                1 => options.epsilon,
                steps => 2.5 * options.epsilon / steps as f32,
            }),
            epsilon: options.epsilon,
            steps: options.steps,
            targeted: victim.targeted,
        };
        let features = victim.x.len();
        let rows = |values: Vec<f32>| victim.network.rows().rows(values);
        let start = match victim.start()? {
            None if options.random_start => Some(attack.random_start(1, features, &mut victim.random())),
            start => start,
        };
        let range = match &victim.range {
            Some([low, high]) => Some((rows(low.clone())?, rows(high.clone())?)),
            None => None,
        };
        let within = Within { range, start: start.map(rows).transpose()?, ..Within::default() };
        let change = attack.run(victim.network, rows(victim.x.clone())?, &[victim.class], &within).await?;
        victim.backward.set(victim.backward.get() + options.steps);
        Ok(Found { change: read(change.reshape([features])).await?, step: attack.step })
    }
}

/// How the size of a change is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// The Euclidean length of a row.
    #[default]
    L2,
    /// The largest change of a feature.
    Linf,
}

/// An attack on the cross-entropy of a class, in model space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attack {
    /// The norm of `step` and `epsilon`.
    pub norm: Norm,
    /// Length of a step.
    pub step: f32,
    /// The largest change in all.
    pub epsilon: f32,
    /// Number of steps, each of which takes one gradient.
    pub steps: usize,
    /// Lead to the given classes instead of away from them.
    pub targeted: bool,
}

/// What an attack may change, and where it starts; by default everything, without limits, from the input itself.
#[derive(Debug, Clone, Default)]
pub struct Within {
    /// The smallest and the largest valid value of each feature, `[1, features]` or `[N, features]` each.
    pub range: Option<(Tensor<2>, Tensor<2>)>,
    /// 1 at the features that may change and 0 elsewhere, `[1, features]` or `[N, features]`.
    pub mask: Option<Tensor<2>>,
    /// The change to begin with, `[N, features]`; see [`Attack::random_start`].
    pub start: Option<Tensor<2>>,
}

impl Attack {
    /// One step to the edge of the ball.
    pub fn fgm(norm: Norm, epsilon: f32) -> Self {
        Self { norm, step: epsilon, epsilon, steps: 1, targeted: false }
    }

    /// Steps along the gradient, each projected back on the ball.
    pub fn pgd(norm: Norm, step: f32, epsilon: f32, steps: usize) -> Self {
        Self { norm, step, epsilon, steps, targeted: false }
    }

    /// Leads to the given classes instead of away from them.
    #[must_use]
    pub fn targeted(self) -> Self {
        Self { targeted: true, ..self }
    }

    /// The change `δ` of each row of `x` that raises the cross-entropy of its class in `classes` (lowers it in a
    /// targeted attack): `δ ← project(δ + step·g/‖g‖)`, or `sign g` for l-inf; `x + δ` stays `within` its limits.
    ///
    /// # Errors
    /// Those of the network's gradient and of its checkpoint.
    pub async fn run(
        &self,
        network: &impl Network,
        x: Tensor<2>,
        classes: &[usize],
        within: &Within,
    ) -> Result<Tensor<2>> {
        let mut delta = within.start.clone().unwrap_or_else(|| x.zeros_like());
        delta = self.project(delta, &x, within);
        // The cross-entropy is minus the log probability.
        let direction = if self.targeted { self.step } else { -self.step };
        for step in 0..self.steps {
            network.checkpoint(step, self.steps, "attacking the network").await?;
            let found = network.gradients(x.clone() + delta.clone(), classes, Score::LogProbability)?;
            let gradient = masked(found.gradient, &within.mask);
            delta = self.project(delta + self.unit(gradient) * direction, &x, within);
        }
        Ok(delta)
    }

    /// The steepest change of length 1.
    fn unit(&self, gradient: Tensor<2>) -> Tensor<2> {
        match self.norm {
            Norm::L2 => {
                // Divided by its largest value first: squares of a confident network's gradient are too small for
                // 32 bits.
                let largest = gradient.clone().max_abs_dim(1).clamp_min(f32::MIN_POSITIVE);
                let scaled = gradient / largest;
                scaled.clone() / length(scaled).clamp_min(f32::MIN_POSITIVE)
            }
            Norm::Linf => gradient.sign(),
        }
    }

    /// The nearest change within the ball, the mask and the valid range.
    fn project(&self, delta: Tensor<2>, x: &Tensor<2>, within: &Within) -> Tensor<2> {
        let delta = masked(delta, &within.mask);
        let delta = match self.norm {
            Norm::L2 => {
                let length = length(delta.clone()).clamp_min(f32::MIN_POSITIVE);
                delta * (length.recip() * self.epsilon).clamp_max(1.0)
            }
            Norm::Linf => delta.clamp(-self.epsilon, self.epsilon),
        };
        match &within.range {
            None => delta,
            Some((low, high)) => (x.clone() + delta).max_pair(low.clone()).min_pair(high.clone()) - x.clone(),
        }
    }

    /// Values of a change drawn evenly from the ball, `rows · features` of them.
    pub fn random_start(&self, rows: usize, features: usize, random: &mut impl Rng) -> Vec<f32> {
        let mut values = Vec::with_capacity(rows * features);
        for _ in 0..rows {
            match self.norm {
                Norm::Linf => values.extend((0..features).map(|_| {
                    let part: f32 = StandardUniform.sample(random);
                    (2.0 * part - 1.0) * self.epsilon
                })),
                Norm::L2 => {
                    let direction: Vec<f32> =
                        StandardNormal.sample_iter(&mut *random).take(features).collect();
                    let length = direction.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
                    let part: f64 = StandardUniform.sample(random);
                    // Volume grows with the radius to the power of the dimension.
                    let radius = f64::from(self.epsilon) * part.powf(1.0 / features as f64);
                    values.extend(direction.iter().map(|v| (f64::from(*v) * radius / length) as f32));
                }
            }
        }
        values
    }
}

fn length(rows: Tensor<2>) -> Tensor<2> {
    rows.clone().mul(rows).sum_dim(1).sqrt()
}

fn masked(rows: Tensor<2>, mask: &Option<Tensor<2>>) -> Tensor<2> {
    match mask {
        Some(mask) => rows * mask.clone(),
        None => rows,
    }
}

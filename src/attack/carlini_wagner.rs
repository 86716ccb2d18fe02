//! The attack of Carlini and Wagner (2017) in the norm l2: the shortest change that turns the answer, found by optimisation and a
//! search for how much the turn must weigh against the length.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AttackOptions,
    registry::{Attacking, Shared},
    victim::{Found, Victim, length},
};
use crate::{Result, Score};

/// C&W.
pub struct CarliniWagner;

/// Parameters of the attack.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How often the weight of the turn against the length is halved or raised.
    #[schemars(range(min = 1, max = 20))]
    pub searches: usize,
    /// Steps of Adam for each weight at most: 10000 in the paper.
    #[schemars(range(min = 1, max = 10000))]
    pub steps: usize,
    /// The length of Adam's steps.
    #[schemars(range(min = 0.00001, max = 1.0))]
    pub step: f32,
    /// How far another logit must lie above.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub confidence: f32,
    /// The weight to begin with.
    #[schemars(range(min = 0.000001, max = 1000000.0))]
    pub weight: f32,
    /// End a search where a tenth of its steps brought nothing.
    pub abort_early: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { searches: 9, steps: 100, step: 0.01, confidence: 0.0, weight: 1e-3, abort_early: true }
    }
}

impl Attacking for CarliniWagner {
    type Config = Config;
    const NAME: &'static str = "carlini_wagner";
    const TITLE: &'static str = "Carlini and Wagner, l2";
    const SUMMARY: &'static str = "The shortest change that turns the answer, found by optimisation. It has no bound: the length of the change is \
                                   what it finds. Slow and strong; where nothing is found the input stays.";
    const PAPER: &'static str =
        "Carlini, Wagner: Towards Evaluating the Robustness of Neural Networks (2017)";
    const READS: &'static [Shared] = &[Shared::Towards];
    const COST: &'static str = "searches * steps forward passes and two gradients each at most";

    async fn run(victim: &Victim<'_>, _: &AttackOptions, config: &Config) -> Result<Found> {
        let space = Tanh::of(victim);
        let origin = space.inverse(&victim.x);
        let base = space.values(&origin).0;
        let mut best: Option<(f64, Vec<f32>)> = None;
        let mut weight = f64::from(config.weight);
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let (tenth, all) = (config.steps.div_ceil(10), config.searches * config.steps);
        for search in 0..config.searches {
            if search + 1 == config.searches && config.searches >= 10 {
                weight = high.min(1e10);
            }
            let mut delta = vec![0.0; origin.len()];
            let mut adam = Adam::new(origin.len(), config.step.into());
            let (mut turned, mut loss_before) = (false, f64::INFINITY);
            for step in 0..config.steps {
                victim.checkpoint(search * config.steps + step, all).await?;
                let moved: Vec<f64> =
                    origin.iter().zip(&delta).map(|(origin, delta)| origin + delta).collect();
                let (point, slope) = space.values(&moved);
                let logits = victim.logits(vec![point.clone()]).await?.concat();
                let (margin, other) = victim.margin(&logits);
                let margin = f64::from(margin) + f64::from(config.confidence);
                let away: Vec<f64> =
                    point.iter().zip(&base).map(|(point, base)| f64::from(point - base)).collect();
                let loss = margin.max(0.0) * weight + away.iter().map(|value| value * value).sum::<f64>();
                let mut gradient: Vec<f64> = away.iter().map(|value| 2.0 * value).collect();
                if margin > 0.0 {
                    let rows = [point.as_slice(), &point];
                    let seen = victim.gradients(&rows, &[victim.class, other], Score::Logit).await?;
                    let turn = if victim.targeted { -weight } else { weight };
                    for (i, value) in gradient.iter_mut().enumerate() {
                        *value += turn * f64::from(seen.gradients[0][i] - seen.gradients[1][i]);
                    }
                }
                let through = gradient.iter().zip(&slope).map(|(value, slope)| value * slope);
                adam.step(&mut delta, through);
                if config.abort_early && step % tenth == 0 {
                    if loss > 0.9999 * loss_before {
                        break;
                    }
                    loss_before = loss;
                }
                let succeeded = margin < 0.0 || (config.confidence == 0.0 && victim.turned(&logits));
                if succeeded {
                    turned = true;
                    let size = length(&victim.change(&point));
                    if best.as_ref().is_none_or(|(least, _)| size < *least) {
                        best = Some((size, point));
                    }
                }
            }
            if turned {
                high = weight
            } else {
                low = weight
            }
            weight = if high.is_infinite() { weight * 10.0 } else { (low + high) / 2.0 };
        }
        let change = best.map_or_else(|| vec![0.0; victim.x.len()], |(_, point)| victim.change(&point));
        Ok(Found { change, step: config.step })
    }
}

/// The space of the optimisation, in which every point is valid: through tanh where values have limits.
struct Tanh {
    /// The middle and half the width of what is valid, of each feature.
    range: Option<Vec<(f64, f64)>>,
}

impl Tanh {
    fn of(victim: &Victim<'_>) -> Self {
        let range = victim.range.as_ref().map(|[low, high]| {
            low.iter()
                .zip(high)
                .map(|(&low, &high)| {
                    let (low, high) = (f64::from(low), f64::from(high));
                    ((low + high) / 2.0, (high - low) / 2.0)
                })
                .collect()
        });
        Self { range }
    }

    /// The point whose values these are, or are nearly at the ends.
    fn inverse(&self, values: &[f32]) -> Vec<f64> {
        match &self.range {
            None => values.iter().map(|&value| value.into()).collect(),
            Some(range) => {
                let point = |(&value, (middle, half)): (&f32, &(f64, f64))| {
                    (f64::from(value) - middle) / half * 0.999999
                };
                values.iter().zip(range).map(point).map(f64::atanh).collect()
            }
        }
    }

    /// The values, and how fast they change.
    fn values(&self, points: &[f64]) -> (Vec<f32>, Vec<f64>) {
        match &self.range {
            None => (points.iter().map(|&value| value as f32).collect(), vec![1.0; points.len()]),
            Some(range) => points
                .iter()
                .zip(range)
                .map(|(point, (middle, half))| {
                    let part = point.tanh();
                    ((part * half + middle) as f32, half * (1.0 - part * part))
                })
                .unzip(),
        }
    }
}

/// Adam (Kingma and Ba 2015).
struct Adam {
    length: f64,
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl Adam {
    fn new(features: usize, length: f64) -> Self {
        Self { length, first: vec![0.0; features], second: vec![0.0; features], steps: 0 }
    }

    fn step(&mut self, values: &mut [f64], gradient: impl Iterator<Item = f64>) {
        self.steps += 1;
        let (one, two) = (1.0 - 0.9f64.powi(self.steps), 1.0 - 0.999f64.powi(self.steps));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((value, gradient), (first, second)) in values.iter_mut().zip(gradient).zip(moments) {
            *first = 0.9 * *first + 0.1 * gradient;
            *second = 0.999 * *second + 0.001 * gradient * gradient;
            *value -= self.length * (*first / one) / ((*second / two).sqrt() + 1e-8);
        }
    }
}

//! APGD on the cross-entropy (Croce and Hein 2020): projected gradient descent that finds the length of its steps by itself.

use rand_distr::{Distribution, StandardNormal, StandardUniform};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AttackOptions, Norm,
    registry::{Attacking, Shared},
    victim::{Found, Victim, length, sign},
};
use crate::Result;

/// APGD.
pub struct Apgd;

/// Parameters of APGD.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The part of the steps since the last look that must have raised the loss, or the steps become half as long.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub rho: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { rho: 0.75 }
    }
}

/// How much of a step is new; the rest goes on as the last one went.
const NEW: f32 = 0.75;

impl Attacking for Apgd {
    type Config = Config;
    const NAME: &'static str = "apgd";
    const TITLE: &'static str = "Auto-PGD on the cross-entropy";
    const SUMMARY: &'static str = "Projected gradient descent with momentum, of which the steps become shorter and begin again at the best \
                                   point where they no longer help: nothing is left to be tuned but the bound. Ends with the first change \
                                   that turns the answer last seen, or with the largest loss.";
    const PAPER: &'static str = "Croce, Hein: Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free Attacks (2020)";
    const READS: &'static [Shared] =
        &[Shared::Norm, Shared::Epsilon, Shared::Steps, Shared::Towards, Shared::RandomStart];
    const COST: &'static str = "steps + 1 gradients";

    /// Knows the given tensor `start`: the change to begin with.
    async fn run(victim: &Victim<'_>, options: &AttackOptions, config: &Config) -> Result<Found> {
        let (norm, epsilon, steps) = (options.norm, options.epsilon, options.steps);
        let at_least_one = |part: f64| ((part * steps as f64) as usize).max(1);
        let (mut until, fewest, fewer) = (at_least_one(0.22), at_least_one(0.06), at_least_one(0.03));
        let mut point = victim.moved(start(victim, options)?);
        let (mut gradient, loss, logits) = victim.ascent(&point).await?;
        let mut turned = victim.turned(&logits).then(|| point.clone());
        let mut best = (point.clone(), gradient.clone(), loss);
        let (mut before, mut step) = (point.clone(), 2.0 * epsilon);
        let (mut at_last_look, mut halved) = (loss, true);
        let mut losses = Vec::with_capacity(steps);
        let mut since = 0;
        for done in 0..steps {
            victim.checkpoint(done, steps).await?;
            let kept = if done > 0 { NEW } else { 1.0 };
            let ahead = bounded(victim, norm, epsilon, &stepped(norm, &point, &gradient, step));
            let mixed: Vec<f32> = (0..point.len())
                .map(|i| point[i] + (ahead[i] - point[i]) * kept + (point[i] - before[i]) * (1.0 - kept))
                .collect();
            before = point;
            point = bounded(victim, norm, epsilon, &mixed);
            let (found, loss, logits) = victim.ascent(&point).await?;
            gradient = found;
            if victim.turned(&logits) {
                turned = Some(point.clone());
            }
            losses.push(loss);
            if loss > best.2 {
                best = (point.clone(), gradient.clone(), loss);
            }
            since += 1;
            if since == until {
                // The loss before the first step is not looked at, as in the authors' code.
                let raised = (0..until)
                    .filter(|back| done > *back && losses[done - back] > losses[done - back - 1])
                    .count();
                // Their code compares the first loss with the last one that is not there yet, 0.
                let raised = raised + usize::from(until == done + 1 && losses[0] > 0.0);
                let oscillates = raised as f32 <= until as f32 * config.rho;
                let stands_still = !halved && at_last_look >= best.2;
                halved = oscillates || stands_still;
                at_last_look = best.2;
                if halved {
                    step /= 2.0;
                    (point, gradient) = (best.0.clone(), best.1.clone());
                }
                since = 0;
                until = until.saturating_sub(fewer).max(fewest);
            }
        }
        let change = victim.change(&turned.unwrap_or(best.0));
        Ok(Found { change, step })
    }
}

/// The change to begin with: given, drawn on the edge of the ball, or none.
fn start(victim: &Victim<'_>, options: &AttackOptions) -> Result<Vec<f32>> {
    if let Some(start) = victim.start()? {
        return Ok(start);
    }
    if !options.random_start {
        return Ok(vec![0.0; victim.x.len()]);
    }
    let random = victim.random();
    let count = victim.x.len();
    let drawn: Vec<f32> = match options.norm {
        Norm::Linf => {
            StandardUniform.sample_iter(random).map(|part: f32| 2.0 * part - 1.0).take(count).collect()
        }
        Norm::L2 => StandardNormal.sample_iter(random).take(count).collect(),
    };
    let size = match options.norm {
        Norm::Linf => drawn.iter().fold(0.0f32, |most, value| most.max(value.abs())),
        Norm::L2 => length(&drawn) as f32,
    };
    let scale = options.epsilon / size.max(f32::MIN_POSITIVE);
    Ok(drawn.into_iter().map(|value| value * scale).collect())
}

/// A step along the gradient.
fn stepped(norm: Norm, point: &[f32], gradient: &[f32], step: f32) -> Vec<f32> {
    match norm {
        Norm::Linf => point.iter().zip(gradient).map(|(point, slope)| point + step * sign(*slope)).collect(),
        Norm::L2 => {
            let scale = f64::from(step) / (length(gradient) + 1e-12);
            point
                .iter()
                .zip(gradient)
                .map(|(point, slope)| point + (f64::from(*slope) * scale) as f32)
                .collect()
        }
    }
}

/// The nearest point within the ball, brought back to what is valid.
fn bounded(victim: &Victim<'_>, norm: Norm, epsilon: f32, point: &[f32]) -> Vec<f32> {
    let change = victim.change(point);
    match norm {
        Norm::Linf => victim.moved(change.into_iter().map(|value| value.clamp(-epsilon, epsilon))),
        Norm::L2 => {
            let size = length(&change) + 1e-12;
            let scale = (f64::from(epsilon) / size).min(1.0) as f32;
            victim.moved(change.into_iter().map(|value| value * scale))
        }
    }
}

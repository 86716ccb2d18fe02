//! DeepFool (Moosavi-Dezfooli et al. 2016): steps to the nearest border between classes, as it would lie were the network linear.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AttackOptions, Norm,
    registry::{Attacking, Shared},
    victim::{Found, Victim, length, sign},
};
use crate::{Result, Score};

/// DeepFool.
pub struct DeepFool;

/// Parameters of DeepFool.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many steps at most.
    #[schemars(range(min = 1, max = 1000))]
    pub steps: usize,
    /// How many of the most probable classes are looked at, the answer itself included.
    #[schemars(range(min = 2, max = 1000))]
    pub candidates: usize,
    /// How far beyond the border, as a part of the way.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub overshoot: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { steps: 50, candidates: 10, overshoot: 0.02 }
    }
}

impl Attacking for DeepFool {
    type Config = Config;
    const NAME: &'static str = "deep_fool";
    const TITLE: &'static str = "DeepFool";
    const SUMMARY: &'static str = "A small change that turns the answer, found by steps to the nearest border between classes. It has no bound: the \
                                   length of the change is what it finds.";
    const PAPER: &'static str = "Moosavi-Dezfooli, Fawzi, Frossard: DeepFool: a Simple and Accurate Method to Fool Deep Neural Networks (2016)";
    const READS: &'static [Shared] = &[Shared::Norm];
    const COST: &'static str = "steps * candidates gradients at most";

    async fn run(victim: &Victim<'_>, options: &AttackOptions, config: &Config) -> Result<Found> {
        let mut point = victim.x.clone();
        let logits = victim.logits(vec![point.clone()]).await?.concat();
        let mut order: Vec<usize> = (0..logits.len()).filter(|&class| class != victim.class).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
        let classes: Vec<usize> =
            std::iter::once(victim.class).chain(order).take(config.candidates).collect();
        let mut total = vec![0.0f32; point.len()];
        for done in 0..config.steps {
            victim.checkpoint(done, config.steps).await?;
            let rows = vec![point.as_slice(); classes.len()];
            let seen = victim.gradients(&rows, &classes, Score::Logit).await?;
            let logits = &seen.logits[0];
            if victim.turned(logits) {
                break;
            }
            let own = &seen.gradients[0];
            let mut nearest: Option<(f64, f64, Vec<f32>)> = None;
            for (&class, gradient) in classes.iter().zip(&seen.gradients).skip(1) {
                let slope: Vec<f32> = gradient.iter().zip(own).map(|(other, own)| other - own).collect();
                let size = match options.norm {
                    Norm::L2 => length(&slope),
                    Norm::Linf => slope.iter().map(|&value| f64::from(value.abs())).sum(),
                } + 1e-8;
                let distance = f64::from((logits[class] - logits[victim.class]).abs()) / size;
                if nearest.as_ref().is_none_or(|(least, ..)| distance < *least) {
                    nearest = Some((distance, size, slope));
                }
            }
            let Some((distance, size, slope)) = nearest else { break };
            // Foolbox adds as much, so that the last step does not end on the border.
            let distance = distance + 1e-4;
            for (total, slope) in total.iter_mut().zip(&slope) {
                *total += match options.norm {
                    Norm::L2 => (distance / size * f64::from(*slope)) as f32,
                    Norm::Linf => distance as f32 * sign(*slope),
                };
            }
            point = victim.moved(total.iter().map(|value| (1.0 + config.overshoot) * value));
        }
        Ok(Found { change: victim.change(&point), step: 0.0 })
    }
}

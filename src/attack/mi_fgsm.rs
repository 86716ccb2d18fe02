//! MI-FGSM (Dong et al. 2018): signed steps along the gradients' running sum, which carries over from one network to another better
//! than the last gradient alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AttackOptions,
    registry::{Attacking, Shared},
    victim::{Found, Victim, sign},
};
use crate::Result;

/// MI-FGSM.
pub struct MiFgsm;

/// Parameters of MI-FGSM.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How much of the sum stays at each step.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub decay: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { decay: 1.0 }
    }
}

impl Attacking for MiFgsm {
    type Config = Config;
    const NAME: &'static str = "mi_fgsm";
    const TITLE: &'static str = "Momentum iterative FGSM";
    const SUMMARY: &'static str = "Steps of equal size in each value along the running sum of the gradients, within a bound on the largest \
                                   change. It carries over to other networks better than the last gradient alone.";
    const PAPER: &'static str =
        "Dong, Liao, Pang, Su, Zhu, Hu, Li: Boosting Adversarial Attacks with Momentum (2018)";
    const READS: &'static [Shared] = &[Shared::Epsilon, Shared::Step, Shared::Steps, Shared::Towards];
    const COST: &'static str = "steps gradients";

    async fn run(victim: &Victim<'_>, options: &AttackOptions, config: &Config) -> Result<Found> {
        let step = options.step.unwrap_or(options.epsilon / options.steps as f32);
        let mut momentum = vec![0.0; victim.x.len()];
        let mut point = victim.x.clone();
        for done in 0..options.steps {
            victim.checkpoint(done, options.steps).await?;
            let (gradient, ..) = victim.ascent(&point).await?;
            let mean =
                gradient.iter().map(|&value| f64::from(value.abs())).sum::<f64>() / gradient.len() as f64;
            let scale = if mean > 0.0 { (1.0 / mean) as f32 } else { 0.0 };
            for (sum, gradient) in momentum.iter_mut().zip(&gradient) {
                *sum = gradient * scale + *sum * config.decay;
            }
            let bound = options.epsilon;
            let change = point
                .iter()
                .zip(&victim.x)
                .zip(&momentum)
                .map(|((point, x), momentum)| (point + step * sign(*momentum) - x).clamp(-bound, bound));
            point = victim.moved(change.collect::<Vec<_>>());
        }
        Ok(Found { change: victim.change(&point), step })
    }
}

//! The smallest change that turns an explanation while the answer stays: the attack on saliency maps (Ghorbani et al. 2019) at the
//! smallest bound at which it succeeds, found by halving.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AttackOptions, Goal, SaliencyMapAttack,
    registry::{Attacking, Shared},
    victim::{Found, Victim},
};
use crate::{Error, Result, Score, model::read};

/// The attack on the explanation.
pub struct Explanation;

/// Parameters of the attack.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The part of the values that counts as the most important.
    #[schemars(range(min = 0.001, max = 0.5))]
    pub top: f32,
    /// The explanation has turned where no more than this part of the most important values is still among them.
    #[schemars(range(min = 0.0, max = 0.99))]
    pub kept: f32,
    /// Steps of each attack, each of which takes three gradients.
    #[schemars(range(min = 1, max = 1000))]
    pub steps: usize,
    /// How often the bound is halved or raised between the smallest that turned the map and the largest that did not.
    #[schemars(range(min = 1, max = 20))]
    pub searches: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { top: 0.1, kept: 0.5, steps: 20, searches: 6 }
    }
}

impl Attacking for Explanation {
    type Config = Config;
    const NAME: &'static str = "explanation";
    const TITLE: &'static str = "The explanation alone";
    const SUMMARY: &'static str = "The smallest bound within which a change leaves the answer and turns the map of the gradient: of its most \
                                   important values at most half stay among them. `epsilon` is the largest bound that is tried; where it does \
                                   not suffice the input stays.";
    const PAPER: &'static str = "Ghorbani, Abid, Zou: Interpretation of Neural Networks Is Fragile (2019)";
    const READS: &'static [Shared] = &[Shared::Epsilon];
    const COST: &'static str = "3 * (searches + 1) * steps gradients";

    async fn run(victim: &Victim<'_>, options: &AttackOptions, config: &Config) -> Result<Found> {
        let features = victim.x.len();
        let k = ((f64::from(config.top) * features as f64).round() as usize).clamp(1, features);
        let score = Score::Logit;
        let x = victim.network.rows().rows(victim.x.clone())?;
        let before = victim.gradients(&[&victim.x], &[victim.class], score).await?;
        let important = most_important(&before.gradients[0], k);
        let (mut low, mut high) = (0.0f32, f32::NAN);
        let (mut bound, mut best) = (options.epsilon, None);
        for search in 0..=config.searches {
            victim.checkpoint(search, config.searches + 1).await?;
            let attack = SaliencyMapAttack {
                step: 2.0 * bound / config.steps as f32,
                epsilon: bound,
                steps: config.steps,
                reach: bound.max(f32::MIN_POSITIVE),
                score,
            };
            victim.backward.set(victim.backward.get() + 1 + 3 * config.steps);
            let found = attack.run(victim.network, x.clone(), &[victim.class], &Goal::Away { k }).await?;
            let change = read(found.reshape([features])).await?;
            let point = victim.moved(change);
            let seen = victim.gradients(&[&point], &[victim.class], score).await?;
            let stays = victim.explainer.model().predicted(&seen.logits[0]) == victim.class;
            let now = most_important(&seen.gradients[0], k);
            let kept = important.iter().zip(&now).filter(|(was, is)| **was && **is).count();
            if stays && kept as f64 <= f64::from(config.kept) * k as f64 {
                (high, best) = (bound, Some(point));
            } else {
                low = bound;
            }
            if high.is_nan() {
                // The largest bound did not suffice, and smaller ones would not.
                break;
            }
            bound = (low + high) / 2.0;
        }
        if !bound.is_finite() {
            return Err(Error::Internal("a bound is no number".into()));
        }
        let change = best.map_or_else(|| vec![0.0; features], |point| victim.change(&point));
        Ok(Found { change, step: 2.0 * bound / config.steps as f32 })
    }
}

/// Where the `k` largest magnitudes are.
fn most_important(gradient: &[f32], k: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..gradient.len()).collect();
    order.sort_by(|&a, &b| gradient[b].abs().total_cmp(&gradient[a].abs()));
    let mut most = vec![false; gradient.len()];
    order[..k].iter().for_each(|&at| most[at] = true);
    most
}

//! Attacks on an explanation: a change of the input that leaves the network's decision and turns its saliency map.
//!
//! Unstructured (Ghorbani, Abid, Zou 2019): the features that counted most lose their weight. Structured (Dombrowski
//! et al. 2019): the map becomes that of another input. The attacked map is the plain gradient's, `|∂s/∂x|` with the
//! sum 1.
//!
//! Both need the derivative of a gradient. Here it is a finite difference: where `v = ∂L/∂g`, the gradient of the
//! attacker's loss is `Hv ≈ (g(x + hv) - g(x - hv)) / 2h` with the symmetric Hessian `H` of the score. A network with
//! ReLUs is piecewise almost linear, and an exact second derivative would see little of it; the original attacks
//! replace the ReLUs by soft ones, the finite difference looks across the kinks within `h` instead.

use burn::tensor::{Bool, Int, Tensor};

use super::Network;
use crate::{Result, Score};

/// Where the map is to go.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there is one for an attack")]
pub enum Goal {
    /// The `k` most important features of each row's own map lose their weight.
    Away {
        /// How many features.
        k: usize,
    },
    /// The map becomes this one, `[1, features]` or `[N, features]`, of values from 0 with the sum 1.
    Towards(Tensor<2>),
}

/// A signed l-inf attack on the map of each row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SaliencyMapAttack {
    /// Change of a feature in a step.
    pub step: f32,
    /// The largest change of a feature in all.
    pub epsilon: f32,
    /// Number of steps, each of which takes three gradients.
    pub steps: usize,
    /// `h`, the largest change of a feature in the finite difference.
    pub reach: f32,
    /// The score whose gradient is the map.
    pub score: Score,
}

impl Default for SaliencyMapAttack {
    fn default() -> Self {
        Self { step: 0.01, epsilon: 0.1, steps: 40, reach: 0.01, score: Score::Logit }
    }
}

impl SaliencyMapAttack {
    /// The change of each row of `x` with the least loss, of all steps after which the network still decides for the
    /// row's class in `classes`; no change where there is none.
    ///
    /// The loss is the weight on the features that were the most important (unstructured), or the squared distance
    /// to the other map (structured).
    ///
    /// # Errors
    /// Those of the network's gradient and of its checkpoint.
    pub async fn run(
        &self,
        network: &impl Network,
        x: Tensor<2>,
        classes: &[usize],
        goal: &Goal,
    ) -> Result<Tensor<2>> {
        let stage = "attacking the map";
        network.checkpoint(0, self.steps, stage).await?;
        let gradient = |delta: Tensor<2>| network.gradients(x.clone() + delta, classes, self.score);
        let mut delta = x.zeros_like();
        let mut best = delta.clone();
        let mut found = gradient(delta.clone())?;
        let top = match goal {
            Goal::Away { k } => top(found.gradient.clone().abs(), *k),
            Goal::Towards(_) => x.zeros_like(),
        };
        let mut least = self.loss(&normalised(found.gradient.clone()), goal, &top);
        for step in 0..self.steps {
            let ascent = self.second_derivative(&gradient, &delta, found.gradient, goal, &top)?;
            delta = (delta - ascent.sign() * self.step).clamp(-self.epsilon, self.epsilon);
            network.checkpoint(step + 1, self.steps, stage).await?;
            found = gradient(delta.clone())?;
            let loss = self.loss(&normalised(found.gradient.clone()), goal, &top);
            let better = loss.clone().lower(least.clone()).bool_and(decided(found.logits.clone(), classes));
            let wide = better.clone().expand(delta.dims());
            best = best.mask_where(wide, delta.clone());
            least = least.mask_where(better, loss);
        }
        Ok(best)
    }

    /// The attacker's loss of each row, `[N, 1]`.
    fn loss(&self, map: &Tensor<2>, goal: &Goal, top: &Tensor<2>) -> Tensor<2> {
        match goal {
            Goal::Away { .. } => (map.clone() * top.clone()).sum_dim(1),
            Goal::Towards(other) => (map.clone() - other.clone()).powi_scalar(2).sum_dim(1),
        }
    }

    /// `Hv`, the direction in which the loss grows.
    fn second_derivative(
        &self,
        gradient: &impl Fn(Tensor<2>) -> Result<super::Gradients>,
        delta: &Tensor<2>,
        at: Tensor<2>,
        goal: &Goal,
        top: &Tensor<2>,
    ) -> Result<Tensor<2>> {
        let map = normalised(at.clone());
        let slope = match goal {
            Goal::Away { .. } => top.clone(),
            Goal::Towards(other) => (map.clone() - other.clone()) * 2.0,
        };
        // Through m = |g| / Σ|g|; its positive factor 1 / Σ|g| goes with the next line.
        let v = at.sign() * (slope.clone() - (slope * map).sum_dim(1));
        let v = v.clone() / v.max_abs_dim(1).clamp_min(f32::MIN_POSITIVE) * self.reach;
        let ahead = gradient(delta.clone() + v.clone())?.gradient;
        let behind = gradient(delta.clone() - v)?.gradient;
        Ok(ahead - behind)
    }
}

/// `|g|`, divided by its sum.
fn normalised(gradient: Tensor<2>) -> Tensor<2> {
    let map = gradient.abs();
    // By the largest first, so that the sum is that of numbers about 1.
    let map = map.clone() / map.max_dim(1).clamp_min(f32::MIN_POSITIVE);
    map.clone() / map.sum_dim(1).clamp_min(f32::MIN_POSITIVE)
}

/// 1 at the `k` largest values of each row of values from 0, ties included, else 0.
///
/// The least of them is found by halving: sorting would read the values back.
fn top(map: Tensor<2>, k: usize) -> Tensor<2> {
    // As many halvings as leave no 32-bit number between the bounds, but for the smallest values.
    const HALVINGS: usize = 40;
    let k = k.clamp(1, map.dims()[1]) as f32;
    let mut high = map.clone().max_dim(1) * 1.001;
    let mut low = high.zeros_like();
    for _ in 0..HALVINGS {
        let middle = (low.clone() + high.clone()) * 0.5;
        let enough = map.clone().greater_equal(middle.clone()).float().sum_dim(1).greater_equal_elem(k);
        low = low.mask_where(enough.clone(), middle.clone());
        high = middle.mask_where(enough, high);
    }
    map.greater_equal(low).float()
}

/// Where each row's highest logit is that of its class.
fn decided(logits: Tensor<2>, classes: &[usize]) -> Tensor<2, Bool> {
    let classes: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
    let wanted = Tensor::<1, Int>::from_data(classes.as_slice(), &logits.device()).reshape([-1, 1]);
    logits.argmax(1).equal(wanted)
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn the_top_of_each_row_is_found() {
        let rows = [[0.1f32, 3.0, 0.0, 3.0, 2.0], [1e-3, 1e-4, 0.0, 1e-5, 2e-3]];
        let rows = Tensor::<2>::from_data(TensorData::from(rows), &burn::tensor::Device::flex());
        let found = |k| top(rows.clone(), k).into_data().try_into_vec::<f32>().unwrap();
        assert_eq!(found(1), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], "ties are kept");
        assert_eq!(found(3), [0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!(found(4), [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    }
}

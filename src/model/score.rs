//! What is differentiated: a logit, or what it becomes.

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

use super::{Activation, Model, passes::Groups};

/// The quantity of one sample that is differentiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// The logit `z_t`.
    #[default]
    Logit,
    /// The softmax probability `p_t`.
    Probability,
    /// Its logarithm, `ln p_t`: minus the cross-entropy with the class. Finite where `p_t` rounds to zero.
    LogProbability,
}

impl Model {
    /// The scores of all classes that a [`Score`] names, `[N, classes]`, from the logits.
    pub(crate) fn scored(&self, logits: Tensor<2>, score: Score) -> Tensor<2> {
        match (score, self.info.activation) {
            (Score::Logit, _) | (Score::Probability, Activation::None) => logits,
            (Score::Probability, Activation::Softmax) => self.in_groups(logits, activation::softmax),
            (Score::Probability, Activation::Sigmoid) => activation::sigmoid(logits),
            (Score::LogProbability, Activation::Softmax) => self.in_groups(logits, activation::log_softmax),
            (Score::LogProbability, Activation::Sigmoid) => activation::log_sigmoid(logits),
            // Scores that are probabilities already, or no probabilities at all; the logarithm is kept finite.
            (Score::LogProbability, Activation::None) => logits.clamp_min(1e-12).log(),
        }
    }

    /// A softmax of rows of logits, along the classes at each position by itself.
    fn in_groups(&self, logits: Tensor<2>, softmax: fn(Tensor<4>, usize) -> Tensor<4>) -> Tensor<2> {
        let [rows, scores] = logits.dims();
        let Groups { outer, classes, inner } = self.groups.fitted(scores);
        softmax(logits.reshape([rows, outer, classes, inner]), 2).reshape([rows, scores])
    }

    /// The score of `class` of each row of logits, `[N]`.
    pub(crate) fn class_score(&self, logits: Tensor<2>, class: usize, score: Score) -> Tensor<1> {
        let scored = self.scored(logits, score);
        let rows = scored.dims()[0];
        scored.slice([0..rows, class..class + 1]).reshape([rows])
    }

    /// The class that one sample's scores speak for: the most probable, of several the one of the highest logit.
    pub(crate) fn predicted(&self, logits: &[f32]) -> usize {
        let probabilities = self.probabilities(logits);
        let better = |a: usize, b: usize| {
            probabilities[a].total_cmp(&probabilities[b]).then(logits[a].total_cmp(&logits[b])).is_gt()
        };
        (1..logits.len()).fold(0, |best, class| if better(class, best) { class } else { best })
    }

    /// What one sample's scores say of the classes, on the host.
    pub(crate) fn probabilities(&self, logits: &[f32]) -> Vec<f32> {
        match self.info.activation {
            Activation::Softmax => softmax(logits, self.groups.fitted(logits.len())),
            Activation::Sigmoid => logits.iter().map(|logit| (1.0 + (-logit).exp()).recip()).collect(),
            Activation::None => logits.to_vec(),
        }
    }
}

/// Softmax on the host, along the classes of each group.
fn softmax(logits: &[f32], Groups { classes, inner, .. }: Groups) -> Vec<f32> {
    let mut probabilities = vec![0.0; logits.len()];
    for start in (0..logits.len()).step_by((classes * inner).max(1)) {
        for position in start..start + inner {
            let group = || (0..classes).map(|class| position + class * inner);
            let highest = group().map(|at| logits[at]).fold(f32::NEG_INFINITY, f32::max);
            let power = |at: usize| f64::from(logits[at] - highest).exp();
            let sum: f64 = group().map(power).sum();
            for at in group() {
                probabilities[at] = (power(at) / sum) as f32;
            }
        }
    }
    probabilities
}

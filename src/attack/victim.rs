//! One input under attack, on the host: what it may become, and what the network says of a change.

use std::cell::Cell;

use burn::tensor::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{AttackOptions, Network, input::Scaled};
use crate::{Error, Explainer, Result, Score, input::layout::Places, model::read};

/// What an attack found.
pub(super) struct Found {
    /// What is added to the input, in the victim's space.
    pub change: Vec<f32>,
    /// The length of a step that was taken; 0 for attacks that have none.
    pub step: f32,
}

/// One input, in the space in which the change is measured.
pub(super) struct Victim<'a> {
    pub network: &'a Scaled<'a>,
    pub explainer: &'a Explainer,
    pub places: Places,
    /// The input, in the model's order.
    pub x: Vec<f32>,
    /// The smallest and the largest valid value of each feature.
    pub range: Option<[Vec<f32>; 2]>,
    /// The class that is led to, or away from.
    pub class: usize,
    pub targeted: bool,
    pub options: &'a AttackOptions,
    pub forward: Cell<usize>,
    pub backward: Cell<usize>,
}

/// What the network says of some points.
pub(super) struct Seen {
    /// The gradient of each row's score.
    pub gradients: Vec<Vec<f32>>,
    /// The logits of each row.
    pub logits: Vec<Vec<f32>>,
    /// The attacked class's score in each row.
    pub scores: Vec<f32>,
}

impl Victim<'_> {
    /// The input with a change, brought back to what is valid.
    pub fn moved(&self, change: impl IntoIterator<Item = f32>) -> Vec<f32> {
        self.valid(self.x.iter().zip(change).map(|(x, change)| x + change))
    }

    /// Values, each brought back to what is valid.
    pub fn valid(&self, values: impl IntoIterator<Item = f32>) -> Vec<f32> {
        let values = values.into_iter();
        match &self.range {
            None => values.collect(),
            // Not clamp, which panics where a bound is no number.
            Some([low, high]) => values
                .zip(low.iter().zip(high))
                .map(|(value, (low, high))| value.max(*low).min(*high))
                .collect(),
        }
    }

    /// What lies between the input and a point.
    pub fn change(&self, point: &[f32]) -> Vec<f32> {
        point.iter().zip(&self.x).map(|(point, x)| point - x).collect()
    }

    /// Whether the network says of a point what the attacker wants.
    pub fn turned(&self, logits: &[f32]) -> bool {
        (self.explainer.model().predicted(logits) == self.class) == self.targeted
    }

    /// The logit of the attacked class less the largest of another one, and which that is; turned around in a targeted attack, so
    /// that it is below 0 where the attack has succeeded.
    pub fn margin(&self, logits: &[f32]) -> (f32, usize) {
        let others = logits.iter().enumerate().filter(|(class, _)| *class != self.class);
        let (other, most) =
            others.fold(
                (self.class, f32::NEG_INFINITY),
                |best, (class, &logit)| {
                    if logit > best.1 { (class, logit) } else { best }
                },
            );
        let margin = logits[self.class] - most;
        (if self.targeted { -margin } else { margin }, other)
    }

    /// The logits of points.
    pub async fn logits(&self, points: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>> {
        let rows = points.len();
        self.forward.set(self.forward.get() + rows);
        let logits = self.network.logits(self.network.rows().rows(points.concat())?)?;
        let classes = logits.dims()[1];
        let values = read(logits.reshape([rows * classes])).await?;
        Ok(values.chunks_exact(classes).map(<[f32]>::to_vec).collect())
    }

    /// The gradient of each point's score of its class in `targets`, and what the network says there; read back once.
    pub async fn gradients(&self, points: &[&[f32]], targets: &[usize], score: Score) -> Result<Seen> {
        let rows = points.len();
        self.backward.set(self.backward.get() + rows);
        let found = self.network.gradients(self.network.rows().rows(points.concat())?, targets, score)?;
        let scores = self.explainer.model().class_score(found.logits.clone(), self.class, score);
        let (features, classes) = (found.gradient.dims()[1], found.logits.dims()[1]);
        let all = Tensor::cat(vec![found.gradient, found.logits, scores.reshape([rows, 1])], 1);
        let width = features + classes + 1;
        let values = read(all.reshape([rows * width])).await?;
        let part = |from: usize, to: usize| {
            values.chunks_exact(width).map(|row| row[from..to].to_vec()).collect::<Vec<_>>()
        };
        Ok(Seen {
            gradients: part(0, features),
            logits: part(features, width - 1),
            scores: part(width - 1, width).concat(),
        })
    }

    /// The gradient of the cross-entropy of the attacked class, turned so that the attack goes along it; and the cross-entropy turned
    /// likewise, the logits.
    pub async fn ascent(&self, point: &[f32]) -> Result<(Vec<f32>, f32, Vec<f32>)> {
        let mut seen = self.gradients(&[point], &[self.class], Score::LogProbability).await?;
        let (mut gradient, mut loss) = (seen.gradients.swap_remove(0), seen.scores[0]);
        if !self.targeted {
            gradient.iter_mut().for_each(|value| *value = -*value);
            loss = -loss;
        }
        Ok((gradient, loss, seen.logits.swap_remove(0)))
    }

    pub async fn checkpoint(&self, done: usize, total: usize) -> Result<()> {
        self.network.checkpoint(done, total, "attacking the network").await
    }

    /// Values that the caller gave in place of what would be drawn.
    pub fn given(&self, name: &str) -> Option<&[f32]> {
        self.options.given.get(name).map(|given| given.data.as_slice())
    }

    /// The given change to begin with, one value a feature.
    pub fn start(&self) -> Result<Option<Vec<f32>>> {
        match self.given("start") {
            Some(start) if start.len() != self.x.len() => Err(Error::InputInvalid(format!(
                "The given start holds {} values for {} features.",
                start.len(),
                self.x.len()
            ))),
            start => Ok(start.map(<[f32]>::to_vec)),
        }
    }

    /// A generator for everything random.
    pub fn random(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(u64::from(self.options.seed))
    }
}

/// The sign as attacks take it: 0 of 0.
pub(super) fn sign(value: f32) -> f32 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

/// The Euclidean length.
pub(super) fn length(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

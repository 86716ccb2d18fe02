//! What the metrics share that explain inputs near the explained one.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Assessment;
use crate::{HostTensor, Result};

/// Parameters of the metrics that explain neighbours of the input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Around {
    /// How many neighbours of the input are explained.
    #[schemars(range(min = 1, max = 1000))]
    pub samples: usize,
    /// How far each value of a neighbour may be from the input's, as a part of the input's range.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub radius: f32,
}

impl Default for Around {
    fn default() -> Self {
        Self { samples: 10, radius: 0.02 }
    }
}

/// Inputs near the explained one, drawn from the assessment's seed, or the given tensor `noise`: rows of what is added to the
/// input, in model space.
pub(super) struct Neighbours<'a> {
    assessment: &'a Assessment<'a>,
    given: Option<Vec<Vec<f32>>>,
    /// How many there are.
    pub count: usize,
    radius: f32,
}

impl<'a> Neighbours<'a> {
    pub fn new(assessment: &'a Assessment<'a>, config: &Around) -> Result<Self> {
        let given = assessment.given_rows("noise")?;
        let count = given.as_ref().map_or(config.samples, Vec::len);
        Ok(Self { assessment, given, count, radius: config.radius * assessment.width_of_range() })
    }

    /// The values of neighbour number `number`.
    pub fn input(&self, number: usize) -> Vec<f32> {
        let x = &self.assessment.input.data;
        match &self.given {
            Some(given) => x.iter().zip(&given[number]).map(|(x, noise)| x + noise).collect(),
            None => {
                let mut random = self.assessment.random_of(number);
                x.iter().map(|x| x + self.radius * random.random_range(-1.0..=1.0)).collect()
            }
        }
    }

    /// The map of a neighbour, of the judged map's size.
    pub async fn map(&self, number: usize) -> Result<Vec<f32>> {
        let assessment = self.assessment;
        assessment.checkpoint(number, self.count, "explaining neighbours").await?;
        let neighbour = HostTensor { data: self.input(number), shape: assessment.input.shape.clone() };
        let map = assessment.explain(assessment.explainer, &neighbour, |_| ()).await?.data;
        if map.len() != assessment.map.data.len() {
            return Err(assessment.unsuited("the given map is not of the kind that the method makes"));
        }
        Ok(map)
    }

    /// The logits of all neighbours, and of the input itself as the last.
    pub async fn logits(&self) -> Result<Vec<Vec<f32>>> {
        let row = |number: usize| match number < self.count {
            true => self.input(number),
            false => self.assessment.input.data.clone(),
        };
        self.assessment
            .logits(self.count + 1, "neighbours", |rows| {
                self.assessment.upload(&rows.map(row).collect::<Vec<_>>())
            })
            .await
    }

    /// How far the map of each neighbour is from the judged one, as a part of the judged map's own length.
    pub async fn sensitivities(&self) -> Result<Vec<f64>> {
        let map = &self.assessment.map.data;
        let length = norm(map.iter().map(|&value| value.into()));
        let mut found = Vec::with_capacity(self.count);
        for number in 0..self.count {
            let distance = distance(map, &self.map(number).await?);
            // An empty map has no length to compare with (Captum does the same).
            found.push(if length > 0.0 { distance / length } else { distance });
        }
        Ok(found)
    }

    /// The relative stability of Agarwal et al. (2022): the largest relative change of the map over how far something else moved,
    /// which `moved` says of each neighbour. Neighbours of which the network says another class are left out.
    pub async fn relative_stability(&self, moved: impl Fn(usize, &[Vec<f32>]) -> f64) -> Result<f64> {
        let logits = self.logits().await?;
        let model = self.assessment.explainer.model();
        let class = model.predicted(&logits[self.count]);
        let mut largest: Option<f64> = None;
        for number in (0..self.count).filter(|&number| model.predicted(&logits[number]) == class) {
            let change = relative(&self.assessment.map.data, &self.map(number).await?);
            let moved = moved(number, &logits);
            let stability = change / if moved > 0.0 { moved } else { SMALLEST };
            largest = Some(largest.map_or(stability, |most| most.max(stability)));
        }
        largest.ok_or_else(|| {
            self.assessment
                .unsuited("the network says another class of every neighbour; choose a smaller radius")
        })
    }
}

/// What stands for a 0 that would be divided by, as in Quantus.
const SMALLEST: f64 = 1e-6;

/// How far `now` is from `before`, each value's change as a part of the value.
pub(super) fn relative(before: &[f32], now: &[f32]) -> f64 {
    norm(before.iter().zip(now).map(|(&before, &now)| {
        let before = f64::from(before);
        (before - f64::from(now)) / if before == 0.0 { SMALLEST } else { before }
    }))
}

/// Euclid's distance.
pub(super) fn distance(a: &[f32], b: &[f32]) -> f64 {
    norm(a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b)))
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// The largest of some numbers, and their mean.
pub(super) fn largest_and_mean(values: &[f64]) -> (f64, f64) {
    let sum: f64 = values.iter().sum();
    (values.iter().copied().fold(0.0, f64::max), sum / values.len().max(1) as f64)
}

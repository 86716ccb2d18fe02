//! Projected gradient descent as the papers use it (Madry et al. 2017), on rows of features on the host.

use adversight::{Explainer, HostTensor, Score};
use burn::tensor::{Tensor, TensorData};

use crate::{CliResult, say};

/// How a step and the whole change are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// The largest change of a value.
    Largest,
    /// The Euclidean length.
    Euclidean,
}

/// An untargeted attack on the cross-entropy with a class.
pub struct Attack<'a> {
    pub norm: Norm,
    /// Length of a step, in model space.
    pub step: f32,
    pub steps: usize,
    /// The smallest and the largest model value of each feature.
    pub range: Option<(&'a [f32], &'a [f32])>,
}

/// One row of an attack.
pub struct Row {
    /// Length of the whole change at most.
    pub epsilon: f32,
    /// The change to begin with.
    pub start: Vec<f32>,
    /// Which features may change; all where it is empty.
    pub mask: Vec<bool>,
}

/// What a row came to.
pub struct Attacked {
    /// The change of each feature.
    pub delta: Vec<f32>,
    /// The class that the network predicts then.
    pub predicted: usize,
}

impl Attack<'_> {
    /// Attacks the input from every row's start.
    pub async fn run(
        &self,
        explainer: &Explainer,
        input: &HostTensor,
        class: usize,
        rows: Vec<Row>,
    ) -> CliResult<Vec<Attacked>> {
        let x = &input.data;
        let mut deltas: Vec<Vec<f32>> = rows.iter().map(|row| row.start.clone()).collect();
        for (row, delta) in rows.iter().zip(&mut deltas) {
            self.project(x, delta, row);
        }
        for _ in 0..self.steps {
            let gradients = gradients(explainer, input, class, &deltas)?;
            for ((row, delta), mut gradient) in rows.iter().zip(&mut deltas).zip(gradients) {
                gradient.iter_mut().zip(&row.mask).for_each(|(g, &free)| *g *= f32::from(u8::from(free)));
                let length = self.norm_of(&gradient);
                if length <= 0.0 {
                    continue;
                }
                // Up the cross-entropy, which is minus the log probability.
                for (delta, g) in delta.iter_mut().zip(&gradient) {
                    *delta -= match self.norm {
                        Norm::Largest if *g == 0.0 => 0.0,
                        Norm::Largest => self.step * g.signum(),
                        Norm::Euclidean => self.step * g / length,
                    };
                }
                self.project(x, delta, row);
            }
        }
        let mut attacked = Vec::new();
        for delta in deltas {
            let logits = explainer.logits(&moved(input, &[&delta])).await.map_err(say)?.data;
            let predicted = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(i, _)| i);
            attacked.push(Attacked { delta, predicted });
        }
        Ok(attacked)
    }

    fn norm_of(&self, values: &[f32]) -> f32 {
        match self.norm {
            Norm::Largest => values.iter().fold(0.0, |most, value| value.abs().max(most)),
            Norm::Euclidean => values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt() as f32,
        }
    }

    /// Back into the ball, and into the valid range.
    fn project(&self, x: &[f32], delta: &mut [f32], row: &Row) {
        let length = self.norm_of(delta);
        for (i, delta) in delta.iter_mut().enumerate() {
            match self.norm {
                Norm::Largest => *delta = delta.clamp(-row.epsilon, row.epsilon),
                Norm::Euclidean if length > row.epsilon => *delta *= row.epsilon / length,
                Norm::Euclidean => (),
            }
            if let Some((low, high)) = self.range {
                *delta = (x[i] + *delta).clamp(low[i], high[i]) - x[i];
            }
        }
    }
}

/// The input with a change, one for each row.
pub fn moved<D: AsRef<[f32]>>(input: &HostTensor, deltas: &[D]) -> HostTensor {
    let rows = deltas.iter().flat_map(|delta| input.data.iter().zip(delta.as_ref()).map(|(x, d)| x + d));
    let mut shape = input.shape.clone();
    shape[0] = deltas.len();
    HostTensor { data: rows.collect(), shape }
}

/// The gradient of `ln p` of the class for each row, in batches that fit the memory.
fn gradients(
    explainer: &Explainer,
    input: &HostTensor,
    class: usize,
    deltas: &[Vec<f32>],
) -> CliResult<Vec<Vec<f32>>> {
    let model = explainer.model();
    let [channels, height, width] = *model.sample_shape().map_err(say)? else {
        return Err("The papers' experiments need a network for pictures.".into());
    };
    let mut gradients = Vec::new();
    for chunk in deltas.chunks(model.batch_limit()) {
        let points = TensorData::new(moved(input, chunk).data, [chunk.len(), channels, height, width]);
        let points = Tensor::<4>::from_data(points, model.device().burn());
        let found =
            model.gradient(points.into(), &vec![class; chunk.len()], Score::LogProbability).map_err(say)?;
        let values = found
            .gradient
            .get::<4>()
            .and_then(|gradient| gradient.into_data().try_into_vec::<f32>().ok())
            .ok_or("The gradient has not the input's shape.")?;
        gradients.extend(values.chunks_exact(input.data.len()).map(<[f32]>::to_vec));
    }
    Ok(gradients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_stay_in_the_ball_and_in_the_range() {
        let row = |epsilon| Row { epsilon, start: Vec::new(), mask: Vec::new() };
        let (low, high) = ([0.0; 2], [1.0; 2]);
        let largest = Attack { norm: Norm::Largest, step: 0.1, steps: 1, range: Some((&low, &high)) };
        let mut delta = [0.5, -0.5];
        largest.project(&[0.9, 0.5], &mut delta, &row(0.3));
        assert!((delta[0] - 0.1).abs() < 1e-6 && (delta[1] + 0.3).abs() < 1e-6, "{delta:?}");
        let euclidean = Attack { norm: Norm::Euclidean, step: 0.1, steps: 1, range: None };
        let mut delta = [3.0, -4.0];
        euclidean.project(&[0.0; 2], &mut delta, &row(1.0));
        assert!((delta[0] - 0.6).abs() < 1e-6 && (delta[1] + 0.8).abs() < 1e-6, "{delta:?}");
    }
}

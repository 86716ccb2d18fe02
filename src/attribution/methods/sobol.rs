//! Sobol attribution (Fel et al. 2021): the part of the score's variance that is lost where a part of the picture keeps its
//! value, whatever the others do.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    baseline::{BASELINE, given_or, zeros},
    display::{Channels, Display},
    hidden::Samples,
    hsic::cells,
    method::{Cost, Given, Method, Need},
    partition::{SEGMENTS, fitted},
};
use crate::{Error, Result, input::parts::Joined, model::Score};

/// Sobol attribution.
pub struct Sobol;

const DESIGNS: Given = Given {
    name: "designs",
    description: "`[2 designs, segments]`, how much is shown of each segment, 0 to 1: the samples A, then the samples B",
};

/// Parameters of Sobol attribution.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Samples of each of the two designs, drawn at random (the paper draws them by a Sobol sequence, which is more even). The
    /// network is asked `designs` times as often as there are segments, and twice more.
    #[schemars(range(min = 2, max = 1024))]
    pub designs: usize,
    /// Cells along each side of a picture. The cells of sounds, tokens and tables are their segments as AXAI's `segmentation`
    /// auto cuts them; and so are segments that are given.
    #[schemars(range(min = 2, max = 30))]
    pub grid: usize,
    /// The score whose variance is shared out.
    pub score: Score,
    /// Segments that make up the explanation: those with the largest part.
    #[schemars(range(min = 1, max = 1000))]
    pub k: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { designs: 32, grid: 11, score: Score::Probability, k: 5 }
    }
}

impl Method for Sobol {
    type Config = Config;
    const NAME: &'static str = "sobol";
    const TITLE: &'static str = "Sobol indices";
    const SUMMARY: &'static str = "Dims parts of the picture at random and shares the score's variance out among them, what parts do together included. It needs the network's answers alone, and time.";
    const PAPER: &'static str = "Fel et al.: Look at the Variance! Efficient Black-box Explanations with Sobol-based Sensitivity Analysis (2021)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;
    const GIVEN: &'static [Given] = &[SEGMENTS, DESIGNS, BASELINE];

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.designs * (config.grid * config.grid + 2), backward: 0 }
    }

    fn quick() -> Config {
        Config { designs: 8, grid: 7, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let segments = cells(subject, config.grid).await?;
        let n = segments.count;
        let designs = match subject.given(DESIGNS.name) {
            None => {
                let mut random = subject.random();
                (0..2 * config.designs * n).map(|_| random.random::<f32>()).collect()
            }
            Some(given) => {
                let whole = !given.data.is_empty() && given.data.len().is_multiple_of(4 * n);
                if !whole || !given.data.iter().all(|value| (0.0..=1.0).contains(value)) {
                    return Err(Error::InputInvalid(format!(
                        "The given tensor \"designs\" must hold two designs of as many samples, two or more, of {n} values from \
                         0 to 1."
                    )));
                }
                given.data.clone()
            }
        };
        let samples = replicated(&designs, n);
        let hidden = given_or(subject, zeros(subject))?.unwrap_or_else(|| subject.input().zeros_like());
        let answers = samples.scores(subject, &segments, hidden, config.score).await?;
        let values = total_indices(&answers, n).ok_or_else(|| {
            subject.unsuited("the score stays the same whatever is hidden, and there is no variance to share out")
        })?;
        Ok(fitted(subject, segments, values, config.k, samples.count()))
    }
}

/// The samples A, and for each segment A with that segment from B (the pick-freeze design).
fn replicated(designs: &[f32], n: usize) -> Samples {
    let (a, b) = designs.split_at(designs.len() / 2);
    let mut shown = a.to_vec();
    for segment in 0..n {
        for (a, b) in a.chunks_exact(n).zip(b.chunks_exact(n)) {
            let mut row = a.to_vec();
            row[segment] = b[segment];
            shown.extend(row);
        }
    }
    Samples { shown, segments: n }
}

/// Jansen's estimator of the total Sobol index of each segment: `sum (f(A) - f(C_i))² / (2 N Var f(A))`.
/// Nothing where there is no variance.
fn total_indices(answers: &[f32], n: usize) -> Option<Vec<f32>> {
    let count = answers.len() / (n + 1);
    let answers: Vec<f64> = answers.iter().map(|&answer| answer.into()).collect();
    let (a, rest) = answers.split_at(count);
    let mean = a.iter().sum::<f64>() / count as f64;
    let variance = a.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count as f64 - 1.0);
    if variance <= 0.0 {
        return None;
    }
    let index = |c: &[f64]| {
        let apart = a.iter().zip(c).map(|(a, c)| (a - c).powi(2)).sum::<f64>();
        (apart / (2.0 * count as f64 * variance)) as f32
    };
    Some(rest.chunks_exact(count).map(index).collect())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// `f = 3 x0 + x1`: the variances are 9/12 and 1/12, so that the parts are 0.9 and 0.1.
    #[test]
    fn a_sums_parts_are_those_of_its_variance() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(4);
        let designs: Vec<f32> = (0..2 * 20_000 * 2).map(|_| random.random::<f32>()).collect();
        let answers: Vec<f32> = replicated(&designs, 2).rows().map(|row| 3.0 * row[0] + row[1]).collect();
        let found = total_indices(&answers, 2).unwrap();
        assert!((found[0] - 0.9).abs() < 0.02 && (found[1] - 0.1).abs() < 0.005, "{found:?}");
        assert_eq!(total_indices(&[1.0; 6], 2), None);
    }
}

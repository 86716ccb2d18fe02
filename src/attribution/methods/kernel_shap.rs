//! KernelSHAP over segments (Lundberg and Lee 2017): the Shapley value of each segment in the game of showing segments
//! to the network, as the solution of a weighted regression.

use rand::{Rng, RngExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Completeness, Subject,
    baseline::{BACKGROUND, BASELINE, Baseline, COVERS},
    display::{Channels, Display},
    hidden::{SAMPLES, Samples},
    method::{Cost, Given, Method, Need},
    partition::{DENSITY_NOISE, MOST_TO_FIT, Partition, SEGMENTS, fitted, too_many},
    regression,
};
use crate::{Error, Result, model::Score};

/// KernelSHAP.
pub struct KernelShap;

const WEIGHTS: Given =
    Given { name: "weights", description: "the weight of each of `samples`; 1 where they are left out" };

/// Parameters of KernelSHAP.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Pictures that the network is asked about; where there are no more ways to hide segments, all of them are
    /// taken, and the values are exact.
    #[schemars(range(min = 2, max = 100000))]
    pub samples: usize,
    /// What is shown in place of a hidden segment.
    #[schemars(extend("choices" = COVERS))]
    pub hidden: Baseline,
    /// Segments that make up the explanation: the highest positive values.
    #[schemars(range(min = 1, max = 1000))]
    pub k: usize,
    /// The score that is shared out.
    pub score: Score,
    /// How the input is cut.
    #[serde(flatten)]
    pub partition: Partition,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            samples: 1000,
            hidden: Baseline::Auto,
            k: 5,
            score: Score::Probability,
            partition: Partition { kernel_size: 4.0, max_dist: 200.0, ratio: 0.2, ..Partition::default() },
        }
    }
}

impl Method for KernelShap {
    type Config = Config;
    const NAME: &'static str = "kernel_shap";
    const TITLE: &'static str = "KernelSHAP";
    const SUMMARY: &'static str = "Shares the score out among the parts of the picture, as the players of a game share a win. The shares add up to the score.";
    const PAPER: &'static str = "Lundberg, Lee: A Unified Approach to Interpreting Model Predictions (2017)";
    const NEEDS: &'static [Need] = &[Need::Predictions, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 50.0, high: 99.0 };

    const GIVEN: &'static [Given] = &[SEGMENTS, DENSITY_NOISE, SAMPLES, WEIGHTS, BASELINE, BACKGROUND];

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.samples + 2, backward: 0 }
    }

    fn quick() -> Config {
        Config { samples: 200, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let segments = config.partition.cut(subject).await?;
        let n = segments.count;
        if n > MOST_TO_FIT {
            return Err(too_many(subject, n));
        }
        let (samples, weights) = match Samples::given(subject, n)? {
            Some(samples) => {
                let weights = given_weights(subject, samples.count())?;
                (samples, weights)
            }
            None if subject.given(WEIGHTS.name).is_some() => {
                return Err(subject
                    .parameter_invalid("given.weights", "they are those of \"samples\": give these too"));
            }
            None if n < 2 => (Samples { shown: Vec::new(), segments: n }, Vec::new()),
            None if n < usize::BITS as usize && config.samples >= (1 << n) - 2 => all(n),
            None => draw(&mut subject.random(), n, config.samples),
        };
        // The empty and the whole picture go first: the values add up to their difference.
        let ends = std::iter::repeat_n(0.0, n).chain(std::iter::repeat_n(1.0, n));
        let asked = Samples { shown: ends.chain(samples.shown.iter().copied()).collect(), segments: n };
        let hidden = config.hidden.cover(subject, Some(&segments))?;
        let answers = asked.scores(subject, &segments, hidden, config.score).await?;
        let values = shapley(&samples, &weights, &answers).ok_or_else(|| {
            subject.unsuited(&format!(
                "{} samples do not determine the values of {n} segments; take more",
                samples.count()
            ))
        })?;
        // Of the segments' values; the map repeats each of them at every pixel.
        let change = answers[1] - answers[0];
        let gap = values.iter().sum::<f32>() - change;
        let number = |value| subject.tensor(vec![value], [1, 1]).reshape([1]);
        let completeness = Some(Completeness { gap: number(gap), change: number(change), start: None });
        Ok(Attribution { completeness, ..fitted(subject, segments, values, config.k, asked.count()) })
    }
}

/// The values `φ` that minimise `Σ w (f(s) - f(∅) - φ·s)²` and add up to `f(all) - f(∅)`. `answers` holds `f(∅)` and
/// `f(all)` before those of the samples.
fn shapley(samples: &Samples, weights: &[f64], answers: &[f32]) -> Option<Vec<f32>> {
    let (empty, rest) = answers.split_first()?;
    let (whole, answers) = rest.split_first()?;
    let difference = f64::from(*whole) - f64::from(*empty);
    if samples.segments == 1 {
        return Some(vec![difference as f32]);
    }
    // The last value is what the others leave of the difference.
    let rows: Vec<Vec<f64>> = samples
        .rows()
        .map(|row| {
            let (last, others) = row.split_last().map_or((0.0, row), |(last, others)| (*last, others));
            others.iter().map(|shown| f64::from(shown - last)).collect()
        })
        .collect();
    let y: Vec<f64> = samples
        .rows()
        .zip(answers)
        .map(|(row, &answer)| {
            let last = f64::from(row[samples.segments - 1]);
            f64::from(answer) - f64::from(*empty) - last * difference
        })
        .collect();
    let mut values = regression::least_squares(&rows, &y, weights, 0.0)?;
    values.push(difference - values.iter().sum::<f64>());
    Some(values.into_iter().map(|value| value as f32).collect())
}

/// Every way to show some segments but not all, with the Shapley kernel's weight
/// `(n - 1) / (C(n, k) k (n - k))` for `k` shown ones.
fn all(n: usize) -> (Samples, Vec<f64>) {
    let (mut shown, mut weights) = (Vec::new(), Vec::new());
    for subset in 1..(1usize << n) - 1 {
        shown.extend((0..n).map(|segment| (subset >> segment & 1) as f32));
        let k = subset.count_ones() as usize;
        let ways = (0..k).fold(1.0, |ways, i| ways * (n - i) as f64 / (i + 1) as f64);
        weights.push((n - 1) as f64 / (ways * (k * (n - k)) as f64));
    }
    (Samples { shown, segments: n }, weights)
}

/// Samples drawn as often as the Shapley kernel weighs them, each followed by its complement; so each counts once.
fn draw(random: &mut impl Rng, n: usize, count: usize) -> (Samples, Vec<f64>) {
    // All sets of one size together weigh (n - 1) / (k (n - k)).
    let sizes: Vec<f64> = (1..n).map(|k| 1.0 / (k * (n - k)) as f64).collect();
    let total: f64 = sizes.iter().sum();
    let mut shown: Vec<f32> = Vec::with_capacity(count * n);
    while shown.len() < count * n {
        let mut rest = random.random::<f64>() * total;
        let larger = |weight: &&f64| {
            rest -= **weight;
            rest >= 0.0
        };
        let k = (sizes.iter().take_while(larger).count() + 1).min(n - 1);
        let mut row = vec![0.0; n];
        for segment in rand::seq::index::sample(random, n, k) {
            row[segment] = 1.0;
        }
        shown.extend(&row);
        shown.extend(row.iter().map(|shown| 1.0 - shown));
    }
    shown.truncate(count * n);
    (Samples { shown, segments: n }, vec![1.0; count])
}

fn given_weights(subject: &Subject<'_>, count: usize) -> Result<Vec<f64>> {
    match subject.given(WEIGHTS.name) {
        None => Ok(vec![1.0; count]),
        Some(given) if given.data.len() == count && given.data.iter().all(|&weight| weight >= 0.0) => {
            Ok(given.data.iter().map(|&weight| weight.into()).collect())
        }
        Some(_) => Err(Error::InputInvalid(format!(
            "The given tensor \"weights\" must hold a weight from 0 on for each of the {count} samples."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// The Shapley values of a game of three, from their definition: means over all orders.
    #[test]
    fn all_samples_give_the_exact_values() {
        let game = |shown: &[f32]| {
            shown[0] + 2.0 * shown[0] * shown[1] + 6.0 * shown[0] * shown[1] * shown[2] - shown[2]
        };
        let (samples, weights) = all(3);
        let answers: Vec<f32> =
            [&[0.0; 3][..], &[1.0; 3]].into_iter().chain(samples.rows()).map(game).collect();
        let values = shapley(&samples, &weights, &answers).unwrap();
        for (value, exact) in values.iter().zip([1.0 + 1.0 + 2.0, 1.0 + 2.0, 2.0 - 1.0]) {
            assert!((value - exact).abs() < 1e-5, "{values:?}");
        }
    }

    #[test]
    fn sizes_are_drawn_by_the_kernel() {
        let (samples, _) = draw(&mut rand_chacha::ChaCha8Rng::seed_from_u64(3), 5, 20_000);
        let mut counts = [0.0; 6];
        samples.rows().for_each(|row| counts[row.iter().sum::<f32>() as usize] += 1.0);
        let total: f64 = (1..5).map(|k| 1.0 / (k * (5 - k)) as f64).sum();
        for k in 1..5 {
            let expected = 20_000.0 / (k * (5 - k)) as f64 / total;
            assert!((counts[k] / expected - 1.0).abs() < 0.05, "{counts:?}");
        }
        assert_eq!(counts[0] + counts[5], 0.0);
    }
}

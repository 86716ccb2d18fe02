//! HSIC attribution (Novello, Fel, Vigouroux 2022): how much the score depends on whether a part is shown, by the
//! Hilbert-Schmidt independence criterion.

use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    baseline::{BASELINE, given_or, zeros},
    display::{Channels, Display},
    hidden::{SAMPLES, Samples},
    method::{Cost, Given, Method, Need},
    partition::{MOST_TO_FIT, Partition, SEGMENTS, fitted, too_many},
};
use crate::{Result, input::parts::Joined, model::Score, segment::Segments};

/// HSIC attribution.
pub struct Hsic;

/// Parameters of HSIC attribution.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Pictures with parts hidden that the network is asked about.
    #[schemars(range(min = 4, max = 4000))]
    pub samples: usize,
    /// Cells along each side of a picture. The cells of sounds, tokens and tables are their segments as AXAI's `segmentation`
    /// auto cuts them; and so are segments that are given.
    #[schemars(range(min = 2, max = 30))]
    pub grid: usize,
    /// The score whose dependence is measured.
    pub score: Score,
    /// Segments that make up the explanation: those on which most depends.
    #[schemars(range(min = 1, max = 1000))]
    pub k: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { samples: 1500, grid: 7, score: Score::Probability, k: 5 }
    }
}

impl Method for Hsic {
    type Config = Config;
    const NAME: &'static str = "hsic";
    const TITLE: &'static str = "HSIC";
    const SUMMARY: &'static str = "Hides parts of the picture at random and measures how much the score depends on each part, in whichever way. It needs the network's answers alone.";
    const PAPER: &'static str = "Novello, Fel, Vigouroux: Making Sense of Dependence: Efficient Black-box Explanations Using Dependence Measure (2022)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;
    const GIVEN: &'static [Given] = &[SEGMENTS, SAMPLES, BASELINE];

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.samples, backward: 0 }
    }

    fn quick() -> Config {
        Config { samples: 300, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let segments = cells(subject, config.grid).await?;
        let samples = match Samples::given(subject, segments.count)? {
            Some(samples) => samples,
            None => draw(subject, segments.count, config.samples),
        };
        let hidden = given_or(subject, zeros(subject))?.unwrap_or_else(|| subject.input().zeros_like());
        let answers = samples.scores(subject, &segments, hidden, config.score).await?;
        let values = dependence(&samples, &answers);
        Ok(fitted(subject, segments, values, config.k, samples.count()))
    }
}

/// The cells of a picture, along each side as many; segments of anything else, or those that are given.
pub(super) async fn cells(subject: &Subject<'_>, grid: usize) -> Result<Segments> {
    let places = subject.places();
    let segments = if subject.given(SEGMENTS.name).is_some() || !places.layout.is_picture() {
        Partition::default().cut(subject).await?
    } else {
        // A mask enlarged to the nearest cell.
        let (rows, columns) = (grid.min(places.height), grid.min(places.width));
        let cell = |pixel: usize| {
            let (row, column) = (pixel / places.width, pixel % places.width);
            row * rows / places.height * columns + column * columns / places.width
        };
        Segments::new(&(0..places.count()).map(cell).collect::<Vec<_>>())
    };
    if segments.count > MOST_TO_FIT {
        return Err(too_many(subject, segments.count));
    }
    Ok(segments)
}

/// Latin hypercube samples, rounded: each segment is shown in one half of them.
fn draw(subject: &Subject<'_>, segments: usize, count: usize) -> Samples {
    let mut random = subject.random();
    let mut shown = vec![0.0; count * segments];
    let mut rows: Vec<usize> = (0..count).collect();
    for segment in 0..segments {
        rows.shuffle(&mut random);
        rows[..count / 2].iter().for_each(|row| shown[row * segments + segment] = 1.0);
    }
    Samples { shown, segments }
}

/// HSIC, `tr(K H L H) / (p - 1)²`, of each segment. `K` says whether two samples agree in the segment, `L` how near
/// their answers lie (a Gaussian whose width is the median answer). Since the rows of `H L H` add up to zero, what is left
/// of `K = 1 - (x - x')²` is twice the product of its factors.
fn dependence(samples: &Samples, answers: &[f32]) -> Vec<f32> {
    let p = answers.len();
    let answers: Vec<f64> = answers.iter().map(|&answer| answer.into()).collect();
    let mut sorted = answers.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    // The nearest of the sorted answers to the middle, rounded to even as TensorFlow does.
    let middle = ((p - 1) as f64 / 2.0).round_ties_even() as usize;
    let width = sorted[middle];
    let near = |a: f64, b: f64| {
        let apart = (a - b) / width;
        if a == b { 1.0 } else { (-0.5 * apart * apart).exp() }
    };
    let mut means = vec![0.0; p];
    for (mean, &a) in means.iter_mut().zip(&answers) {
        *mean = answers.iter().map(|&b| near(a, b)).sum::<f64>() / p as f64;
    }
    let mean = means.iter().sum::<f64>() / p as f64;
    let n = samples.segments;
    let mut totals = vec![0.0; n];
    let mut row = vec![0.0; n];
    for (i, shown) in samples.rows().enumerate() {
        row.fill(0.0);
        for (j, other) in samples.rows().enumerate() {
            let centred = near(answers[i], answers[j]) - means[i] - means[j] + mean;
            row.iter_mut().zip(other).for_each(|(sum, &other)| *sum += centred * f64::from(other));
        }
        for ((total, sum), &shown) in totals.iter_mut().zip(&row).zip(shown) {
            *total += 2.0 * f64::from(shown) * sum;
        }
    }
    let pairs = (p as f64 - 1.0).powi(2);
    totals.into_iter().map(|total| (total / pairs) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition, with all matrices written out.
    #[test]
    fn the_criterion_is_the_trace_of_its_matrices() {
        let samples = Samples { shown: vec![1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0], segments: 2 };
        let answers = [0.9f32, 0.2, 0.7, 0.4, 0.8];
        let p = answers.len();
        let centre = |m: &dyn Fn(usize, usize) -> f64, i: usize, j: usize| {
            let h = |a: usize, b: usize| f64::from(u8::from(a == b)) - 1.0 / p as f64;
            (0..p).flat_map(|a| (0..p).map(move |b| (a, b))).map(|(a, b)| h(i, a) * m(a, b) * h(b, j)).sum::<f64>()
        };
        let l = |a: usize, b: usize| (-0.5 * (f64::from(answers[a] - answers[b]) / f64::from(0.7f32)).powi(2)).exp();
        let found = dependence(&samples, &answers);
        for segment in 0..2 {
            let x = |row: usize| f64::from(samples.shown[row * 2 + segment]);
            let trace: f64 = (0..p)
                .flat_map(|a| (0..p).map(move |b| (a, b)))
                .map(|(a, b)| (1.0 - (x(a) - x(b)).powi(2)) * centre(&l, b, a))
                .sum();
            let expected = trace / (p as f64 - 1.0).powi(2);
            assert!((f64::from(found[segment]) - expected).abs() < 1e-6, "{found:?}, {expected}");
        }
    }
}

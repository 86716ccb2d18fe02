//! SHAP's permutation explainer: the Shapley value of each segment as a mean over orders in which segments are shown, each
//! order walked forwards and backwards.

use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Completeness, Subject,
    baseline::{BACKGROUND, BASELINE, Baseline, COVERS},
    display::{Channels, Display},
    hidden::Samples,
    method::{Cost, Given, Method, Need},
    partition::{DENSITY_NOISE, MOST_TO_FIT, Partition, SEGMENTS, fitted, too_many},
};
use crate::{Error, Result, model::Score};

/// SHAP's permutation explainer.
pub struct PermutationShap;

const ORDERS: Given = Given {
    name: "orders",
    description: "`[count, segments]`, in each row the numbers of all segments in the order in which they are shown",
};

/// Parameters of the permutation explainer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Pictures that the network is asked about, at most. An order of n segments takes 2 n - 2 of them.
    #[schemars(range(min = 4, max = 100000))]
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
            samples: 500,
            hidden: Baseline::Auto,
            k: 5,
            score: Score::Probability,
            partition: Partition { kernel_size: 4.0, max_dist: 200.0, ratio: 0.2, ..Partition::default() },
        }
    }
}

impl Method for PermutationShap {
    type Config = Config;
    const NAME: &'static str = "permutation_shap";
    const TITLE: &'static str = "Permutation SHAP";
    const SUMMARY: &'static str = "Shows the parts of the picture one after the other, in several orders and back, and shares the score out by what each adds. The shares add up to the score.";
    const PAPER: &'static str = "\u{160}trumbelj, Kononenko: Explaining prediction models and individual predictions with feature contributions (2014); SHAP's PermutationExplainer";
    const NEEDS: &'static [Need] = &[Need::Predictions, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 50.0, high: 99.0 };
    const GIVEN: &'static [Given] = &[SEGMENTS, DENSITY_NOISE, ORDERS, BASELINE, BACKGROUND];

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.samples, backward: 0 }
    }

    fn quick() -> Config {
        Config { samples: 250, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let segments = config.partition.cut(subject).await?;
        let n = segments.count;
        if n > MOST_TO_FIT {
            return Err(too_many(subject, n));
        }
        let orders = match given(subject, n)? {
            Some(orders) => orders,
            None => draw(subject, n, config.samples)?,
        };
        let samples = asked(&orders, n);
        let hidden = config.hidden.cover(subject, Some(&segments))?;
        let answers = samples.scores(subject, &segments, hidden, config.score).await?;
        let values = shapley(&orders, &answers, n);
        let change = answers[1] - answers[0];
        let gap = values.iter().sum::<f32>() - change;
        let number = |value| subject.tensor(vec![value], [1, 1]).reshape([1]);
        let completeness = Some(Completeness { gap: number(gap), change: number(change), start: None });
        Ok(Attribution { completeness, ..fitted(subject, segments, values, config.k, samples.count()) })
    }
}

/// As many orders as the samples allow, one at least.
fn draw(subject: &Subject<'_>, n: usize, samples: usize) -> Result<Vec<Vec<usize>>> {
    let each = 2 * n.saturating_sub(1);
    if samples < 2 + each {
        return Err(subject.parameter_invalid(
            "samples",
            &format!("{n} segments take {} for one order; allow as many, or cut the input into fewer", 2 + each),
        ));
    }
    let mut random = subject.random();
    let count = (samples - 2).checked_div(each).unwrap_or(1);
    let mut order: Vec<usize> = (0..n).collect();
    Ok((0..count)
        .map(|_| {
            order.shuffle(&mut random);
            order.clone()
        })
        .collect())
}

fn given(subject: &Subject<'_>, n: usize) -> Result<Option<Vec<Vec<usize>>>> {
    let Some(given) = subject.given(ORDERS.name) else { return Ok(None) };
    let rows = given.data.chunks_exact(n).map(|row| row.iter().map(|&at| at as usize).collect::<Vec<_>>());
    let orders: Vec<Vec<usize>> = rows.collect();
    let whole = |order: &Vec<usize>| {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        sorted.into_iter().eq(0..n)
    };
    let known = given.data.iter().all(|&at| at.fract() == 0.0 && at >= 0.0);
    if orders.is_empty() || !given.data.len().is_multiple_of(n) || !known || !orders.iter().all(whole) {
        return Err(Error::InputInvalid(format!(
            "The given tensor \"orders\" must hold rows of the numbers from 0 to {}, each once.",
            n.saturating_sub(1)
        )));
    }
    Ok(Some(orders))
}

/// The samples of the orders: nothing and everything, then for each order what it has shown after 1 to n - 1 segments, and
/// the rest after as many have been hidden again.
fn asked(orders: &[Vec<usize>], n: usize) -> Samples {
    let mut shown: Vec<f32> = std::iter::repeat_n(0.0, n).chain(std::iter::repeat_n(1.0, n)).collect();
    for order in orders {
        for (from, to) in [(0.0, 1.0), (1.0, 0.0)] {
            let mut row = vec![from; n];
            for &segment in order.iter().take(n.saturating_sub(1)) {
                row[segment] = to;
                shown.extend(&row);
            }
        }
    }
    Samples { shown, segments: n }
}

/// The mean over all walks of what each segment adds where it is shown, or takes where it is hidden.
fn shapley(orders: &[Vec<usize>], answers: &[f32], n: usize) -> Vec<f32> {
    let (empty, whole) = (f64::from(answers[0]), f64::from(answers[1]));
    let mut rest = answers[2..].iter().map(|&answer| f64::from(answer));
    let mut values = vec![0.0; n];
    for order in orders {
        for (start, end, sign) in [(empty, whole, 1.0), (whole, empty, -1.0)] {
            let mut before = start;
            for (place, &segment) in order.iter().enumerate() {
                let after = if place + 1 < n { rest.next().unwrap_or(end) } else { end };
                values[segment] += sign * (after - before);
                before = after;
            }
        }
    }
    let walks = 2.0 * orders.len() as f64;
    values.into_iter().map(|value| (value / walks) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shapley values of a game of three, over all of its orders and over half of them: an order's way back is the
    /// reversed order's way there.
    #[test]
    fn all_orders_give_the_exact_values() {
        let game = |shown: &[f32]| {
            shown[0] + 2.0 * shown[0] * shown[1] + 6.0 * shown[0] * shown[1] * shown[2] - shown[2]
        };
        let orders: Vec<Vec<usize>> = [[0, 1, 2], [0, 2, 1], [1, 0, 2]].map(Vec::from).into();
        let answers: Vec<f32> = asked(&orders, 3).rows().map(game).collect();
        let values = shapley(&orders, &answers, 3);
        for (value, exact) in values.iter().zip([1.0 + 1.0 + 2.0, 1.0 + 2.0, 2.0 - 1.0]) {
            assert!((value - exact).abs() < 1e-5, "{values:?}");
        }
        assert_eq!(shapley(&[vec![0]], &[0.5, 2.0], 1), [1.5]);
    }
}

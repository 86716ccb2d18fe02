//! IDGI (Yang, Wang, Bilgic 2023, algorithm 1): integrated gradients without the part of each step along which the score stays
//! the same.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    baseline::{BACKGROUND, BASELINE, Baseline, STARTS},
    cam,
    display::{Channels, Display},
    integrated_gradients::STAGE,
    method::{Cost, Given, Method, Need},
};
use crate::{Error, Result, model::Score};

/// IDGI.
pub struct Idgi;

/// Parameters of IDGI.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Points on the line from the baseline to the input, both ends included.
    #[schemars(range(min = 2, max = 1000))]
    pub steps: usize,
    /// Where the line starts.
    #[schemars(extend("choices" = STARTS))]
    pub baseline: Baseline,
    /// The score whose change is shared out.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { steps: 200, baseline: Baseline::Auto, score: Score::Probability }
    }
}

impl Method for Idgi {
    type Config = Config;
    const NAME: &'static str = "idgi";
    const TITLE: &'static str = "IDGI";
    const SUMMARY: &'static str = "Integrated gradients with less noise: what the score changes at each step is shared out by the squared gradient there, whichever way the line runs.";
    const PAPER: &'static str = "Yang, Wang, Bilgic: IDGI: A Framework to Eliminate Explanation Noise from Integrated Gradients (2023)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::SumAbs, low: 80.0, high: 99.0 };
    const ANYTIME: Anytime = Anytime::Shows;
    const GIVEN: &'static [Given] = &[BASELINE, BACKGROUND];
    const SHORTFALL: &'static str = "Where the gradient vanishes there is nothing to share a step's change out by.";

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.steps, backward: config.steps }
    }

    fn quick() -> Config {
        Config { steps: 30, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let &Config { steps, score, baseline } = config;
        let baseline = baseline.start(subject)?;
        let difference = subject.input() - baseline.clone();
        let mut sum = difference.zeros_like();
        let (mut first, mut before): (_, Option<(Tensor<2>, Tensor<1>)>) = (None, None);
        let mut batches = subject.batches(steps, STAGE);
        while let Some(rows) = batches.next().await? {
            let count = rows.len();
            let alphas = rows.map(|k| k as f32 / (steps - 1) as f32).collect();
            let path = baseline.clone() + subject.tensor(alphas, [count, 1]) * difference.clone();
            let found = subject.gradients(path, &vec![subject.target(); count], score)?;
            let scores = subject.scores(found.logits, score);
            let shares = shares(found.gradient);
            first.get_or_insert_with(|| scores.clone().slice(0..1));
            // IDGI algorithm 1: each step's change of the score goes to the features by the squared gradient where it starts.
            let (all, starts) = match before.take() {
                Some((share, score)) => {
                    (Tensor::cat(vec![share, shares.clone()], 0), Tensor::cat(vec![score, scores.clone()], 0))
                }
                None => (shares.clone(), scores.clone()),
            };
            let points = starts.dims()[0];
            if points > 1 {
                let changes = starts.clone().slice(1..points) - starts.slice(0..points - 1);
                let parts = all.slice(0..points - 1) * changes.reshape([points - 1, 1]);
                sum = sum + parts.sum_dim(0);
            }
            before = Some((shares.slice(count - 1..count), scores.slice(count - 1..count)));
            batches.so_far(|| sum.clone()).await?;
        }
        let ends = first.zip(before).ok_or_else(|| Error::Internal("a path without a point".into()))?;
        Ok(Attribution::complete(sum, steps, ends.1.1 - ends.0))
    }
}

/// The squares of each row, over their sum. The row is scaled first: squares of small gradients are lost in 32 bits.
fn shares(gradient: Tensor<2>) -> Tensor<2> {
    let most = gradient.clone().abs().max_dim(1);
    let [_, features] = gradient.dims();
    let scaled = cam::quotient(gradient, most.repeat_dim(1, features));
    let squares = scaled.clone() * scaled;
    let total = squares.clone().sum_dim(1).repeat_dim(1, features);
    cam::quotient(squares, total)
}

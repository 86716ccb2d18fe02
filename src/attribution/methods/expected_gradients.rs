//! Expected gradients (Erion et al. 2021), SHAP's GradientExplainer: integrated gradients from many baselines.
//!
//! `mean of grad f(b + u (x - b)) * (x - b)` over draws of a background `b` and of a position `u` between it and the
//! input. The attributions sum to `f(x) - mean f(b)`, up to the sampling error.

use std::ops::Range;

use burn::tensor::{Int, Tensor};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    baseline::{Baseline, background_words, rows, zeros},
    display::{Channels, Display},
    method::{Cost, Given, Method, Need},
};
use crate::{Error, Result, model::Score};

/// Expected gradients.
pub struct ExpectedGradients;

/// The background of methods that average over it.
pub(super) const BACKGROUNDS: Given = Given {
    name: "background",
    description: "inputs in model space, any number of them, from which the paths start",
};

/// Parameters of expected gradients.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Draws of a background and of a point between it and the input.
    #[schemars(range(min = 1, max = 5000))]
    pub samples: usize,
    /// The score whose gradient is taken.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { samples: 200, score: Score::Logit }
    }
}

impl Method for ExpectedGradients {
    type Config = Config;
    const NAME: &'static str = "expected_gradients";
    const TITLE: &'static str = "Expected gradients";
    const SUMMARY: &'static str = "Integrated gradients on average over many empty pictures, so that none of them decides (SHAP's GradientExplainer).";
    const PAPER: &'static str = "Erion, Janizek, Sturmfels, Lundberg, Lee: Improving Performance of Deep Learning Models with Axiomatic Attribution Priors and Expected Gradients (2021)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::SumAbs, low: 80.0, high: 99.0 };
    const ANYTIME: Anytime = Anytime::Settles;
    const GIVEN: &'static [Given] = &[
        BACKGROUNDS,
        Given {
            name: "draws",
            description: "`[samples, 2]`: the number of the background and the position on the way from it, 0 to 1",
        },
    ];
    const SHORTFALL: &'static str = "More samples come closer.";

    fn cost(config: &Config) -> Cost {
        // The default backgrounds are scored for the completeness gap.
        Cost { forward: config.samples + 3, backward: config.samples }
    }

    fn quick() -> Config {
        Config { samples: 20, ..Config::default() }
    }

    /// Without a given background the backgrounds are a black picture, a white one, and the mean of the training data: one
    /// photograph knows no others, and with a single one whatever has its colour could not count. What is no picture has
    /// no colours, and starts from zero; a text starts from padding.
    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let Config { samples, score } = *config;
        let x = subject.input();
        let backgrounds = backgrounds(subject)?;
        let (choices, positions) = draws(subject, samples, backgrounds.dims()[0])?;
        let mut sum = x.zeros_like();
        let mut batches = subject.batches(samples, "gradients between backgrounds and the input");
        while let Some(Range { start, end }) = batches.next().await? {
            let chosen = Tensor::<1, Int>::from_data(&choices[start..end], &x.device());
            let background = backgrounds.clone().select(0, chosen);
            let difference = x.clone() - background.clone();
            let u = subject.tensor(positions[start..end].to_vec(), [end - start, 1]);
            let points = background + u * difference.clone();
            let found = subject.gradients(points, &vec![subject.target(); end - start], score)?;
            sum = sum + (found.gradient * difference).sum_dim(0);
            if batches.so_far(|| sum.clone() / end as f32).await? {
                break;
            }
        }
        let done = batches.done();
        let map = sum / done as f32;
        let change = subject.scores(subject.clean(), score)
            - subject.scores(subject.logits(backgrounds)?, score).mean();
        Ok(Attribution::complete(map, done, change))
    }
}

/// The given backgrounds, or the default ones, `[N, features]`.
pub(super) fn backgrounds(subject: &Subject<'_>) -> Result<Tensor<2>> {
    if let Some(given) = rows(subject, "background")? {
        subject.compared_with(match subject.given("background") {
            Some(_) => "the given background".into(),
            None => background_words(subject, |rows| rows.each()),
        });
        return Ok(given);
    }
    if subject.written().is_some() {
        return Baseline::Auto.start(subject);
    }
    let zero = subject.input().zeros_like();
    if !subject.places().layout.is_picture() {
        subject.compared_with(zeros(subject).into());
        return Ok(zero);
    }
    subject.compared_with("black, white and the mean of the training data".into());
    let space = subject.pixel_space()?;
    Ok(Tensor::cat(vec![space.black, space.white, zero], 0))
}

/// Number of the background and position of each sample, given or drawn.
fn draws(subject: &Subject<'_>, samples: usize, backgrounds: usize) -> Result<(Vec<i64>, Vec<f32>)> {
    let Some(given) = subject.given_values("draws", 2 * samples)? else {
        let mut random = subject.random();
        return Ok((0..samples)
            .map(|_| (random.random_range(0..backgrounds as i64), random.random::<f32>()))
            .unzip());
    };
    let known = |&choice: &f32| choice.fract() == 0.0 && (0.0..backgrounds as f32).contains(&choice);
    if let Some(wrong) = given.iter().step_by(2).find(|choice| !known(choice)) {
        return Err(Error::InputInvalid(format!(
            "The given \"draws\" name the background {wrong}, and there are {backgrounds}, from 0."
        )));
    }
    Ok(given.chunks_exact(2).map(|draw| (draw[0] as i64, draw[1])).unzip())
}

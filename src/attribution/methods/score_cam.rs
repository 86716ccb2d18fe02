//! Score-CAM (Wang et al. 2020, algorithm 1): feature maps weighed by what the picture scores behind each.

use std::ops::Range;

use burn::tensor::{Int, Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    baseline::{BASELINE, given_or, zeros},
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    method::{Cost, End, Given, Method, Need},
    upsample,
};
use crate::{Model, Result, input::parts::Joined, model::Score};

/// Score-CAM.
pub struct ScoreCam;

/// Parameters of Score-CAM.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the node whose output is looked at, or of that output; where none is named, the last convolution
    /// with its activation.
    #[schemars(extend("format" = "layer"))]
    pub layer: String,
    /// The score that a masked picture gets.
    pub score: Score,
    /// Feature maps to work with at most; where the layer has more, those that vary most (Faster Score-CAM).
    #[schemars(range(min = 1, max = 4096))]
    pub channels: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { layer: String::new(), score: Score::Logit, channels: 2048 }
    }
}

impl Method for ScoreCam {
    type Config = Config;
    const NAME: &'static str = "score_cam";
    const TITLE: &'static str = "Score-CAM";
    const SUMMARY: &'static str = "Lets through only what a feature map lets through, and weighs the map by what the picture then scores.";
    const PAPER: &'static str =
        "Wang et al.: Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks (2020)";
    const NEEDS: &'static [Need] = &[Need::Predictions, Need::Activations, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    const GIVEN: &'static [Given] = &[BASELINE];

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.channels, backward: 1 }
    }

    fn first_gradient(config: &Config, model: &Model) -> Option<End> {
        cam::first_gradient(&config.layer, model)
    }

    fn quick() -> Config {
        Config { channels: 64, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let [channels, height, width] = subject.image()?;
        // The gradient is not needed, only the value that comes with it.
        let layer = cam::layer(subject, &config.layer)?;
        let maps = FeatureMaps::of(subject, &layer, config.score)?.maps;
        let maps = match cam::most_varying(&maps, config.channels).await? {
            None => maps,
            Some(chosen) => {
                let chosen: Vec<i64> = chosen.into_iter().map(|channel| channel as i64).collect();
                let chosen = Tensor::<1, Int>::from_data(chosen.as_slice(), &maps.device());
                maps.select(1, chosen)
            }
        };
        let count = maps.dims()[1];
        let picture = subject.input().reshape([1, channels, height * width]);
        let blank = given_or(subject, zeros(subject))?;
        let blank = blank.map(|blank| blank.reshape([1, channels, height * width]));
        // Score-CAM algorithm 1.
        let mut weights = Vec::new();
        let mut batches = subject.batches(count, "scoring what each feature map shows");
        while let Some(Range { start, end }) = batches.next().await? {
            let masks = upsample::bilinear(maps.clone().slice([0..1, start..end]), [height, width]);
            let masks = stretch(masks.reshape([end - start, 1, height * width]));
            let masked = match &blank {
                None => masks * picture.clone(),
                Some(blank) => blank.clone() + masks * (picture.clone() - blank.clone()),
            };
            let masked = masked.reshape([end - start, subject.features()]);
            weights.push(subject.scores(subject.logits(masked)?, config.score));
        }
        let weights = activation::softmax(Tensor::cat(weights, 0), 0).reshape([1, count, 1, 1]);
        cam::attribution(subject, vec![(weights * maps).sum_dim(1)], count)
    }
}

/// Each row from 0 to 1; a constant one becomes 0.
fn stretch(rows: Tensor<3>) -> Tensor<3> {
    let (low, high) = (rows.clone().min_dim(2), rows.clone().max_dim(2));
    (rows - low.clone()) / (high - low + 1e-8)
}

//! ODAM (Zhao, Hsiao, Chan 2023): Grad-CAM at one box of a detector, with the gradient kept place by place, so that other objects of the class
//! stay dark.

use burn::tensor::{Tensor, TensorData, module::conv2d, ops::ConvOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    method::{Cost, Method, Need},
};
use crate::{Result, input::parts::Joined, model::Score};

/// ODAM.
pub struct Odam;

/// Parameters of ODAM.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name of a node, or the names of several between commas. For a box, what comes before its head is taken where it is empty: the last
    /// map that its class and its edges both come from. Otherwise the layer that Grad-CAM takes.
    pub layer: String,
    /// The score whose gradient is taken; the authors' is the probability.
    pub score: Score,
    /// The width of the Gaussian that the gradient is smoothed with, as its deviation in cells of the layer. The authors smooth the gradients
    /// of two-stage detectors, whose regions leave a grid on them; those of one-stage detectors they leave as they are, at 0.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub smoothing: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { layer: String::new(), score: Score::Probability, smoothing: 0.0 }
    }
}

impl Method for Odam {
    type Config = Config;
    const NAME: &'static str = "odam";
    const TITLE: &'static str = "ODAM";
    const SUMMARY: &'static str = "Explains one box of a detector: where a layer before its head raised the score, place by place, so that \
         other objects of the class stay dark. One gradient.";
    const PAPER: &'static str = "Zhao, Hsiao, Chan: ODAM: Gradient-based Instance-Specific Visual Explanations for Object Detection (2023)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::Activations, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(config: &Config) -> Cost {
        let layers = cam::count(&config.layer);
        Cost { forward: layers, backward: layers }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let shared = super::grad_cam::Config { layer: config.layer.clone(), score: config.score };
        cam::explain(subject, &shared, |FeatureMaps { maps, gradient }| {
            (smoothed(gradient, config.smoothing) * maps).sum_dim(1)
        })
        .await
    }
}

/// Each channel smoothed by a Gaussian of this deviation, over three of it to each side; what lies beyond the edge is 0.
fn smoothed(maps: Tensor<4>, deviation: f32) -> Tensor<4> {
    if deviation <= 0.0 {
        return maps;
    }
    let [_, channels, height, width] = maps.dims();
    let reach = (3.0 * deviation).ceil() as i64;
    let weight = |offset: i64| (-((offset * offset) as f32) / (2.0 * deviation * deviation)).exp();
    let row: Vec<f32> = (-reach..=reach).map(weight).collect();
    let sum: f32 = row.iter().sum();
    let kernel: Vec<f32> = row.iter().flat_map(|a| row.iter().map(move |b| a * b / (sum * sum))).collect();
    let side = row.len();
    let kernel = Tensor::<4>::from_data(TensorData::new(kernel, [1, 1, side, side]), &maps.device());
    let flat = maps.reshape([channels, 1, height, width]);
    let options = ConvOptions::new([1, 1], [side / 2, side / 2], [1, 1], 1);
    conv2d(flat, kernel, None, options).reshape([1, channels, height, width])
}

//! Grad-CAM (Selvaraju et al. 2017, equations 1 and 2).

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    method::{Cost, End, Method, Need},
};
use crate::{Model, Result, input::parts::Joined, model::Score};

/// Grad-CAM.
pub struct GradCam;

/// Parameters of the class activation mappings that need one gradient.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the node whose output is looked at, or of that output; where none is named, the last convolution
    /// with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1.
    #[schemars(extend("format" = "layer"))]
    pub layer: String,
    /// The score whose gradient is taken.
    pub score: Score,
}

impl Config {
    /// One gradient at each layer.
    pub(super) fn cost(&self) -> Cost {
        let layers = cam::count(&self.layer);
        Cost { forward: layers - 1, backward: layers }
    }
}

impl Method for GradCam {
    type Config = Config;
    const NAME: &'static str = "grad_cam";
    const TITLE: &'static str = "Grad-CAM";
    const SUMMARY: &'static str =
        "Weighs the last feature maps by how much the score depends on each. Coarse, quick and steady.";
    const PAPER: &'static str = "Selvaraju et al.: Grad-CAM: Visual Explanations from Deep Networks (2017)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::Activations, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(config: &Config) -> Cost {
        config.cost()
    }

    fn first_gradient(config: &Config, model: &Model) -> Option<End> {
        cam::first_gradient(&config.layer, model)
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        // Grad-CAM eq. 1, and eq. 2 with `cam::attribution`.
        cam::explain(subject, config, |found| weighted(&found)).await
    }
}

/// Feature maps weighed by the mean gradient of each, `[1, 1, h, w]` (Grad-CAM eq. 1 and the sum of eq. 2).
pub(super) fn weighted(FeatureMaps { maps, gradient }: &FeatureMaps) -> Tensor<4> {
    let weights = gradient.clone().mean_dim(3).mean_dim(2);
    (weights * maps.clone()).sum_dim(1)
}

//! Eigen-Grad-CAM, of pytorch-grad-cam: Eigen-CAM of the gradient times the feature maps, which tells classes apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject, cam,
    display::{Channels, Display},
    eigen_cam,
    method::{Cost, End, Method, Need},
};
use crate::{Model, Result, input::parts::Joined, model::Score};

/// Eigen-Grad-CAM.
pub struct EigenGradCam;

/// Parameters of Eigen-Grad-CAM.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the node whose output is looked at, or of that output; where none is named, the last convolution
    /// with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1.
    #[schemars(extend("format" = "layer"))]
    pub layer: String,
    /// The score whose gradient is taken.
    pub score: Score,
    /// Takes the mean off each channel first, as pytorch-grad-cam does.
    pub centred: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { layer: String::new(), score: Score::Logit, centred: true }
    }
}

impl Method for EigenGradCam {
    type Config = Config;
    const NAME: &'static str = "eigen_grad_cam";
    const TITLE: &'static str = "Eigen-Grad-CAM";
    const SUMMARY: &'static str =
        "Shows what the feature maps times their gradients have most in common. Smoother than their sum.";
    const PAPER: &'static str = "Gildenblat et al.: PyTorch library for CAM methods, EigenGradCAM (2021), after Muhammad, Yeasin: Eigen-CAM (2020)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::Activations, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(config: &Config) -> Cost {
        let layers = cam::count(&config.layer);
        Cost { forward: layers - 1, backward: layers }
    }

    fn first_gradient(config: &Config, model: &Model) -> Option<End> {
        cam::first_gradient(&config.layer, model)
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let &Config { score, centred, .. } = config;
        eigen_cam::explain(subject, &config.layer, score, centred, |found| found.gradient * found.maps).await
    }
}

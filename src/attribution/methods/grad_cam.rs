//! Grad-CAM (Selvaraju et al. 2017, equations 1 and 2).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    method::{Cost, Method, Need},
};
use crate::{Result, input::parts::Joined, model::Score};

/// Grad-CAM.
pub struct GradCam;

/// Parameters of the class activation mappings that need one gradient.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the node whose output is looked at, or of that output; where none is named, the last convolution
    /// with its activation.
    #[schemars(extend("format" = "layer"))]
    pub layer: String,
    /// The score whose gradient is taken.
    pub score: Score,
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

    fn cost(_: &Config) -> Cost {
        Cost { forward: 1, backward: 1 }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        subject.checkpoint(0, 1, "gradient at a layer").await?;
        let FeatureMaps { maps, gradient } = FeatureMaps::new(subject, &config.layer, config.score)?;
        // Grad-CAM eq. 1, and eq. 2 with `cam::attribution`.
        let weights = gradient.mean_dim(3).mean_dim(2);
        cam::attribution(subject, (weights * maps).sum_dim(1), 1)
    }
}

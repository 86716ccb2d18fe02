//! HiResCAM (Draelos, Carin 2020, equation 9): the gradient times the feature maps, place by place, summed over channels.

use super::{
    Attribution, Subject,
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    grad_cam::Config,
    method::{Cost, End, Method, Need},
};
use crate::{Model, Result};

/// HiResCAM.
pub struct HiResCam;

impl Method for HiResCam {
    type Config = Config;
    const NAME: &'static str = "hires_cam";
    const TITLE: &'static str = "HiResCAM";
    const SUMMARY: &'static str =
        "Shows the places of a layer that raised the score, without averaging the gradient over places first.";
    const PAPER: &'static str = "Draelos, Carin: Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks \
         (2020)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::Activations, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };

    fn cost(config: &Config) -> Cost {
        config.cost()
    }

    fn first_gradient(config: &Config, model: &Model) -> Option<End> {
        cam::first_gradient(&config.layer, model)
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        // HiResCAM eq. 9.
        cam::explain(subject, config, |FeatureMaps { maps, gradient }| (gradient * maps).sum_dim(1)).await
    }
}

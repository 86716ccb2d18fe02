//! Element-wise Grad-CAM, of pytorch-grad-cam: the positive part of gradient times feature map, place by place and channel by
//! channel.

use burn::tensor::activation::relu;

use super::{
    Attribution, Subject,
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    grad_cam::Config,
    method::{Cost, End, Method, Need},
};
use crate::{Model, Result, input::parts::Joined};

/// Element-wise Grad-CAM.
pub struct GradCamElementWise;

impl Method for GradCamElementWise {
    type Config = Config;
    const NAME: &'static str = "grad_cam_element_wise";
    const TITLE: &'static str = "Element-wise Grad-CAM";
    const SUMMARY: &'static str =
        "Shows where a layer raised the score, and leaves out where it lowered it, before channels are added up.";
    const PAPER: &'static str = "Gildenblat et al.: PyTorch library for CAM methods, GradCAMElementWise (2021)";
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
        cam::explain(subject, config, |FeatureMaps { maps, gradient }| relu(gradient * maps).sum_dim(1)).await
    }
}

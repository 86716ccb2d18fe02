//! LayerCAM (Jiang et al. 2021, equations 5 to 7).

use burn::tensor::activation::relu;

use super::{
    Attribution, Subject,
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    grad_cam::Config,
    method::{Cost, End, Method, Need},
};
use crate::{Model, Result, input::parts::Joined};

/// LayerCAM.
pub struct LayerCam;

impl Method for LayerCam {
    type Config = Config;
    const NAME: &'static str = "layer_cam";
    const TITLE: &'static str = "LayerCAM";
    const SUMMARY: &'static str =
        "Weighs every position of the feature maps by itself; fit for earlier, finer layers too.";
    const PAPER: &'static str =
        "Jiang, Zhang, Hou, Cheng, Wei: LayerCAM: Exploring Hierarchical Class Activation Maps (2021)";
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
        // LayerCAM eq. 5 to 7.
        cam::explain(subject, config, |FeatureMaps { maps, gradient }| (relu(gradient) * maps).sum_dim(1)).await
    }
}

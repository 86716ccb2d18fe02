//! XGrad-CAM (Fu et al. 2020): the gradient averaged over places by how much the feature map is active there.

use super::{
    Attribution, Subject,
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    grad_cam::Config,
    method::{Cost, End, Method, Need},
};
use crate::{Model, Result, input::parts::Joined};

/// XGrad-CAM.
pub struct XGradCam;

impl Method for XGradCam {
    type Config = Config;
    const NAME: &'static str = "x_grad_cam";
    const TITLE: &'static str = "XGrad-CAM";
    const SUMMARY: &'static str =
        "Grad-CAM whose weights count the gradient where a feature map is active, so that they add up to the score.";
    const PAPER: &'static str =
        "Fu et al.: Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs (2020)";
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
        cam::explain(subject, config, |FeatureMaps { maps, gradient }| {
            // XGrad-CAM's weights; a map that is zero everywhere has no weight, and needs none.
            let total = maps.clone().sum_dim(3).sum_dim(2);
            let weights = cam::quotient((gradient * maps.clone()).sum_dim(3).sum_dim(2), total);
            (weights * maps).sum_dim(1)
        })
        .await
    }
}

//! Grad-CAM++ (Chattopadhyay et al. 2018, equations 5 and 19).

use burn::tensor::activation::relu;

use super::{
    Attribution, Subject,
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    grad_cam::Config,
    method::{Cost, End, Method, Need},
};
use crate::{Model, Result, input::parts::Joined};

/// Grad-CAM++.
pub struct GradCamPlusPlus;

impl Method for GradCamPlusPlus {
    type Config = Config;
    const NAME: &'static str = "grad_cam_plus_plus";
    const TITLE: &'static str = "Grad-CAM++";
    const SUMMARY: &'static str =
        "Grad-CAM with weights that also do justice to several objects of a class and to small ones.";
    const PAPER: &'static str = "Chattopadhyay, Sarkar, Howlader, Balasubramanian: Grad-CAM++ (2018)";
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
            // Equation 19, g^2 / (2 g^2 + sum(A) g^3), with g^2 taken out: it would be lost in 32 bits.
            let total = maps.clone().sum_dim(3).sum_dim(2);
            let denominator = total * gradient.clone() + 2.0;
            let alpha = denominator.clone().recip().mask_fill(denominator.equal_elem(0.0), 0.0);
            let alpha = alpha.mask_fill(gradient.clone().equal_elem(0.0), 0.0);
            let weights = (alpha * relu(gradient)).sum_dim(3).sum_dim(2);
            (weights * maps).sum_dim(1)
        })
        .await
    }
}

//! Guided Grad-CAM (Selvaraju et al. 2017, section 3.2): guided backpropagation where Grad-CAM looks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject, cam,
    display::{Channels, Display},
    grad_cam, guided_backprop,
    method::{Cost, End, Method, Need},
};
use crate::{
    Model, Result,
    input::parts::Joined,
    model::{Score, Seed},
};

/// Guided Grad-CAM.
pub struct GuidedGradCam;

/// Parameters of guided Grad-CAM.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the node whose output Grad-CAM looks at, or of that output; where none is named, the last convolution
    /// with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1.
    #[schemars(extend("format" = "layer"))]
    pub layer: String,
}

impl Method for GuidedGradCam {
    type Config = Config;
    const NAME: &'static str = "guided_grad_cam";
    const TITLE: &'static str = "Guided Grad-CAM";
    const SUMMARY: &'static str = "Guided backpropagation's fine lines where Grad-CAM looks. Crisp, but within the area it draws edges whatever the weights are.";
    const PAPER: &'static str = "Selvaraju et al.: Grad-CAM: Visual Explanations from Deep Networks (2017)";
    const NEEDS: &'static [Need] = &[Need::BackwardRule, Need::Activations, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::MaxAbs, low: 0.0, high: 99.0 };
    const JOINED: Joined = Joined::Magnitudes;

    fn cost(config: &Config) -> Cost {
        let layers = cam::count(&config.layer);
        Cost { forward: layers, backward: layers + 1 }
    }

    fn first_gradient(config: &Config, model: &Model) -> Option<End> {
        cam::first_gradient(&config.layer, model)
    }

    fn unsuited(model: &Model) -> Option<String> {
        guided_backprop::without_rectifiers(model)
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let [channels, height, width] = subject.image()?;
        guided_backprop::tell_other_activations(subject);
        let coarse = grad_cam::Config { layer: config.layer.clone(), score: Score::Logit };
        let coarse = cam::explain(subject, &coarse, |found| grad_cam::weighted(&found)).await?;
        let fine = subject.walk(None, Seed::One, &guided_backprop::rule)?.arrived;
        // Grad-CAM section 3.2: the product, value by value, of the enlarged map and guided backpropagation.
        let coarse = coarse.map.reshape([1, 1, height * width]).repeat_dim(1, channels);
        Ok(Attribution::new(fine * coarse.reshape([1, channels * height * width]), coarse_steps(config)))
    }
}

fn coarse_steps(config: &Config) -> usize {
    cam::count(&config.layer) + 1
}

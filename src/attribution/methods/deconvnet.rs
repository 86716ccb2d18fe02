//! The deconvolutional network (Zeiler and Fergus 2013, section 2.1): the backward pass has ReLUs of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display},
    guided_backprop::{tell_other_activations, without_rectifiers},
    method::{Cost, Method, Need},
};
use crate::{
    Model, Result,
    input::parts::Joined,
    model::{
        Seed,
        backward::{Flow, Visit},
    },
};

/// Deconvolutional network.
pub struct Deconvnet;

/// The deconvolutional network has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// At a ReLU: g where g > 0, whatever x was.
fn rule(node: &Visit<'_>) -> Result<Option<Flow>> {
    if !node.site.properties.is_rectifier() {
        return Ok(None);
    }
    let positive = node.gradient()?.clamp_min(0.0);
    Ok(Some(node.only(0, positive)))
}

impl Method for Deconvnet {
    type Config = Config;
    const NAME: &'static str = "deconvnet";
    const TITLE: &'static str = "Deconvolutional network";
    const SUMMARY: &'static str = "Projects the class back to the pixels through the network's layers in reverse, with a ReLU on the way back in place of the gradient's.";
    const PAPER: &'static str = "Zeiler, Fergus: Visualizing and Understanding Convolutional Networks (2013)";
    const NEEDS: &'static [Need] = &[Need::BackwardRule];
    const DISPLAY: Display = Display { channels: Channels::MaxAbs, low: 0.0, high: 99.0 };
    const JOINED: Joined = Joined::Magnitudes;

    fn cost(_: &Config) -> Cost {
        Cost { forward: 1, backward: 1 }
    }

    fn unsuited(model: &Model) -> Option<String> {
        without_rectifiers(model)
    }

    async fn attribute(subject: &Subject<'_>, _: &Config) -> Result<Attribution> {
        subject.checkpoint(0, 1, "backward pass").await?;
        tell_other_activations(subject);
        Ok(Attribution::new(subject.walk(None, Seed::One, &rule)?.arrived, 1))
    }
}

//! Guided backpropagation (Springenberg et al. 2014, section 3.4): at every ReLU only what speaks for the class goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display},
    method::{Cost, Method, Need},
};
use crate::{
    Model, Result,
    input::parts::Joined,
    model::{
        Seed,
        backward::{Flow, Site, Visit},
        operators::Kind,
    },
};

/// Guided backpropagation.
pub struct GuidedBackprop;

/// Guided backpropagation has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// Why a method that changes what ReLUs hand on has nothing to change.
pub(super) fn without_rectifiers(model: &Model) -> Option<String> {
    let any = model.way().any(|site| site.properties.is_rectifier());
    (!any).then(|| "it changes the gradient at ReLUs, and there is none".to_owned())
}

/// Says which other activations keep their own gradient.
pub(super) fn tell_other_activations(subject: &Subject<'_>) {
    let other = |site: &Site| site.properties.kind == Kind::Activation && site.properties.clamp.is_none();
    let mut names: Vec<String> = subject.model().way().filter(other).map(|site| site.op_type).collect();
    names.sort_unstable();
    names.dedup();
    if !names.is_empty() {
        subject.note(format!("It changes the gradient at ReLUs alone: {} kept theirs.", names.join(", ")));
    }
}

/// At a ReLU: g where x > 0 (and below its upper bound) and g > 0.
pub(super) fn rule(node: &Visit<'_>) -> Result<Option<Flow>> {
    if !node.site.properties.is_rectifier() {
        return Ok(None);
    }
    Ok(Some(node.plain()?.into_iter().map(|gradient| Some(gradient?.clamp_min(0.0))).collect()))
}

impl Method for GuidedBackprop {
    type Config = Config;
    const NAME: &'static str = "guided_backprop";
    const TITLE: &'static str = "Guided backpropagation";
    const SUMMARY: &'static str = "The gradient, except that at every ReLU only what is positive goes back. Crisp, but it hardly depends on the class or the weights: it fails the sanity checks.";
    const PAPER: &'static str = "Springenberg, Dosovitskiy, Brox, Riedmiller: Striving for Simplicity (2014)";
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

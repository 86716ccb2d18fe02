//! FullGrad (Srinivas, Fleuret 2019): the gradient at the input and at every bias, which together are the whole score.

use std::cell::RefCell;

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject, cam,
    display::{Channels, Display},
    method::{Cost, Method, Need},
    upsample,
};
use crate::{
    Model, Result,
    input::parts::Joined,
    model::{
        Seed,
        backward::{Flow, Site, Visit},
        operators::Kind,
        value::Value,
    },
};

/// FullGrad.
pub struct FullGrad;

/// FullGrad has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// Whether a node adds something of its own to what it makes of one input: a bias. Normalisations have one too.
fn adds(site: &Site) -> bool {
    let own = matches!(site.properties.kind, Kind::Convolution | Kind::BatchNormalization | Kind::Sum);
    own && site.followers().len() == 1
}

impl Method for FullGrad {
    type Config = Config;
    const NAME: &'static str = "full_grad";
    const TITLE: &'static str = "FullGrad";
    const SUMMARY: &'static str = "Adds the gradient at the picture and at the biases of every layer: together they are the whole score, so that no layer is left out.";
    const PAPER: &'static str =
        "Srinivas, Fleuret: Full-Gradient Representation for Neural Network Visualization (2019)";
    const NEEDS: &'static [Need] = &[Need::BackwardRule, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(_: &Config) -> Cost {
        Cost { forward: 1, backward: 1 }
    }

    fn unsuited(model: &Model) -> Option<String> {
        (!model.way().any(|site| adds(&site))).then(|| "it looks at layers with a bias, and there is none".into())
    }

    async fn attribute(subject: &Subject<'_>, _: &Config) -> Result<Attribution> {
        subject.checkpoint(0, 1, "backward pass").await?;
        let [channels, height, width] = subject.image()?;
        // FullGrad: each map without its sign, from 0 to 1, enlarged, and all of them added up.
        let shown = |maps: Tensor<4>| {
            let sum = cam::stretched(maps.abs()).sum_dim(1);
            upsample::bilinear(sum, [height, width])
        };
        let sum: RefCell<Option<Tensor<4>>> = RefCell::new(None);
        let rule = |node: &Visit<'_>| -> Result<Option<Flow>> {
            let followers = node.site.followers();
            if let (true, [place]) = (adds(node.site), followers.as_slice()) {
                let mut nothing = node.here.inputs.clone();
                nothing[*place] = Some(Value::Float(node.here.input(*place)?.zeros_like()));
                // FullGrad: a layer's bias, times the gradient there.
                let counted = node.forward(&nothing)? * node.gradient()?;
                if let Some(maps) = cam::viewed(subject, &node.site.name, counted) {
                    let shown = shown(maps);
                    let before = sum.borrow_mut().take();
                    *sum.borrow_mut() = Some(match before {
                        Some(before) => before + shown,
                        None => shown,
                    });
                }
            }
            Ok(None)
        };
        let gradient = subject.walk(None, Seed::One, &rule)?.arrived;
        let at_input = shown((gradient * subject.input()).reshape([1, channels, height, width]));
        let map = match sum.take() {
            Some(biases) => biases + at_input,
            None => at_input,
        };
        Ok(Attribution::new(map.reshape([1, height * width]), 1))
    }
}

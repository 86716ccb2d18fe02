//! RT-Sal, real-time saliency (Dabkowski and Gal 2017): a network that was trained beside the classifier gives the mask
//! of what decides for a class, in one pass.
//!
//! The masker is an ONNX model of its own; `examples/train_fashion_mnist` trains one.

use std::collections::BTreeMap;

use burn::tensor::{Float, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display},
    method::{Cost, Method, Need},
};
use crate::{
    Error, Model, ModelFile, ModelOptions, Result, Score,
    input::{layout::Places, parts::Joined},
    model::{Activation, HostValue, ValueInfo, inspect, value::Ranked},
};

/// RT-Sal.
pub struct RtSal;

/// RT-Sal has no parameters: all of them were those of the masker's training.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl Method for RtSal {
    type Config = Config;
    const NAME: &'static str = "rt_sal";
    const TITLE: &'static str = "RT-Sal";
    const SUMMARY: &'static str = "Asks a second network, trained beside this one, which pixels it takes to keep the class and to lose it.";
    const PAPER: &'static str = "Dabkowski, Gal: Real Time Image Saliency for Black Box Classifiers (2017)";
    const NEEDS: &'static [Need] = &[Need::Masker, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(_: &Config) -> Cost {
        // The masker's pass is none of the classifier's.
        Cost { forward: 0, backward: 0 }
    }

    async fn attribute(subject: &Subject<'_>, _: &Config) -> Result<Attribution> {
        subject.image()?;
        let masker = subject.masker().ok_or_else(|| {
            subject.unsuited(
                "it needs a masking network that was trained for this classifier; attach one \
                 (Explainer::with_masker, --masker, loadModel's masker)",
            )
        })?;
        subject.checkpoint(0, 1, "asking the masker").await?;
        Ok(Attribution::new(subject.mask(masker)?, 1))
    }
}

/// A masking network that was trained for a classifier.
#[derive(Clone)]
pub(crate) struct Masker {
    model: Model,
    /// The input that takes a one for the explained class and zeros for the others, where there is one.
    selector: Option<String>,
    classes: usize,
    pixels: usize,
}

impl Masker {
    /// Loads a masker for `classifier` on its device.
    ///
    /// It takes the classifier's input `[N, C, H, W]` (or `[N, H, W, C]`, as the classifier does) and, optionally, one
    /// number a class `[N, classes]`; it gives one mask `[N, 1, H, W]`, or one for each class `[N, classes, H, W]`, of
    /// values from 0 to 1.
    ///
    /// # Errors
    /// Those of [`Model::load_with`], and [`Error::ModelInvalid`] for a model with other ends.
    pub(crate) fn load(file: &ModelFile<'_>, classifier: &Model) -> Result<Self> {
        let sample = classifier.sample_shape()?;
        let Places { layout, height, width, .. } = classifier.places()?;
        if !layout.is_picture() {
            return Err(unfit("the classifier takes no pictures that could be masked"));
        }
        let classes = classifier.classes();
        let report = inspect(file.bytes)?;
        let takes = |info: &ValueInfo, shape: &[usize]| {
            info.shape.len() == shape.len() + 1
                && info.shape[1..].iter().zip(shape).all(|(size, want)| size.is_none_or(|size| size == *want))
        };
        let (pictures, others): (Vec<_>, Vec<_>) =
            report.inputs.into_iter().partition(|info| takes(info, &sample));
        let picture = match (pictures.as_slice(), others.as_slice()) {
            ([picture], []) => picture,
            ([picture], [other]) if takes(other, &[classes]) => picture,
            _ => {
                return Err(unfit(&format!(
                    "it must take the classifier's pictures, [N, {}], and at most the class besides, [N, {classes}]",
                    sample.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                )));
            }
        };
        let activation = match report.activation {
            Some(Activation::Sigmoid) => Activation::Sigmoid,
            None | Some(Activation::None) => Activation::None,
            Some(Activation::Softmax) => return Err(unfit("it must not end in a softmax")),
        };
        let options = ModelOptions {
            input: Some(picture.name.clone()),
            activation: Some(activation),
            ..Default::default()
        };
        let model = Model::load_with(file, &options, classifier.device())?;
        let (pixels, values) = (height * width, model.classes());
        if values != pixels && values != classes * pixels {
            return Err(unfit(&format!(
                "it must give one mask of {height} x {width} pixels, or one for each of the {classes} classes, and it \
                 gives {values} values"
            )));
        }
        let selector = others.first().map(|other| other.name.clone());
        Ok(Self { model, selector, classes, pixels })
    }

    /// The mask of a class for one picture, `[1, pixels]`.
    pub(in crate::attribution) fn mask(&self, picture: Ranked<Float>, class: usize) -> Result<Tensor<2>> {
        let model = match &self.selector {
            None => self.model.clone(),
            Some(name) => {
                let mut data = vec![0.0; self.classes];
                data[class] = 1.0;
                let selected = HostValue::Float { data, shape: vec![1, self.classes] };
                self.model.with_inputs(BTreeMap::from([(name.clone(), selected)]))?
            }
        };
        let masks = model.scored(model.logits(picture)?, Score::Probability);
        let first = if masks.dims()[1] == self.pixels { 0 } else { class * self.pixels };
        Ok(masks.slice([0..1, first..first + self.pixels]))
    }
}

fn unfit(reason: &str) -> Error {
    Error::invalid_model(format!("as a masker, {reason}"))
}

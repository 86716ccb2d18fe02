//! What the class activation mappings share: which feature maps they look at, and how a sum of feature maps
//! becomes a map of the input.

use burn::tensor::{Float, Tensor, activation};

use super::{Attribution, Subject, upsample};
use crate::{
    Result,
    model::{Score, value::Ranked},
};

/// The feature maps of a layer and the gradient of the score with respect to them, `[1, channels, height, width]`.
pub(super) struct FeatureMaps {
    pub maps: Tensor<4>,
    pub gradient: Tensor<4>,
}

impl FeatureMaps {
    /// Of the node called `layer`, or where that is empty of [`crate::model::GraphInfo::layer`].
    ///
    /// # Errors
    /// [`crate::Error::MethodUnsuited`] for inputs that are no pictures and layers without feature maps, and the
    /// model's error for an unknown layer.
    pub fn new(subject: &Subject<'_>, layer: &str, score: Score) -> Result<Self> {
        subject.image()?;
        let node = match (layer, &subject.model().info().layer) {
            ("", Some(layer)) => layer,
            ("", None) => {
                return Err(subject.unsuited(
                    "no layer of the model leaves a map of more than one position; name one that does",
                ));
            }
            (layer, _) => layer,
        };
        let found = subject.gradient_at(node, subject.input(), &[subject.target()], score)?;
        // Channels that lie last, and tokens, are brought to the same form.
        let view = subject.model().map_view(node);
        let maps = |value: Ranked<Float>| match view {
            Some(view) => view.of(value),
            None => value.get::<4>().filter(|maps| maps.dims()[2..] != [1, 1]),
        };
        match (maps(found.value), maps(found.gradient)) {
            (Some(maps), Some(gradient)) => Ok(Self { maps, gradient }),
            _ => Err(subject.unsuited(&format!(
                "the output of \"{node}\" is no map, [channels, height, width], of more than one position; choose one of \
                 the model's layers"
            ))),
        }
    }
}

/// The positive part of a sum of feature maps `[1, 1, h, w]`, enlarged to the input.
pub(super) fn attribution(subject: &Subject<'_>, sum: Tensor<4>, steps: usize) -> Result<Attribution> {
    let [_, height, width] = subject.image()?;
    let map = upsample::bilinear(activation::relu(sum), [height, width]);
    Ok(Attribution::new(map.reshape([1, height * width]), steps))
}

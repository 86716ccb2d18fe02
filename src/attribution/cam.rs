//! What the class activation mappings share: which feature maps they look at, and how a sum of feature maps
//! becomes a map of the input.

use burn::tensor::{Float, Tensor, activation};

use super::{Attribution, Subject, upsample};
use crate::{
    Result,
    model::{Score, value::Ranked},
};

/// Operators that keep each value of a feature map in its place.
const POINTWISE: &[&str] = &[
    "Add",
    "BatchNormalization",
    "Celu",
    "Clip",
    "Elu",
    "Erf",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Mish",
    "Mul",
    "PRelu",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Tanh",
];

/// The feature maps of a layer and the gradient of the score with respect to them, `[1, channels, height, width]`.
pub(super) struct FeatureMaps {
    pub maps: Tensor<4>,
    pub gradient: Tensor<4>,
}

impl FeatureMaps {
    /// Of the node called `layer`, or where that is empty of the last convolution, after its activation.
    ///
    /// The last convolution that counts is the last whose map has more than one position (some networks gate
    /// channels or classify with convolutions of a single one), and its map is taken behind whatever follows it
    /// value by value: normalisation, activation, the sum with a shortcut. Each convolution of a single position on
    /// the way there costs a gradient more.
    ///
    /// # Errors
    /// [`crate::Error::MethodUnsuited`] for inputs that are no pictures and layers without feature maps, and the
    /// model's error for an unknown layer.
    pub fn new(subject: &Subject<'_>, layer: &str, score: Score) -> Result<Self> {
        subject.image()?;
        let candidates = if layer.is_empty() { last_convolutions(subject) } else { vec![layer.to_owned()] };
        for node in candidates {
            let found = subject.gradient_at(&node, subject.input(), &[subject.target()], score)?;
            let maps = |value: Ranked<Float>| value.get::<4>().filter(|maps| maps.dims()[2..] != [1, 1]);
            if let (Some(maps), Some(gradient)) = (maps(found.value), maps(found.gradient)) {
                return Ok(Self { maps, gradient });
            }
        }
        Err(subject.unsuited(&match layer {
            "" => {
                "no convolution of the model leaves a map of more than one position; name a layer that does"
                    .to_owned()
            }
            _ => format!(
                "the output of \"{layer}\" is no map, [channels, height, width], of more than one position"
            ),
        }))
    }
}

/// The nodes behind the convolutions, the last first.
fn last_convolutions(subject: &Subject<'_>) -> Vec<String> {
    let nodes = subject.model().nodes();
    let convolutions = (0..nodes.len()).rev().filter(|&index| nodes[index].operator.starts_with("Conv"));
    convolutions
        .map(|index| {
            let behind =
                nodes[index + 1..].iter().take_while(|node| POINTWISE.contains(&node.operator.as_str()));
            nodes[index + behind.count()].name.clone()
        })
        .collect()
}

/// The positive part of a sum of feature maps `[1, 1, h, w]`, enlarged to the input.
pub(super) fn attribution(subject: &Subject<'_>, sum: Tensor<4>, steps: usize) -> Result<Attribution> {
    let [_, height, width] = subject.image()?;
    let map = upsample::bilinear(activation::relu(sum), [height, width]);
    Ok(Attribution::new(map.reshape([1, height * width]), steps))
}

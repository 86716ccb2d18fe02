//! What the class activation mappings share: which feature maps they look at, and how a sum of feature maps
//! becomes a map of the input.

use burn::tensor::{Float, Tensor, activation};

use super::{Attribution, Subject, grad_cam::Config, method::End, read, upsample};
use crate::{
    Error, Model, Result,
    model::{Score, value::Ranked},
};

/// The layers of a parameter `layer`: of the one that it names, or else of all that it lists between commas; the model's own
/// where it is empty.
///
/// # Errors
/// [`Error::MethodUnsuited`] for inputs that are no pictures, and where nothing is named and the model has no map.
pub(super) fn layers(subject: &Subject<'_>, named: &str) -> Result<Vec<String>> {
    subject.image()?;
    match (named, &subject.model().info().layer) {
        ("", Some(layer)) => Ok(vec![layer.clone()]),
        ("", None) => Err(subject
            .unsuited("no layer of the model leaves a map of more than one position; name one that does")),
        (named, _) if !named.contains(',') || subject.model().has_value(named) => Ok(vec![named.to_owned()]),
        (named, _) => {
            Ok(named.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
        }
    }
}

/// Where the walk back to the first layer of a parameter `layer` ends; nowhere where [`layers`] finds none.
pub(super) fn first_gradient(named: &str, model: &Model) -> Option<End> {
    let layer = match named {
        "" => model.info().layer.clone()?,
        named if !named.contains(',') || model.has_value(named) => named.to_owned(),
        named => named.split(',').map(str::trim).find(|name| !name.is_empty())?.to_owned(),
    };
    model.info().layout.is_picture().then_some(End::Node(layer))
}

/// The one layer of a parameter `layer`.
///
/// # Errors
/// Those of [`layers`].
pub(super) fn layer(subject: &Subject<'_>, named: &str) -> Result<String> {
    match named {
        "" => layers(subject, named)?.pop().ok_or_else(|| Error::Internal("a model lost its layer".into())),
        named => subject.image().map(|_| named.to_owned()),
    }
}

/// The layers that a parameter `layer` may name at most.
pub(super) fn count(named: &str) -> usize {
    named.split(',').count()
}

/// The map that `combined` makes of the feature maps of each layer and of the score's gradient at them, `[1, 1, h, w]`.
pub(super) async fn explain(
    subject: &Subject<'_>,
    config: &Config,
    combined: impl Fn(FeatureMaps) -> Tensor<4>,
) -> Result<Attribution> {
    let layers = layers(subject, &config.layer)?;
    let mut sums = Vec::with_capacity(layers.len());
    for (done, layer) in layers.iter().enumerate() {
        subject.checkpoint(done, layers.len(), "gradient at a layer").await?;
        sums.push(combined(FeatureMaps::of(subject, layer, config.score)?));
    }
    attribution(subject, sums, layers.len())
}

/// A quotient; zero where there is nothing to divide by.
pub(super) fn quotient<const D: usize>(numerator: Tensor<D>, denominator: Tensor<D>) -> Tensor<D> {
    let none = denominator.clone().equal_elem(0.0);
    (numerator / denominator.mask_fill(none.clone(), 1.0)).mask_fill(none, 0.0)
}

/// The feature maps of a layer and the gradient of the score with respect to them, `[1, channels, height, width]`.
pub(super) struct FeatureMaps {
    pub maps: Tensor<4>,
    pub gradient: Tensor<4>,
}

impl FeatureMaps {
    /// Of the node called `node`.
    ///
    /// # Errors
    /// [`Error::MethodUnsuited`] for layers without feature maps, and the model's error for an unknown layer.
    pub fn of(subject: &Subject<'_>, node: &str, score: Score) -> Result<Self> {
        Self::towards(subject, node, subject.target(), score)
    }

    /// The same with the gradient of the score of another class.
    pub fn towards(subject: &Subject<'_>, node: &str, class: usize, score: Score) -> Result<Self> {
        let found = subject.gradient_at_here(node, class, score)?;
        match (viewed(subject, node, found.value), viewed(subject, node, found.gradient)) {
            (Some(maps), Some(gradient)) => Ok(Self { maps, gradient }),
            _ => Err(no_map(subject, node)),
        }
    }
}

/// The value of a node as a map, `[1, channels, height, width]`: channels that lie last, and tokens, are brought to this form.
pub(super) fn viewed(subject: &Subject<'_>, node: &str, value: Ranked<Float>) -> Option<Tensor<4>> {
    match subject.model().map_view(node) {
        Some(view) => view.of(value),
        None => value.get::<4>().filter(|maps| maps.dims()[2..] != [1, 1]),
    }
}

/// The error for a node whose value is no map.
pub(super) fn no_map(subject: &Subject<'_>, node: &str) -> Error {
    subject.unsuited(&format!(
        "the output of \"{node}\" is no map, [channels, height, width], of more than one position; choose one of the \
         model's layers"
    ))
}

/// The positive part of a sum of feature maps `[1, 1, h, w]`, enlarged to the input; of several layers the mean, each from 0
/// to 1 so that none drowns the others.
pub(super) fn attribution(subject: &Subject<'_>, sums: Vec<Tensor<4>>, steps: usize) -> Result<Attribution> {
    let [_, height, width] = subject.image()?;
    let count = sums.len();
    let mut maps = sums.into_iter().map(|sum| {
        let sum = activation::relu(sum);
        upsample::bilinear(if count > 1 { stretched(sum) } else { sum }, [height, width])
    });
    let first =
        maps.next().ok_or_else(|| Error::Internal("a class activation mapping without a layer".into()))?;
    let map = maps.fold(first, |sum, map| sum + map) / count as f32;
    Ok(Attribution::new(map.reshape([1, height * width]), steps))
}

/// Each map from 0 to 1. What is even becomes 0.
pub(super) fn stretched(maps: Tensor<4>) -> Tensor<4> {
    let least = |maps: Tensor<4>| maps.min_dim(3).min_dim(2);
    let maps = maps.clone() - least(maps);
    let most = maps.clone().max_dim(3).max_dim(2);
    maps / (most + NOTHING)
}

/// What keeps an even map from a division by zero (pytorch-grad-cam's `scale_cam_image`).
const NOTHING: f32 = 1e-7;

/// The numbers of the `limit` channels of the largest variance, in their order; nothing where there are no more.
pub(super) async fn most_varying(maps: &Tensor<4>, limit: usize) -> Result<Option<Vec<usize>>> {
    let [_, count, height, width] = maps.dims();
    if count <= limit {
        return Ok(None);
    }
    let variances = read(maps.clone().reshape([count, height * width]).var(1).reshape([count])).await?;
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| variances[b].total_cmp(&variances[a]));
    order.truncate(limit);
    order.sort_unstable();
    Ok(Some(order))
}

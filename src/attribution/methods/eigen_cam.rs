//! Eigen-CAM (Muhammad, Yeasin 2020, section III): what most of a layer's feature maps have in common.
//!
//! The maps are a matrix, a row for each place and a column for each channel; shown is its projection on the first right
//! singular vector. What singular vectors leave open is their sign: here the projection rises where the sum over the
//! channels does.

use burn::tensor::{Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    method::{Cost, End, Method, Need},
    read,
};
use crate::{Model, Result, input::parts::Joined, model::Score};

/// Eigen-CAM.
pub struct EigenCam;

/// Parameters of Eigen-CAM.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the node whose output is looked at, or of that output; where none is named, the last convolution
    /// with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1.
    #[schemars(extend("format" = "layer"))]
    pub layer: String,
    /// Takes the mean off each channel first, as pytorch-grad-cam does; the paper does not.
    pub centred: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { layer: String::new(), centred: true }
    }
}

impl Method for EigenCam {
    type Config = Config;
    const NAME: &'static str = "eigen_cam";
    const TITLE: &'static str = "Eigen-CAM";
    const SUMMARY: &'static str = "Shows what most of the last feature maps have in common. It is the same for every class: it says what the network looks at, not for what.";
    const PAPER: &'static str =
        "Muhammad, Yeasin: Eigen-CAM: Class Activation Map using Principal Components (2020)";
    const NEEDS: &'static [Need] = &[Need::Predictions, Need::Activations, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(config: &Config) -> Cost {
        let layers = cam::count(&config.layer);
        Cost { forward: layers - 1, backward: layers }
    }

    fn first_gradient(config: &Config, model: &Model) -> Option<End> {
        cam::first_gradient(&config.layer, model)
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        explain(subject, &config.layer, Score::Logit, config.centred, |found| found.maps).await
    }
}

/// The projections of what `looked_at` makes of the feature maps of each layer.
pub(super) async fn explain(
    subject: &Subject<'_>,
    layer: &str,
    score: Score,
    centred: bool,
    looked_at: impl Fn(FeatureMaps) -> Tensor<4>,
) -> Result<Attribution> {
    let layers = cam::layers(subject, layer)?;
    let mut sums = Vec::with_capacity(layers.len());
    for (done, layer) in layers.iter().enumerate() {
        subject.checkpoint(done, layers.len(), "feature maps of a layer").await?;
        let maps = looked_at(FeatureMaps::of(subject, layer, score)?);
        let [_, channels, height, width] = maps.dims();
        // All that leaves the device are the maps of one layer, for the singular vector in 64 bits.
        let values = read(maps.clone().reshape([channels * height * width])).await?;
        let Some(projected) = projection(&values, channels, centred) else {
            return Err(subject.unsuited(
                "two directions of its feature maps explain as much as one another, so that none is the first; another \
                 layer may have one",
            ));
        };
        let data = TensorData::new(projected, [1, 1, height, width]);
        sums.push(Tensor::<4>::from_data(data, &maps.device()));
    }
    cam::attribution(subject, sums, layers.len())
}

/// Steps of the power iteration at most, and what the vector may still move in one.
const MOST_STEPS: usize = 20_000;
const STILL: f64 = 1e-9;
/// How near the second largest eigenvalue may come to the largest.
const RIVAL: f64 = 1.0 - 1e-5;

/// The projection of maps, channel after channel, on the first right singular vector of the matrix of places and channels
/// (Eigen-CAM section III); nothing where the largest singular value has no rival far enough below it.
fn projection(maps: &[f32], channels: usize, centred: bool) -> Option<Vec<f32>> {
    let places = maps.len() / channels;
    let mut rows: Vec<Vec<f64>> =
        maps.chunks_exact(places).map(|map| map.iter().map(|&value| value.into()).collect()).collect();
    if centred {
        for row in &mut rows {
            let mean = row.iter().sum::<f64>() / places as f64;
            row.iter_mut().for_each(|value| *value -= mean);
        }
    }
    // Of rows or of columns, whichever are fewer, all products with each other: the vector that they share out is
    // the singular vector of channels, or that of places, of which the projection is a multiple.
    let by_channels = channels <= places;
    let vectors: Vec<Vec<f64>> = match by_channels {
        true => rows.clone(),
        false => (0..places).map(|place| rows.iter().map(|row| row[place]).collect()).collect(),
    };
    let products: Vec<Vec<f64>> =
        vectors.iter().map(|a| vectors.iter().map(|b| dot(a, b)).collect()).collect();
    if products.iter().enumerate().all(|(index, row)| row[index] <= 0.0) {
        return Some(vec![0.0; places]);
    }
    let leading = leading(&products)?;
    let mut projected: Vec<f64> = match by_channels {
        true => (0..places)
            .map(|place| rows.iter().zip(&leading).map(|(row, weight)| row[place] * weight).sum())
            .collect(),
        false => {
            let through = products.iter().map(|row| dot(row, &leading));
            let size = through.zip(&leading).map(|(row, place)| row * place).sum::<f64>().max(0.0).sqrt();
            leading.iter().map(|place| place * size).collect()
        }
    };
    // The sign: the projection rises with the sum over the channels.
    let total = |place: usize| rows.iter().map(|row| row[place]).sum::<f64>();
    let along: f64 = projected.iter().enumerate().map(|(place, value)| value * total(place)).sum();
    if along < 0.0 {
        projected.iter_mut().for_each(|value| *value = -*value);
    }
    Some(projected.into_iter().map(|value| value as f32).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The eigenvector of the largest eigenvalue of a matrix of inner products, by power iteration.
fn leading(products: &[Vec<f64>]) -> Option<Vec<f64>> {
    let unit = |vector: Vec<f64>| {
        let size = dot(&vector, &vector).sqrt();
        (size > 0.0).then(|| vector.into_iter().map(|value| value / size).collect::<Vec<f64>>())
    };
    let times = |vector: &[f64]| products.iter().map(|row| dot(row, vector)).collect::<Vec<f64>>();
    // A start that no regular pattern is at right angles to: multiples of the golden ratio.
    let start = |offset: f64| {
        let part = |index: usize| (index as f64).mul_add(0.618_033_988_749_895, offset).fract();
        (0..products.len()).map(|index| 0.5 + part(index)).collect::<Vec<f64>>()
    };
    let mut first = unit(start(0.0))?;
    let mut steps = 0;
    loop {
        let next = unit(times(&first))?;
        let moved = next.iter().zip(&first).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        first = next;
        steps += 1;
        if moved < STILL {
            break;
        }
        if steps == MOST_STEPS {
            return None;
        }
    }
    // What is at right angles to it must grow less.
    let beside = |vector: Vec<f64>| {
        let along = dot(&vector, &first);
        unit(vector.iter().zip(&first).map(|(value, first)| value - along * first).collect())
    };
    let most = dot(&times(&first), &first);
    let Some(mut second) = beside(start(0.3)) else { return Some(first) };
    for _ in 0..100 {
        match beside(times(&second)) {
            Some(next) => second = next,
            None => return Some(first),
        }
    }
    (dot(&times(&second), &second) < RIVAL * most).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f32], expected: &[f32]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
    }

    /// Two channels of three places and three channels of two: numpy.linalg.svd of the matrices and of the centred ones.
    #[test]
    fn the_first_singular_vector_is_found_whichever_side_is_shorter() {
        let wide = [1.0, 2.0, 3.0, 0.5, -1.0, 4.0];
        near(&projection(&wide, 2, false).unwrap(), &[1.030_42, 0.542_326, 4.989_401]);
        near(&projection(&wide, 2, true).unwrap(), &[-0.917_036, -2.082_305, 2.999_341]);
        let tall = [1.0, 2.0, 3.0, 0.5, -1.0, 4.0];
        near(&projection(&tall, 3, false).unwrap(), &[-0.242_346, 4.496_467]);
        near(&projection(&tall, 3, true).unwrap(), &[-2.839_454, 2.839_454]);
    }

    #[test]
    fn maps_that_are_even_have_nothing_and_rivals_of_one_size_no_first() {
        assert_eq!(projection(&[3.0; 6], 2, true).unwrap(), [0.0; 3]);
        assert_eq!(projection(&[1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0], 2, false), None);
        assert!(projection(&[1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, -0.9], 2, false).is_some());
    }
}

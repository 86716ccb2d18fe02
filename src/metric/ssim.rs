//! Structural similarity of two maps (Wang et al. 2004; Adebayo et al. 2018 for sanity checks).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
};
use crate::{
    Result,
    filter::{self, Edge},
};

/// Structural similarity.
pub struct Ssim;

/// It has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// Standard deviation of the window in pixels, cut off at 3.5 of it: 11 pixels a side.
const SIGMA: f64 = 1.5;
const RADIUS: usize = 5;
/// Pixels a side that a picture must have more of.
pub(super) const WINDOW: usize = 2 * RADIUS;
const K1: f64 = 0.01;
const K2: f64 = 0.03;

impl Metric for Ssim {
    type Config = Config;
    const NAME: &'static str = "ssim";
    const TITLE: &'static str = "Structural similarity";
    const SUMMARY: &'static str =
        "Whether two maps look alike, each brought to the range from 0 to 1 first: 1 the same.";
    const PAPER: &'static str = "Wang, Bovik, Sheikh, Simoncelli: Image Quality Assessment (2004)";
    const NEEDS: &'static [Need] = &[Need::Image, Need::Reference];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "none";

    async fn measure(assessment: &Assessment<'_>, _: &Config) -> Result<Finding> {
        let [_, height, width] = assessment.image()?;
        if height.min(width) <= WINDOW {
            return Err(assessment.unsuited("the picture is smaller than the window of 11 pixels"));
        }
        let other = assessment.aggregate(assessment.reference()?);
        Ok(Finding::new(similarity(&assessment.pixels(), &other, height, width)))
    }
}

/// The mean structural similarity of two pictures, where windows that reach over the edge do not count.
pub(super) fn similarity(a: &[f64], b: &[f64], height: usize, width: usize) -> f64 {
    let kernel = filter::gaussian(RADIUS, SIGMA);
    // In windows, mean(a * b) - mean(a) * mean(b) loses digits, so the blur must keep all of them.
    let mean = |values: Vec<f64>| filter::blur_plane(&values, height, width, &kernel, Edge::Mirror);
    let (a, b) = (unit(a), unit(b));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f64>>();
    let (aa, bb, ab) = (mean(product(&a, &a)), mean(product(&b, &b)), mean(product(&a, &b)));
    let (a, b) = (mean(a), mean(b));
    let (c1, c2) = (K1 * K1, K2 * K2);
    let at = |i: usize| {
        let (vaa, vbb, vab) = (aa[i] - a[i] * a[i], bb[i] - b[i] * b[i], ab[i] - a[i] * b[i]);
        (2.0 * a[i] * b[i] + c1) * (2.0 * vab + c2) / ((a[i] * a[i] + b[i] * b[i] + c1) * (vaa + vbb + c2))
    };
    let inside = (RADIUS..height - RADIUS)
        .flat_map(|row| (RADIUS..width - RADIUS).map(move |column| row * width + column));
    let count = (height - WINDOW) * (width - WINDOW);
    inside.map(at).sum::<f64>() / count as f64
}

/// Brought to the range from 0 to 1; a constant map to 0.
fn unit(values: &[f64]) -> Vec<f64> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = high - low;
    values.iter().map(|value| if width > 0.0 { (value - low) / width } else { 0.0 }).collect()
}

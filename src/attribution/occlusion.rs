//! Occlusion (Zeiler and Fergus 2014), by Captum's definition: a window slides over the picture, and each pixel gets the
//! mean drop of the score of all windows that cover it. What is no picture is covered segment by segment.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    display::{Channels, Display},
    hidden::{Blank, Samples},
    partition::{MOST_TO_FIT, Partition, fitted, too_many},
    registry::{Cost, Method, Need},
};
use crate::{Error, Result, model::Score};

pub(super) struct Occlusion;

/// Parameters of occlusion.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// Side of the window in pixels. Sounds, tokens and tables are covered a segment at a time instead, as AXAI's
    /// `segmentation` auto cuts them; and so is whatever segments are given for.
    #[schemars(range(min = 1, max = 1000))]
    window: usize,
    /// Pixels from one window to the next, no more than the window's side.
    #[schemars(range(min = 1, max = 1000))]
    stride: usize,
    /// What is shown in the window.
    hidden: Blank,
    /// The score whose drop is measured.
    score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { window: 15, stride: 8, hidden: Blank::TrainingMean, score: Score::Probability }
    }
}

impl Method for Occlusion {
    type Config = Config;
    const NAME: &'static str = "occlusion";
    const TITLE: &'static str = "Occlusion";
    const SUMMARY: &'static str =
        "Slides a blank window over the picture and shows where the score drops when it is covered.";
    const PAPER: &'static str = "Zeiler, Fergus: Visualizing and Understanding Convolutional Networks (2014)";
    const NEEDS: &'static [Need] = &[Need::Predictions, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 50.0, high: 99.0 };
    const ANYTIME: Anytime = Anytime::Shows;

    /// Counted for a picture of 224 pixels a side.
    fn cost(config: &Config) -> Cost {
        Cost { forward: starts(224, config).len().pow(2) + 1, backward: 0 }
    }

    /// Known tensor to give: `segments`.
    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        if subject.given("segments").is_some() || !subject.places().layout.is_picture() {
            return segment_by_segment(subject, config).await;
        }
        let [channels, height, width] = subject.image()?;
        let fault = |name: &str, reason: String| Error::ParameterInvalid {
            method: Self::NAME.into(),
            name: name.into(),
            reason,
        };
        if config.window > height.min(width) {
            return Err(fault(
                "window",
                format!("it is larger than the picture of {height} x {width} pixels"),
            ));
        }
        if config.stride > config.window {
            return Err(fault("stride", "it is larger than the window, so that pixels are left out".into()));
        }
        let pixels = height * width;
        let (x, blank) = (subject.input(), config.hidden.picture(subject)?);
        let whole = subject.scores(subject.logits(x.clone())?, config.score);
        let (rows, columns) = (starts(height, config), starts(width, config));
        let windows: Vec<(usize, usize)> =
            rows.iter().flat_map(|&row| columns.iter().map(move |&column| (row, column))).collect();
        // What no window has covered yet counts for nothing yet.
        let map = |sum: &Tensor<2>, count: &[f32]| {
            let covered = count.iter().map(|count| count.max(1.0)).collect();
            sum.clone() / subject.tensor(covered, [1, pixels])
        };
        let (mut sum, mut count) = (Tensor::zeros([1, pixels], &x.device()), vec![0.0f32; pixels]);
        for (index, chunk) in windows.chunks(subject.batch_limit()).enumerate() {
            subject.checkpoint(index * subject.batch_limit(), windows.len(), "covering the picture").await?;
            let mut covered = vec![0.0; chunk.len() * pixels];
            for (&(row, column), covered) in chunk.iter().zip(covered.chunks_exact_mut(pixels)) {
                for y in row..(row + config.window).min(height) {
                    for x in column..(column + config.window).min(width) {
                        covered[y * width + x] = 1.0;
                        count[y * width + x] += 1.0;
                    }
                }
            }
            let covered = subject.tensor(covered, [chunk.len(), pixels]);
            let wide = covered.clone().reshape([chunk.len(), 1, pixels]).repeat_dim(1, channels);
            let points =
                x.clone() + (blank.clone() - x.clone()) * wide.reshape([chunk.len(), channels * pixels]);
            let score = subject.scores(subject.logits(points)?, config.score);
            let drop = (whole.clone() - score).reshape([1, chunk.len()]);
            sum = sum + drop.matmul(covered);
            let done = (index * subject.batch_limit() + chunk.len()).min(windows.len());
            subject.so_far(done, windows.len(), || map(&sum, &count)).await?;
        }
        Ok(Attribution::new(map(&sum, &count), windows.len() + 1))
    }
}

/// The drop of the score when a segment is covered, one after the other (Captum's feature ablation).
async fn segment_by_segment(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
    let segments = Partition::default().cut(subject).await?;
    let n = segments.count;
    if n > MOST_TO_FIT {
        return Err(too_many(subject, n));
    }
    // The first sample shows everything, each other one all but a segment.
    let shown = (0..(n + 1) * n).map(|i| if i % n + 1 == i / n { 0.0 } else { 1.0 }).collect();
    let samples = Samples { shown, segments: n };
    let scores = samples.scores(subject, &segments, config.hidden.into(), config.score).await?;
    let drops = scores[1..].iter().map(|score| scores[0] - score).collect();
    Ok(fitted(subject, segments, drops, n, n + 1))
}

/// Where the windows start along a side of `size` pixels; the last may reach over the edge.
fn starts(size: usize, config: &Config) -> Vec<usize> {
    let steps = size.saturating_sub(config.window).div_ceil(config.stride);
    (0..=steps).map(|step| step * config.stride).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_pixel() {
        let config = Config { window: 4, stride: 3, ..Config::default() };
        assert_eq!(starts(10, &config), [0, 3, 6]);
        assert_eq!(starts(11, &config), [0, 3, 6, 9]);
        assert_eq!(starts(4, &config), [0]);
    }
}

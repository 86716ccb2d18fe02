//! Occlusion (Zeiler and Fergus 2014), by Captum's definition: a window slides over the picture, and each pixel gets the
//! mean drop of the score of all windows that cover it. What is no picture is covered segment by segment.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    baseline::{BASELINE, BLANKS, Baseline},
    display::{Channels, Display},
    hidden::Samples,
    method::{Cost, Given, Method, Need},
    partition::{MOST_TO_FIT, Partition, SEGMENTS, fitted, too_many},
    scaled,
};
use crate::{Result, model::Score};

/// Occlusion.
pub struct Occlusion;

/// Parameters of occlusion.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Side of the window in pixels. Left out: 15 for pictures of 224 pixels a side and more, in proportion for smaller
    /// ones. Sounds, tokens and tables are covered a segment at a time instead, as AXAI's `segmentation` auto cuts them;
    /// and so is whatever segments are given for.
    #[schemars(range(min = 1, max = 1000))]
    pub window: Option<usize>,
    /// Pixels from one window to the next, no more than the window's side. Left out: half of that; where the window is left
    /// out too, 8 for pictures of 224 pixels a side and more, and no more windows along a smaller side. Where the window
    /// alone is left out, any larger number sets the windows side by side.
    #[schemars(range(min = 1, max = 1000))]
    pub stride: Option<usize>,
    /// What is shown in the window, or in place of the covered segment.
    #[schemars(extend("choices" = BLANKS))]
    pub hidden: Baseline,
    /// The score whose drop is measured.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { window: None, stride: None, hidden: Baseline::Auto, score: Score::Probability }
    }
}

/// The paper's way to look on a picture of 224 pixels a side.
const WINDOW: usize = 15;

impl Config {
    /// Side of the window and distance of the windows on a picture whose shorter side has `side` pixels.
    fn windows(&self, side: usize) -> (usize, usize) {
        let window = self.window.unwrap_or_else(|| scaled(WINDOW, side));
        let stride = match (self.stride, self.window) {
            // The paper's 8 pixels: no more windows along a smaller side than the 28 that it takes there.
            (None, None) => (side.min(224) - window).div_ceil(27).clamp(1, window),
            (None, Some(_)) => window.div_ceil(2),
            (Some(stride), None) => stride.min(window),
            (Some(stride), Some(_)) => stride,
        };
        (window, stride)
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
    const GIVEN: &'static [Given] = &[SEGMENTS, BASELINE];

    /// Counted for a picture of 224 pixels a side.
    fn cost(config: &Config) -> Cost {
        let (window, stride) = config.windows(224);
        Cost { forward: starts(224, window, stride).len().pow(2), backward: 0 }
    }

    /// Windows side by side.
    fn quick() -> Config {
        Config { stride: Some(WINDOW), ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        if subject.given("segments").is_some() || !subject.places().layout.is_picture() {
            return segment_by_segment(subject, config).await;
        }
        let [channels, height, width] = subject.image()?;
        let (window, stride) = config.windows(height.min(width));
        if window > height.min(width) {
            let reason = format!("it is larger than the picture of {height} x {width} pixels");
            return Err(subject.parameter_invalid("window", &reason));
        }
        if stride > window {
            let reason = "it is larger than the window, so that pixels are left out";
            return Err(subject.parameter_invalid("stride", reason));
        }
        subject.decided("window", window);
        subject.decided("stride", stride);
        let pixels = height * width;
        let (x, blank) = (subject.input(), config.hidden.cover(subject, None)?);
        let whole = subject.scores(subject.clean(), config.score);
        let (rows, columns) = (starts(height, window, stride), starts(width, window, stride));
        let windows: Vec<(usize, usize)> =
            rows.iter().flat_map(|&row| columns.iter().map(move |&column| (row, column))).collect();
        // What no window has covered yet counts for nothing yet.
        let map = |sum: &Tensor<2>, count: &[f32]| {
            let covered = count.iter().map(|count| count.max(1.0)).collect();
            sum.clone() / subject.tensor(covered, [1, pixels])
        };
        let (mut sum, mut count) = (Tensor::zeros([1, pixels], &x.device()), vec![0.0f32; pixels]);
        let mut batches = subject.batches(windows.len(), "covering the picture");
        while let Some(rows) = batches.next().await? {
            let chunk = &windows[rows];
            let mut covered = vec![0.0; chunk.len() * pixels];
            for (&(row, column), covered) in chunk.iter().zip(covered.chunks_exact_mut(pixels)) {
                for y in row..(row + window).min(height) {
                    for x in column..(column + window).min(width) {
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
            batches.so_far(|| map(&sum, &count)).await?;
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
    let hidden = config.hidden.cover(subject, None)?;
    let scores = samples.scores(subject, &segments, hidden, config.score).await?;
    let drops = scores[1..].iter().map(|score| scores[0] - score).collect();
    Ok(fitted(subject, segments, drops, n, n + 1))
}

/// Where the windows start along a side of `size` pixels; the last may reach over the edge.
fn starts(size: usize, window: usize, stride: usize) -> Vec<usize> {
    let steps = size.saturating_sub(window).div_ceil(stride);
    (0..=steps).map(|step| step * stride).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_pixel() {
        assert_eq!(starts(10, 4, 3), [0, 3, 6]);
        assert_eq!(starts(11, 4, 3), [0, 3, 6, 9]);
        assert_eq!(starts(4, 4, 3), [0]);
    }

    #[test]
    fn windows_follow_the_picture_where_nobody_says_otherwise() {
        let windows = |window, stride, side| Config { window, stride, ..Config::default() }.windows(side);
        assert_eq!(windows(None, None, 224), (15, 8), "the paper's");
        assert_eq!(windows(None, None, 500), (15, 8));
        assert_eq!(windows(None, None, 32), (2, 2));
        assert_eq!(windows(None, None, 28), (2, 1));
        assert_eq!(windows(None, None, 4), (1, 1));
        assert_eq!(windows(Some(9), None, 32), (9, 5));
        assert_eq!(windows(None, Some(15), 224), (15, 15));
        assert_eq!(windows(None, Some(15), 32), (2, 2), "side by side");
        assert_eq!(windows(Some(9), Some(12), 32), (9, 12), "what is said is kept");
    }
}

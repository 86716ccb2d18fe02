//! RISE (Petsiuk, Das, Saenko 2018): the mean of many random soft masks, each weighted with what the network says of the
//! picture behind it.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    baseline::{BASELINE, behind, given_or, zeros},
    display::{Channels, Display},
    method::{Cost, Given, Method, Need},
    partition::{Partition, SEGMENTS},
};
use crate::{
    Error, Result,
    input::{layout::Places, parts::Joined},
    model::Score,
    segment::Segments,
};

/// RISE.
pub struct Rise;

/// Parameters of RISE.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Random masks.
    #[schemars(range(min = 1, max = 100000))]
    pub samples: usize,
    /// Cells of a mask along each side of a picture. The cells of sounds, tokens and tables, which have no neighbours to
    /// shade off to, are their segments as AXAI's `segmentation` auto cuts them; and so are segments that are given.
    #[schemars(range(min = 2, max = 100))]
    pub grid: usize,
    /// Probability that a cell is shown.
    #[schemars(range(min = 0.001, max = 1.0))]
    pub probability: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { samples: 6000, grid: 8, probability: 0.1 }
    }
}

impl Method for Rise {
    type Config = Config;
    const NAME: &'static str = "rise";
    const TITLE: &'static str = "RISE";
    const SUMMARY: &'static str = "Shows the network thousands of randomly masked copies and averages the masks by its answers. It needs the answers alone, and time.";
    const PAPER: &'static str =
        "Petsiuk, Das, Saenko: RISE: Randomized Input Sampling for Explanation of Black-box Models (2018)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;
    const ANYTIME: Anytime = Anytime::Settles;
    const GIVEN: &'static [Given] = &[GRIDS, SHIFTS, MASKS, SEGMENTS, BASELINE];

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.samples, backward: 0 }
    }

    fn quick() -> Config {
        Config { samples: 500, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let &Places { height, width, layout, .. } = subject.places();
        let by_segments = subject.given("segments").is_some() || !layout.is_picture();
        let masks = if by_segments && subject.given("masks").is_none() {
            Masks::of_segments(subject, config).await?
        } else {
            Masks::new(subject, config, height, width)?
        };
        let score = |points| Ok(subject.scores(subject.logits(points)?, Score::Probability));
        masked_mean(subject, &masks, config.probability, "asking about masked inputs", score).await
    }
}

/// The mean of the masks, each weighted with what `weight` says of the picture behind it, over the probability that a place is shown.
pub(super) async fn masked_mean(
    subject: &Subject<'_>,
    masks: &Masks<'_>,
    probability: f32,
    stage: &'static str,
    weight: impl Fn(Tensor<2>) -> Result<Tensor<1>>,
) -> Result<Attribution> {
    let &Places { channels, height, width, .. } = subject.places();
    let pixels = height * width;
    let x = subject.input();
    let blank = given_or(subject, zeros(subject))?;
    let mut sum = Tensor::zeros([1, pixels], &x.device());
    let mut batches = subject.batches(masks.count(pixels), stage);
    while let Some(Range { start, end }) = batches.next().await? {
        let rows = end - start;
        let masks = masks.rows(subject, start, rows, height, width);
        let wide = masks.clone().reshape([rows, 1, pixels]).repeat_dim(1, channels);
        let points = behind(x.clone(), wide.reshape([rows, channels * pixels]), blank.clone());
        sum = sum + weight(points)?.reshape([1, rows]).matmul(masks);
        let map = || sum.clone() / (end as f32 * probability);
        if batches.so_far(map).await? {
            break;
        }
    }
    let done = batches.done();
    Ok(Attribution::new(sum / (done as f32 * probability), done))
}

/// What may be given in place of the masks that are drawn.
pub(super) const GRIDS: Given = Given {
    name: "grids",
    description: "`[count, grid, grid]`, 1 for a cell that is shown and 0 for one that is hidden; with `shifts`",
};
pub(super) const SHIFTS: Given =
    Given { name: "shifts", description: "`[count, 2]`, the rows and columns by which each mask is shifted" };
pub(super) const MASKS: Given = Given {
    name: "masks",
    description: "`[count, 1, height, width]`, what each sample shows of every pixel, 0 to 1",
};

/// The random masks: small grids that are enlarged when their turn comes, or masks as they were given.
pub(super) enum Masks<'a> {
    Grids { grids: Vec<f32>, shifts: Vec<[usize; 2]>, side: usize },
    Segments { shown: Vec<f32>, segments: Segments },
    Whole(&'a [f32]),
}

impl<'a> Masks<'a> {
    pub(super) fn new(subject: &'a Subject<'_>, config: &Config, height: usize, width: usize) -> Result<Self> {
        let invalid = |name: &str, shape: &str| {
            Err(Error::InputInvalid(format!("The given tensor \"{name}\" must be of shape {shape}.")))
        };
        if let Some(masks) = subject.given("masks") {
            if !masks.data.len().is_multiple_of(height * width) {
                return invalid("masks", &format!("[count, 1, {height}, {width}]"));
            }
            return Ok(Self::Whole(&masks.data));
        }
        let side = config.grid;
        let cells = [height.div_ceil(side), width.div_ceil(side)];
        if let (Some(grids), Some(shifts)) = (subject.given("grids"), subject.given("shifts")) {
            let count = shifts.data.len() / 2;
            if grids.data.len() != count * side * side {
                return invalid("grids", &format!("[count, {side}, {side}], as many as there are shifts"));
            }
            let within =
                |shift: &[f32]| (0..2).all(|axis| shift[axis] >= 0.0 && shift[axis] < cells[axis] as f32);
            if !shifts.data.chunks_exact(2).all(within) {
                return invalid("shifts", &format!("[count, 2], with values below {cells:?}"));
            }
            let shifts =
                shifts.data.chunks_exact(2).map(|shift| [shift[0] as usize, shift[1] as usize]).collect();
            return Ok(Self::Grids { grids: grids.data.clone(), shifts, side });
        }
        for (name, other) in [("grids", "shifts"), ("shifts", "grids")] {
            if subject.given(name).is_some() {
                let reason = format!("it goes with \"{other}\": give both");
                return Err(subject.parameter_invalid(&format!("given.{name}"), &reason));
            }
        }
        let mut random = subject.random();
        let cell =
            |random: &mut rand_chacha::ChaCha8Rng| f32::from(random.random::<f32>() < config.probability);
        let grids = (0..config.samples * side * side).map(|_| cell(&mut random)).collect();
        let shifts = (0..config.samples).map(|_| cells.map(|size| random.random_range(0..size))).collect();
        Ok(Self::Grids { grids, shifts, side })
    }

    /// Masks that show each segment or none of it.
    async fn of_segments(subject: &Subject<'_>, config: &Config) -> Result<Self> {
        let segments = Partition::default().cut(subject).await?;
        let mut random = subject.random();
        let cell = |_| f32::from(random.random::<f32>() < config.probability);
        let shown = (0..config.samples * segments.count).map(cell).collect();
        Ok(Self::Segments { shown, segments })
    }

    fn count(&self, pixels: usize) -> usize {
        match self {
            Self::Segments { shown, segments } => shown.len() / segments.count,
            Self::Grids { shifts, .. } => shifts.len(),
            Self::Whole(masks) => masks.len() / pixels,
        }
    }

    /// Masks number `start` to `start + count`, `[count, pixels]`.
    fn rows(
        &self,
        subject: &Subject<'_>,
        start: usize,
        count: usize,
        height: usize,
        width: usize,
    ) -> Tensor<2> {
        let pixels = height * width;
        match self {
            Self::Whole(masks) => {
                subject.tensor(masks[start * pixels..(start + count) * pixels].to_vec(), [count, pixels])
            }
            Self::Segments { shown, segments } => {
                let shown = shown[start * segments.count..(start + count) * segments.count].to_vec();
                let labels: Vec<i64> = segments.labels.iter().map(|&label| label.into()).collect();
                let labels = Tensor::<1, Int>::from_data(labels.as_slice(), &subject.input().device());
                subject.tensor(shown, [count, segments.count]).select(1, labels)
            }
            Self::Grids { grids, shifts, side } => {
                let device = subject.input().device();
                let stack = |values: Vec<f32>, rows, columns| {
                    Tensor::<3>::from_data(TensorData::new(values, [count, rows, columns]), &device)
                };
                let shifts = &shifts[start..start + count];
                let down = shifts.iter().flat_map(|shift| enlarge(*side, height, shift[0])).collect();
                let right = shifts.iter().flat_map(|shift| enlarge(*side, width, shift[1])).collect();
                let cells = side * side;
                let grids = stack(grids[start * cells..(start + count) * cells].to_vec(), *side, *side);
                let (down, right) = (stack(down, height, *side), stack(right, width, *side));
                down.matmul(grids).matmul(right.swap_dims(1, 2)).reshape([count, pixels])
            }
        }
    }
}

/// Bilinear interpolation of `side` cells to `size` pixels from pixel `shift` on of the enlarged mask, which is one cell
/// larger than the picture: a matrix `[size, side]`. Beyond the middle of an outer cell it mirrors, as the authors'
/// program does (`skimage.transform.resize` with `mode="reflect"`).
fn enlarge(side: usize, size: usize, shift: usize) -> Vec<f32> {
    let enlarged = (side + 1) * size.div_ceil(side);
    let mut matrix = vec![0.0; size * side];
    let last = (side - 1) as f64;
    for (pixel, weights) in matrix.chunks_exact_mut(side).enumerate() {
        let position = ((pixel + shift) as f64 + 0.5) * side as f64 / enlarged as f64 - 0.5;
        let position = position.abs();
        let position = if position > last { 2.0 * last - position } else { position };
        let (cell, part) = (position.floor() as usize, position.fract());
        weights[cell] += (1.0 - part) as f32;
        if part > 0.0 {
            weights[cell + 1] += part as f32;
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_is_a_mean_of_cells() {
        for (side, size, shift) in [(8, 224, 0), (8, 227, 28), (2, 5, 1)] {
            for weights in enlarge(side, size, shift).chunks_exact(side) {
                assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                assert!(weights.iter().all(|&weight| weight >= 0.0));
            }
        }
    }
}

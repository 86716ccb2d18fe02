//! The pixel games that share their rules: pixels change from one picture to another, a few at a step, in the order of
//! a map, and the target's probability is followed.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Assessment, Curve, assessment::Turns, hiding::mixed};
use crate::{Result, Score, attribution::display::Channels, filter};

/// What a picture without its pixels is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Substrate {
    /// Zero in model space: the data set's mean. Of a text the mask token in place of each word, or the padding token.
    Blank,
    /// The picture itself, blurred as in RISE's code: kernel 11, sigma 5. A text has no blur, nor have the cells of a sound, and they
    /// are blank here, too.
    Blur,
}

impl Substrate {
    /// Channel after channel.
    pub(super) fn values(self, assessment: &Assessment<'_>) -> Result<Vec<f32>> {
        let input = &assessment.input;
        if let Some(hidden) = assessment.without_words() {
            return Ok(hidden);
        }
        match self {
            Self::Blank => Ok(vec![0.0; input.data.len()]),
            // What a sound's cells are without what they hold is silence.
            Self::Blur if assessment.is_spectrum() => Ok(vec![0.0; input.data.len()]),
            Self::Blur => {
                let kernel = filter::folded_gaussian(11, 5.0);
                let reason = "only pictures can be blurred; take the substrate \"blank\" for other inputs";
                let image = assessment.image().map_err(|_| assessment.unsuited(reason))?;
                Ok(filter::blur(&input.data, image, &kernel, filter::Edge::Zero))
            }
        }
    }

    /// `[1, features]`.
    pub(super) fn picture(self, assessment: &Assessment<'_>) -> Result<Tensor<2>> {
        Ok(assessment.tensor(self.values(assessment)?, [1, assessment.input.data.len()]))
    }
}

/// How the channels of a pixel become the value that it is ranked by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ranking {
    /// As the method shows them.
    #[default]
    AsShown,
    /// The mean, sign included.
    Mean,
    /// The sum of the magnitudes.
    SumAbs,
    /// The largest magnitude.
    MaxAbs,
}

impl Ranking {
    /// The rule, where it is not the method's own.
    pub fn channels(self) -> Option<Channels> {
        match self {
            Self::AsShown => None,
            Self::Mean => Some(Channels::Mean),
            Self::SumAbs => Some(Channels::SumAbs),
            Self::MaxAbs => Some(Channels::MaxAbs),
        }
    }
}

/// Parameters of the games that take pixels out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Removal {
    /// Pixels that are taken out at a step, or words of a text. Left out: RISE's 224 pixels, and one word.
    #[schemars(range(min = 1, max = 1000000))]
    pub step: Option<usize>,
    /// What takes the place of a pixel.
    pub substrate: Substrate,
    /// How the channels of a pixel become the value that it is ranked by.
    pub ranking: Ranking,
}

impl Default for Removal {
    fn default() -> Self {
        Self { step: None, substrate: Substrate::Blank, ranking: Ranking::AsShown }
    }
}

/// Changes the pixels of `from` to those of `to` at their turns, `step` at a time, and follows the target's probability
/// from none changed to all. All pictures are made on the device and read back once.
pub(super) async fn play(
    assessment: &Assessment<'_>,
    turns: &Turns,
    from: Tensor<2>,
    to: Tensor<2>,
    step: Option<usize>,
) -> Result<Curve> {
    let step = turns.step(step);
    let (places, count) = (turns.ranks.len(), turns.count);
    // Whole numbers below 2^24, which a float holds.
    let turn = turns.ranks.iter().map(|&rank| (rank as usize / step) as f32).collect();
    let turn = assessment.tensor(turn, [1, 1, places]);
    let pictures = count.div_ceil(step) + 1;
    let score = Score::Probability;
    let y = mixed(assessment, [from, to], pictures, score, "pictures of a curve", |rows| {
        let count = rows.len();
        let steps = assessment.tensor(rows.map(|row| row as f32).collect(), [count, 1, 1]);
        // 1 where the place's turn has come.
        (turn.clone() - steps).lower_elem(0.0).float()
    })
    .await?;
    let x = (0..pictures).map(|done| (done * step).min(count) as f64 / count as f64).collect();
    Ok(Curve { x, y })
}

/// The area under a curve of equal steps by the trapezoid rule, as a part of what it would be at 1 throughout. The last
/// step counts as a whole one even where fewer pixels were left for it, as in RISE's code.
pub(super) fn area(y: &[f64]) -> f64 {
    match y {
        [] => 0.0,
        [only] => *only,
        [first, .., last] => (y.iter().sum::<f64>() - (first + last) / 2.0) / (y.len() - 1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_trapezoids() {
        assert_eq!(area(&[1.0, 1.0, 1.0]), 1.0);
        assert_eq!(area(&[0.0, 1.0]), 0.5);
        assert_eq!(area(&[1.0, 0.0, 0.0]), 0.25);
        assert_eq!(area(&[0.3]), 0.3);
    }
}

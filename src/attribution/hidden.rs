//! Parts of an input hidden: what is shown instead, and what the network then says.

use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Subject, read};
use crate::{Error, Result, input::layout::Layout, model::Score, segment::Segments};

/// What stands for nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Blank {
    /// The mean of the training data: 0 in model space.
    #[default]
    TrainingMean,
    /// Pixels of value 0.
    Black,
    /// Pixels of value 1.
    White,
}

impl Blank {
    /// A picture of nothing else, `[1, features]` in model space.
    pub fn picture(self, subject: &Subject<'_>) -> Result<Tensor<2>> {
        Ok(match self {
            Self::TrainingMean => subject.input().zeros_like(),
            Self::Black => subject.pixel_space()?.black,
            Self::White => subject.pixel_space()?.white,
        })
    }
}

/// What is shown in place of a hidden segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cover {
    /// The segment's own mean colour; 0 for tokens, steps and features, of which one alone is its own mean.
    #[default]
    SegmentMean,
    /// The mean of the training data: 0 in model space.
    TrainingMean,
    /// Pixels of value 0.
    Black,
    /// Pixels of value 1.
    White,
}

impl From<Blank> for Cover {
    fn from(blank: Blank) -> Self {
        match blank {
            Blank::TrainingMean => Self::TrainingMean,
            Blank::Black => Self::Black,
            Blank::White => Self::White,
        }
    }
}

impl Cover {
    fn picture(self, subject: &Subject<'_>, segments: &Segments) -> Result<Tensor<2>> {
        match self {
            Self::SegmentMean
                if !matches!(subject.places().layout, Layout::Sequence | Layout::Table | Layout::Values) =>
            {
                Ok(means(subject, segments))
            }
            Self::SegmentMean | Self::TrainingMean => Blank::TrainingMean.picture(subject),
            Self::Black => Blank::Black.picture(subject),
            Self::White => Blank::White.picture(subject),
        }
    }
}

/// The input with every segment in its mean colour.
fn means(subject: &Subject<'_>, segments: &Segments) -> Tensor<2> {
    let sizes = segments.sizes();
    let mut picture = Vec::with_capacity(subject.features());
    for channel in subject.values().chunks_exact(segments.labels.len()) {
        let mut sums = vec![0.0f64; segments.count];
        for (&label, &value) in segments.labels.iter().zip(channel) {
            sums[label as usize] += f64::from(value);
        }
        picture.extend(
            segments.labels.iter().map(|&label| (sums[label as usize] / sizes[label as usize] as f64) as f32),
        );
    }
    let features = picture.len();
    subject.tensor(picture, [1, features])
}

/// Which segments each sample shows: rows of `segments` values, 1 for shown and 0 for hidden.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Samples {
    /// Row after row.
    pub shown: Vec<f32>,
    /// Number of segments.
    pub segments: usize,
}

impl Samples {
    /// Number of samples.
    pub fn count(&self) -> usize {
        self.shown.len() / self.segments
    }

    /// The samples one by one.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.shown.chunks_exact(self.segments)
    }

    /// The samples that the caller gave as `samples`, `[count, segments]`.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where they are of another width or hold something else than 0 and 1.
    pub fn given(subject: &Subject<'_>, segments: usize) -> Result<Option<Self>> {
        let Some(given) = subject.given("samples") else { return Ok(None) };
        if given.shape.last() != Some(&segments)
            || given.data.iter().any(|&value| value != 0.0 && value != 1.0)
        {
            return Err(Error::InputInvalid(format!(
                "The given tensor \"samples\" must hold rows of {segments} zeros and ones, one for each segment."
            )));
        }
        Ok(Some(Self { shown: given.data.clone(), segments }))
    }

    /// The score of the explained class for each sample, read back once at the end.
    pub async fn scores(
        &self,
        subject: &Subject<'_>,
        segments: &Segments,
        cover: Cover,
        score: Score,
    ) -> Result<Vec<f32>> {
        let x = subject.input();
        let hidden = cover.picture(subject, segments)?;
        let difference = x - hidden.clone();
        let (channels, pixels) = (subject.places().channels, subject.places().count());
        let labels: Vec<i64> = segments.labels.iter().map(|&label| label.into()).collect();
        let labels = Tensor::<1, Int>::from_data(labels.as_slice(), &difference.device());
        let chunk = subject.batch_limit();
        let mut found = Vec::new();
        for start in (0..self.count()).step_by(chunk) {
            subject.checkpoint(start, self.count(), "asking about inputs with hidden parts").await?;
            let rows = chunk.min(self.count() - start);
            let shown = self.shown[start * self.segments..(start + rows) * self.segments].to_vec();
            let shown = subject.tensor(shown, [rows, self.segments]).select(1, labels.clone());
            let shown = shown.reshape([rows, 1, pixels]).repeat_dim(1, channels);
            let points = hidden.clone() + difference.clone() * shown.reshape([rows, channels * pixels]);
            found.push(subject.scores(subject.logits(points)?, score));
        }
        read(Tensor::cat(found, 0)).await
    }
}

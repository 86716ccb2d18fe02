//! Parts of an input hidden: what is shown instead, and what the network then says.

use std::ops::Range;

use burn::tensor::{Int, Tensor};

use super::{Subject, method::Given, read};
use crate::{Error, Result, model::Score, segment::Segments};

/// The samples of methods that show some segments and hide the others.
pub(super) const SAMPLES: Given = Given {
    name: "samples",
    description: "`[count, segments]`, 1 for a segment that is shown and 0 for one that is hidden",
};

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

    /// The score of the explained class for each sample, read back once at the end; hidden segments show what `hidden` has
    /// there, `[1, features]`; of several rows, `[N, features]`, each in turn, and the scores are averaged.
    pub async fn scores(
        &self,
        subject: &Subject<'_>,
        segments: &Segments,
        hidden: Tensor<2>,
        score: Score,
    ) -> Result<Vec<f32>> {
        let hiding = Hiding::new(subject, segments, hidden);
        let mut found = Vec::new();
        let mut batches = subject.batches(self.count(), "asking about inputs with hidden parts");
        while let Some(Range { start, end }) = batches.next().await? {
            let shown = self.shown[start * self.segments..end * self.segments].to_vec();
            found.push(hiding.scores(subject, &shown, score)?);
        }
        read(Tensor::cat(found, 0)).await
    }
}

/// How segments are hidden.
pub(super) struct Hiding {
    hidden: Tensor<2>,
    /// What the input has more than `hidden`.
    difference: Tensor<2>,
    /// The segment of each place.
    labels: Tensor<1, Int>,
    segments: usize,
    /// Channels and places.
    dims: [usize; 2],
}

impl Hiding {
    /// Hidden segments show what `hidden` has there, `[1, features]`, or each of its rows in turn.
    pub fn new(subject: &Subject<'_>, segments: &Segments, hidden: Tensor<2>) -> Self {
        let difference = subject.input() - hidden.clone();
        let labels: Vec<i64> = segments.labels.iter().map(|&label| label.into()).collect();
        let labels = Tensor::from_data(labels.as_slice(), &difference.device());
        let dims = [subject.places().channels, subject.places().count()];
        Self { hidden, difference, labels, segments: segments.count, dims }
    }

    /// The score of the explained class for each row of `shown`, one value for each segment: 1 for shown, 0 for hidden. Where hidden segments
    /// show several rows in turn, the mean over them.
    pub fn scores(&self, subject: &Subject<'_>, shown: &[f32], score: Score) -> Result<Tensor<1>> {
        let backgrounds = self.hidden.dims()[0];
        // As many samples at once as one batch holds with each of the rows.
        let step = (subject.batch_limit() / backgrounds).max(1) * self.segments;
        let step = if backgrounds == 1 { shown.len() } else { step };
        let mut found = Vec::new();
        for shown in shown.chunks(step.max(1)) {
            let rows = shown.len() / self.segments;
            let points = self.points(subject, shown.to_vec());
            let scores = subject.scores(subject.logits(points)?, score);
            found.push(scores.reshape([rows, backgrounds]).mean_dim(1).reshape([rows]));
        }
        Ok(Tensor::cat(found, 0))
    }

    /// The input as rows of `shown` show it, once for each row of what hidden segments show, one value for each segment: 1 for shown, 0 for hidden.
    fn points(&self, subject: &Subject<'_>, shown: Vec<f32>) -> Tensor<2> {
        let (rows, [channels, places]) = (shown.len() / self.segments, self.dims);
        let shown = subject.tensor(shown, [rows, self.segments]).select(1, self.labels.clone());
        let shown = shown.reshape([rows, 1, places]).repeat_dim(1, channels);
        let (backgrounds, features) = (self.hidden.dims()[0], channels * places);
        let each = [1, backgrounds, features];
        let points = self.hidden.clone().reshape(each)
            + self.difference.clone().reshape(each) * shown.reshape([rows, 1, features]);
        points.reshape([rows * backgrounds, features])
    }
}

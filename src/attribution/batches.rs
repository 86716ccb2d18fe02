//! The loop of every method that looks at many samples: in batches that fit the memory, with progress and maps on the way.

use std::ops::Range;

use burn::tensor::Tensor;

use super::Subject;
use crate::Result;

/// The samples of a method, batch by batch.
///
/// ```text
/// let mut batches = subject.batches(samples, "gradients of noisy copies");
/// while let Some(rows) = batches.next().await? {
///     sum = sum + subject.gradients(copies(rows), ...)?.gradient.sum_dim(0);
///     if batches.so_far(|| sum.clone() / batches.done() as f32).await? { break; }
/// }
/// ```
pub struct Batches<'a> {
    subject: &'a Subject<'a>,
    stage: &'static str,
    total: usize,
    chunk: usize,
    done: usize,
    /// Steps that the method has made before these, and all that it makes.
    before: usize,
    of: usize,
}

impl<'a> Batches<'a> {
    pub(super) fn new(subject: &'a Subject<'a>, total: usize, stage: &'static str) -> Self {
        Self { subject, stage, total, chunk: subject.chunk(total), done: 0, before: 0, of: total }
    }

    /// Counts these samples as a part of `of`, of which `before` are done.
    #[must_use]
    pub fn within(self, before: usize, of: usize) -> Self {
        Self { before, of, ..self }
    }

    /// The numbers of the next samples, few enough for one batch; nothing when all are done. Reports progress, and lets the
    /// host breathe.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`], [`crate::Error::DeviceLost`].
    pub async fn next(&mut self) -> Result<Option<Range<usize>>> {
        if self.done >= self.total {
            return Ok(None);
        }
        self.subject.checkpoint(self.before + self.done, self.of, self.stage).await?;
        let rows = self.done..(self.done + self.chunk).min(self.total);
        self.done = rows.end;
        Ok(Some(rows))
    }

    /// Samples that were handed out so far.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Hands over the map as it would be if the method ended here; says whether it should.
    ///
    /// # Errors
    /// [`crate::Error::DeviceLost`].
    pub async fn so_far(&self, map: impl Fn() -> Tensor<2>) -> Result<bool> {
        self.subject.so_far(self.before + self.done, self.of, map).await
    }
}

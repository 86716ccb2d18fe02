//! What the methods of attention share: which tokens the scores are read from, and the tokens' values where they lie in the input.

use burn::tensor::{Bool, Tensor};

use super::{Attribution, Subject, upsample};
use crate::{
    Result,
    input::layout::Layout,
    model::{TokenAxis, Weighing},
};

/// The identity, `[n, n]`.
pub(super) fn identity(n: usize, like: &Tensor<2>) -> Tensor<2> {
    Tensor::eye(n, &like.device())
}

/// The mean over heads of `[heads, queries, keys]`.
pub(super) fn over_heads(each: Tensor<3>) -> Tensor<2> {
    let [_, queries, keys] = each.dims();
    each.mean_dim(0).reshape([queries, keys])
}

/// The row of the tokens that the scores are read from, `[1, n]`, of a matrix of what each token has of the others: that of the class
/// token, or the mean over all that count. Those are found by the gradient at the last block's attention, in which the rows of
/// tokens that no one reads are zeros.
pub(super) fn read_out(relevance: Tensor<2>, last: &Weighing) -> Tensor<2> {
    let n = relevance.dims()[0];
    let size = last.gradient.clone().abs().sum_dim(0).sum_dim(2).reshape([1, n]);
    let is_read: Tensor<2, Bool> = size.greater_elem(0.0);
    let weights = is_read.float();
    let count = weights.clone().sum_dim(1).clamp_min(1.0);
    (weights / count).matmul(relevance)
}

/// The values of tokens, `[1, n]`, as a map of the input: without the tokens that are none of it, and enlarged to it.
pub(super) fn placed(
    subject: &Subject<'_>,
    tokens: &TokenAxis,
    values: Tensor<2>,
    steps: usize,
) -> Result<Attribution> {
    let places = subject.places();
    let rank = subject.rank();
    let (rows, columns) = match (places.layout, rank) {
        (Layout::Picture | Layout::Spectrum, 4) => (Some(2), 3),
        (Layout::Picture, 3) | (Layout::PictureChannelsLast, _) => (Some(1), 2),
        (Layout::Sound, 3) => (None, 2),
        (Layout::Sound, 2) | (Layout::Sequence, _) => (None, 1),
        _ => return Err(subject.unsuited("its tokens lie along axes that are no places of the input")),
    };
    let count: usize = tokens.parts.iter().map(|(_, size)| size).product();
    let own = values.slice_dim(1, tokens.before as i64..(tokens.before + count) as i64);
    let grid: Tensor<4> = match tokens.parts[..] {
        [(a, height), (b, width)] if Some(a) == rows && b == columns => own.reshape([1, 1, height, width]),
        [(b, width), (a, height)] if Some(a) == rows && b == columns => {
            own.reshape([1, 1, width, height]).swap_dims(2, 3)
        }
        [(b, width)] if b == columns => own.reshape([1, 1, 1, width]),
        [(a, height)] if Some(a) == rows => own.reshape([1, 1, height, 1]),
        _ => return Err(subject.unsuited("its tokens lie along axes that are no places of the input")),
    };
    let map = upsample::bilinear(grid, [places.height, places.width]);
    Ok(Attribution::new(map.reshape([1, places.count()]), steps))
}

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
    // The axes along which tokens may lie, each with the size of the map there; a map that has the features of steps apart is one
    // of all values.
    let (rows, columns) = match (places.layout, subject.rank()) {
        (Layout::Picture | Layout::Spectrum, 4) => (Some((2, places.height)), 3),
        (Layout::Picture, 3) | (Layout::PictureChannelsLast, _) => (Some((1, places.height)), 2),
        (Layout::Sound, 3) => (Some((1, places.channels)), 2),
        (Layout::Sequence, _) => (Some((2, places.channels)), 1),
        (Layout::Sound, 2) => (None, 1),
        _ => return Err(subject.unsuited(ELSEWHERE)),
    };
    let count: usize = tokens.parts.iter().map(|(_, size)| size).product();
    let own = values.slice_dim(1, tokens.before as i64..(tokens.before + count) as i64);
    let is_row = |axis: usize| rows.is_some_and(|(row, _)| row == axis);
    let height = rows.map_or(1, |(_, height)| height);
    let (grid, height): (Tensor<4>, usize) = match tokens.parts[..] {
        [(a, high), (b, wide)] if is_row(a) && b == columns => (own.reshape([1, 1, high, wide]), height),
        [(b, wide), (a, high)] if is_row(a) && b == columns => {
            (own.reshape([1, 1, wide, high]).swap_dims(2, 3), height)
        }
        [(b, wide)] if b == columns => (own.reshape([1, 1, 1, wide]), places.height),
        [(a, high)] if is_row(a) && places.layout.is_picture() => (own.reshape([1, 1, high, 1]), height),
        _ => return Err(subject.unsuited(ELSEWHERE)),
    };
    let map = upsample::bilinear(grid, [height, places.width]);
    Ok(Attribution::new(map.reshape([1, height * places.width]), steps))
}

const ELSEWHERE: &str = "its tokens lie along axes that are no places of the input";

//! Products of matrices whose left side, the weights, is laid out once.
//!
//! The result is computed in tiles of [`ROWS`] rows and [`COLUMNS`] columns that stay in the processor's registers
//! while the depth passes by: a tile reads [`ROWS`] weights and [`COLUMNS`] values a step, both from one place after the other.

use std::ops::Range;

use macerator::{AutoArch, Simd, WithSimd};

use crate::{
    elementwise::bound_here,
    scratch::Scratch,
    threads,
    tile::{COLUMNS, ROWS, tile},
};

/// Depth that is passed at once, so that the rows of a tile stay in the first cache.
const DEPTH: usize = 512;

/// Values of the right side that are laid out at once, so that they stay in the second cache.
const BLOCK: usize = 1 << 16;

/// The left side `[rows, depth]`: [`ROWS`] rows after each other, each group of them step by step of the depth.
#[derive(Clone)]
pub struct Left {
    rows: usize,
    depth: usize,
    data: Vec<f32>,
}

impl Left {
    /// Lays out the matrix whose element at a row and a column is `at`.
    pub fn new(rows: usize, depth: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let mut data = Vec::with_capacity(rows.next_multiple_of(ROWS) * depth);
        for first in (0..rows).step_by(ROWS) {
            for step in 0..depth {
                data.extend((first..first + ROWS).map(|row| if row < rows { at(row, step) } else { 0.0 }));
            }
        }
        Self { rows, depth, data }
    }

    /// The element at a row and a column.
    pub fn at(&self, row: usize, step: usize) -> f32 {
        self.data[(row / ROWS * self.depth + step) * ROWS + row % ROWS]
    }

    /// The columns in `steps` alone.
    pub fn only(&self, steps: &[usize]) -> Self {
        let mut data = Vec::with_capacity(self.data.len() / self.depth.max(1) * steps.len());
        for group in self.data.chunks_exact(ROWS * self.depth) {
            for &step in steps {
                data.extend_from_slice(&group[step * ROWS..][..ROWS]);
            }
        }
        Self { rows: self.rows, depth: steps.len(), data }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }
}

/// What becomes of a sum: a bias for its row is added, then it is kept between two bounds.
#[derive(Clone, Copy, Default)]
pub struct Finish<'a> {
    pub bias: Option<&'a [f32]>,
    pub bounds: Option<(f32, f32)>,
}

/// The product `[rows, columns]` of `left` with a right side `[depth, columns]`, that `fill` lays out: it is given a range
/// of columns and one of the depth and a place for [`COLUMNS`] columns after each other, each group of them step by step of the
/// depth; columns beyond the range may hold anything.
pub fn multiply(
    left: &Left,
    columns: usize,
    fill: impl Fn(Range<usize>, Range<usize>, &mut [f32]) + Sync,
    finish: Finish<'_>,
    out: &mut [f32],
) {
    let (rows, depth) = (left.rows, left.depth);
    if depth == 0 {
        for (row, out) in out.chunks_mut(columns).enumerate() {
            out.fill(finish.bias.map_or(0.0, |bias| bias[row]));
            if let Some((low, high)) = finish.bounds {
                bound_here(out, low, high);
            }
        }
        return;
    }
    let deep = depth.min(DEPTH);
    let wide = (BLOCK / deep).next_multiple_of(COLUMNS).min(columns.next_multiple_of(COLUMNS));
    let mut right = Scratch::new(wide * deep);
    for first in (0..columns).step_by(wide) {
        let last = (first + wide).min(columns);
        for start in (0..depth).step_by(deep) {
            let end = (start + deep).min(depth);
            let work = (last - first) * (end - start) * rows;
            let group = COLUMNS * (end - start);
            let used = (last - first).div_ceil(COLUMNS) * group;
            threads::each(&mut right[..used], group, work, |index, place| {
                let from = first + index * COLUMNS;
                fill(from..(from + COLUMNS).min(last), start..end, place);
            });
            threads::shares(out, ROWS * columns, work, |tile_row, out| {
                let block = Block {
                    left,
                    first_row: tile_row * ROWS,
                    steps: start..end,
                    right: &right[..used],
                    columns: first..last,
                    stride: columns,
                    finish,
                    out,
                };
                AutoArch::new().dispatch(block);
            });
        }
    }
}

/// Some rows and columns of a product, over a part of its depth.
struct Block<'a> {
    left: &'a Left,
    first_row: usize,
    steps: Range<usize>,
    right: &'a [f32],
    columns: Range<usize>,
    stride: usize,
    finish: Finish<'a>,
    out: &'a mut [f32],
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Self { left, first_row, steps, right, columns, stride, finish, out } = self;
        let (starts, ends) = (steps.start == 0, steps.end == left.depth);
        let bounds = finish.bounds.filter(|_| ends);
        for (tile_row, out) in out.chunks_mut(ROWS * stride).enumerate() {
            let row = first_row + tile_row * ROWS;
            let group = &left.data[row * left.depth..][..ROWS * left.depth];
            let group = &group[steps.start * ROWS..steps.end * ROWS];
            for (index, right) in right.chunks_exact(COLUMNS * steps.len()).enumerate() {
                let column = columns.start + index * COLUMNS;
                let sums = tile::<S>(group, right);
                let count = (columns.end - column).min(COLUMNS);
                for (i, (out, sums)) in out.chunks_mut(stride).zip(sums).enumerate() {
                    let out = &mut out[column..column + count];
                    let before = match finish.bias {
                        Some(bias) if starts => bias[row + i],
                        _ => 0.0,
                    };
                    match <&mut [f32; COLUMNS]>::try_from(&mut *out) {
                        Ok(row) => store::<COLUMNS>(row, &sums, before, starts),
                        Err(_) => store_some(out, &sums, before, starts),
                    }
                    if let Some((low, high)) = bounds {
                        bound_here(out, low, high);
                    }
                }
            }
        }
    }
}

/// Puts a row of a tile where it belongs, or adds it to what is there.
#[inline(always)]
fn store<const N: usize>(out: &mut [f32; N], sums: &[f32; N], before: f32, starts: bool) {
    if starts {
        *out = sums.map(|sum| sum + before);
    } else {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out += sum;
        }
    }
}

#[inline(always)]
fn store_some(out: &mut [f32], sums: &[f32], before: f32, starts: bool) {
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = if starts { before } else { *out } + sum;
    }
}

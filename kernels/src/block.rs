//! The inner loops of a product: some rows and columns of it over a part of the depth, tile by tile.
//!
//! Browsers keep fewer of a tile's sums in registers the more ways lead out of a loop, so that whole tiles, which are most, have a
//! function that holds nothing else.

use std::ops::Range;

use macerator::{AutoArch, Simd, WithSimd};

use crate::{
    elementwise::{Gate, bounded},
    product::{Finish, Gates, Left},
    scratch::Scratch,
    tile::{COLUMNS, ROWS, Row, column, tile},
};

/// [`COLUMNS`] columns of the right side over a part of its depth.
pub struct Tile<'a> {
    /// The steps whose values are here, where some are left out.
    pub steps: Option<&'a [u32]>,
    pub values: &'a [[f32; COLUMNS]],
}

impl<'a> Tile<'a> {
    /// Leaves out the steps at which all columns are zero: many behind a rectifier, most where a gradient sets out from one class. No
    /// bit of a sum depends on them.
    /// `steps` is room for those that stay.
    pub fn without_zeros(values: &'a mut [[f32; COLUMNS]], steps: &'a mut [u32]) -> Self {
        let mut count = 0;
        for step in 0..values.len() {
            let row = Row::of(&values[step]);
            // Written without a branch: zeros come in no order that a processor could foresee.
            values[count] = row.values();
            steps[count] = step as u32;
            count += usize::from(row.any());
        }
        let steps = (count < values.len()).then_some(&steps[..count]);
        Self { steps, values: &values[..count] }
    }
}

/// A part of a product, over a part of its depth: the first one, or one that is added to those before.
pub struct Block<'a, 'b, const FIRST: bool> {
    pub left: &'a Left,
    /// The first row and the first column.
    pub at: [usize; 2],
    pub steps: Range<usize>,
    pub tiles: Vec<Tile<'a>>,
    pub finish: Finish<'a>,
    /// Each row's columns.
    pub out: &'a mut [&'b mut [f32]],
}

impl<const FIRST: bool> Block<'_, '_, FIRST> {
    /// Computes it.
    pub fn compute(mut self) {
        let (height, width) = (self.out.len(), self.out.first().map_or(0, |out| out.len()));
        // Planes of odd sides leave one column over.
        if width % COLUMNS == 1
            && let Some(column) = self.tiles.pop()
        {
            AutoArch::new().dispatch(LastColumn { block: &mut self, column });
        }
        if height % ROWS > 0 || width % COLUMNS > 1 {
            AutoArch::new().dispatch(Edge(&mut self));
        }
        match self.finish.gate {
            Some(gates) => AutoArch::new().dispatch(Gated { block: self, gates }),
            None => AutoArch::new().dispatch(self),
        }
    }
}

/// The rows of a tile: where they belong, their weights, and what becomes of their sums.
struct Group<'a, 'b, const FIRST: bool> {
    first: usize,
    out: &'a mut [&'b mut [f32]],
    weights: &'a [[f32; ROWS]],
    bias: [f32; ROWS],
    /// No bounds are infinite ones.
    bounds: (f32, f32),
}

impl<'b, const FIRST: bool> Block<'_, 'b, FIRST> {
    /// How many groups of rows there are.
    fn groups(&self) -> usize {
        self.out.len().div_ceil(ROWS)
    }

    /// The tiles, and the rows of this group. No closure is given them: what a compiler does not inline is compiled without the wider
    /// vectors, and calls a function for every product and sum.
    #[inline(always)]
    fn group(&mut self, index: usize) -> (&[Tile<'_>], Group<'_, 'b, FIRST>) {
        let Self { left, at, steps, tiles, finish, out } = self;
        let bounds = finish.bounds.filter(|_| steps.end == left.depth());
        let bounds = bounds.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
        let height = out.len();
        let out = &mut out[index * ROWS..height.min((index + 1) * ROWS)];
        let first = at[0] + index * ROWS;
        let weights = left.group(first, steps.clone());
        let mut bias = [0.0; ROWS];
        if let Some(known) = finish.bias {
            bias[..out.len()].copy_from_slice(&known[first..first + out.len()]);
        }
        (tiles, Group { first, out, weights, bias, bounds })
    }
}

impl<const FIRST: bool> Group<'_, '_, FIRST> {
    /// How many tiles no row and no column is missing of: the first ones.
    fn whole(&self) -> usize {
        if self.out.len() == ROWS { self.out[0].len() / COLUMNS } else { 0 }
    }

    /// Computes some rows of the tile of this number, which is whole.
    #[inline(always)]
    fn some<S: Simd, const N: usize>(&mut self, number: usize, right: &Tile<'_>, rows: [usize; N]) {
        let weights = self.weights;
        // Two places where sums come to an end: where both ways met in one, browsers would not keep all of them in registers.
        match right.steps {
            None => self.put(number, rows, tile::<S, N>(rows, weights.iter().zip(right.values))),
            Some(steps) => {
                let weights = steps.iter().map(|&step| &weights[step as usize]);
                self.put(number, rows, tile::<S, N>(rows, weights.zip(right.values)));
            }
        }
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, number: usize, rows: [usize; N], sums: [Row; N]) {
        let (low, high) = self.bounds;
        for (i, sums) in rows.into_iter().zip(sums) {
            let (rows, _) = self.out[i].as_chunks_mut::<COLUMNS>();
            let out = &mut rows[number];
            let before = if FIRST { Row::splat(self.bias[i]) } else { Row::of(out) };
            *out = before.plus(sums).bound(low, high).values();
        }
    }

    /// Computes the tile of this number, of which some rows or columns are missing.
    #[inline(always)]
    fn edge<S: Simd>(&mut self, number: usize, right: &Tile<'_>) {
        let mut whole = [[0.0; COLUMNS]; ROWS];
        let first = number * COLUMNS;
        let last = self.out.first().map_or(0, |out| out.len()).min(first + COLUMNS);
        for (whole, out) in whole.iter_mut().zip(&*self.out) {
            whole[..last - first].copy_from_slice(&out[first..last]);
        }
        let mut rows = whole.each_mut().map(|row| &mut row[..]);
        let Self { first: row, weights, bias, bounds, .. } = *self;
        Group::<FIRST> { first: row, out: &mut rows, weights, bias, bounds }.some::<S, ROWS>(
            0,
            right,
            std::array::from_fn(|i| i),
        );
        for (whole, out) in whole.iter().zip(&mut *self.out) {
            out[first..last].copy_from_slice(&whole[..last - first]);
        }
    }
}

impl<const FIRST: bool> WithSimd for Block<'_, '_, FIRST> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self) {
        for number in 0..self.groups() {
            let (tiles, mut group) = self.group(number);
            let whole = group.whole();
            for (index, right) in tiles[..whole].iter().enumerate() {
                group.some::<S, ROWS>(index, right, std::array::from_fn(|i| i));
            }
        }
    }
}

/// The tiles at the edge of a block, of which some rows or columns are missing.
struct Edge<'a, 'b, 'c, const FIRST: bool>(&'c mut Block<'a, 'b, FIRST>);

impl<const FIRST: bool> WithSimd for Edge<'_, '_, '_, FIRST> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        for number in 0..self.0.groups() {
            let (tiles, mut group) = self.0.group(number);
            let whole = group.whole();
            for (index, right) in tiles.iter().enumerate().skip(whole) {
                group.edge::<S>(index, right);
            }
        }
    }
}

/// The last column of a block.
struct LastColumn<'a, 'b, 'c, const FIRST: bool> {
    block: &'c mut Block<'a, 'b, FIRST>,
    column: Tile<'a>,
}

impl<const FIRST: bool> WithSimd for LastColumn<'_, '_, '_, FIRST> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Self { block, column: Tile { steps, values } } = self;
        for number in 0..block.groups() {
            let (_, Group { out, weights, bias, bounds: (low, high), .. }) = block.group(number);
            let sums = match steps {
                None => column::<S>(weights.iter().zip(values)),
                Some(steps) => column::<S>(steps.iter().map(|&step| &weights[step as usize]).zip(values)),
            };
            for ((out, sum), bias) in out.iter_mut().zip(sums).zip(bias) {
                let Some(out) = out.last_mut() else { break };
                *out = bounded(if FIRST { bias } else { *out } + sum, low, high);
            }
        }
    }
}

/// The same where the gates of some columns may be closed, for which then nothing is computed.
struct Gated<'a, 'b, const FIRST: bool> {
    block: Block<'a, 'b, FIRST>,
    gates: Gates<'a>,
}

impl<const FIRST: bool> WithSimd for Gated<'_, '_, FIRST> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Self { mut block, gates } = self;
        let ([_, first_column], ends) = (block.at, block.steps.end == block.left.depth());
        let Some(width) = block.out.first().map(|out| out.len()) else { return };
        let Gate { low, high, .. } = gates.gate;
        let padded = width.next_multiple_of(COLUMNS);
        let mut beside = Scratch::new(ROWS * padded);
        beside.fill(low);
        for number in 0..block.groups() {
            let (tiles, mut group) = block.group(number);
            let (height, whole) = (group.out.len(), group.whole());
            for (i, values) in beside.chunks_exact_mut(padded).take(height).enumerate() {
                gates.row(group.first + i, first_column, &mut values[..width]);
            }
            for (index, right) in tiles[..whole].iter().enumerate() {
                // The rows that let something through come first.
                let (mut open, mut count) = ([0; ROWS], 0);
                for (i, values) in beside.chunks_exact(padded).enumerate() {
                    open[count] = i;
                    let values = values[index * COLUMNS..].first_chunk();
                    count += usize::from(values.is_some_and(|values| Row::of(values).any_between(low, high)));
                }
                match open {
                    [..] if count == 0 => {}
                    [a, ..] if count == 1 => group.some::<S, 1>(index, right, [a]),
                    [a, b, ..] if count == 2 => group.some::<S, 2>(index, right, [a, b]),
                    [a, b, c, ..] if count == 3 => group.some::<S, 3>(index, right, [a, b, c]),
                    _ => group.some::<S, ROWS>(index, right, std::array::from_fn(|i| i)),
                }
            }
            if ends {
                for (values, out) in beside.chunks_exact(padded).zip(group.out) {
                    Gate { values, low, high }.close(out);
                }
            }
        }
    }
}

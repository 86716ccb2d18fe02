//! Products of matrices whose left side, the weights, is laid out once.
//!
//! The result is computed in tiles of [`ROWS`] rows and [`COLUMNS`] columns that stay in the processor's registers
//! while the depth passes by: a tile reads [`ROWS`] weights and [`COLUMNS`] values a step, both from one place after the other.

use std::ops::Range;

use macerator::{AutoArch, Simd, WithSimd};

use crate::{
    elementwise::{Gate, bound_here, bounded},
    scratch::Scratch,
    threads,
    tile::{COLUMNS, ROWS, Row, column, tile},
};

/// Depth that is passed at once, so that the rows of a tile stay in the first cache.
const DEPTH: usize = 512;

/// Values of the right side that are laid out at once, so that they stay in the second cache.
const BLOCK: usize = 1 << 16;

/// Rows of the left side from which on it pays to look for zeros in the right one.
const WORTH_LOOKING: usize = 32;

/// The left side `[rows, depth]`: [`ROWS`] rows after each other, each group of them step by step of the depth.
pub struct Left {
    rows: usize,
    depth: usize,
    data: Vec<f32>,
    /// Whether zero times any of its elements is zero.
    finite: bool,
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
        let finite = data.iter().all(|value| value.is_finite());
        Self { rows, depth, data, finite }
    }

    /// The element at a row and a column.
    pub fn at(&self, row: usize, step: usize) -> f32 {
        self.data[(row / ROWS * self.depth + step) * ROWS + row % ROWS]
    }

    pub fn rows(&self) -> usize {
        self.rows
    }
}

/// What becomes of a sum: a bias for its row is added, then it is kept between two bounds, or nothing is left of it where a gate
/// is closed.
#[derive(Clone, Copy, Default)]
pub struct Finish<'a> {
    pub bias: Option<&'a [f32]>,
    pub bounds: Option<(f32, f32)>,
    pub gate: Option<Gates<'a>>,
}

impl Finish<'_> {
    /// That of the samples from this one on.
    pub fn of(self, sample: usize) -> Self {
        let gate = self.gate.map(|gates| Gates { gate: gates.gate.from(sample * gates.sample), ..gates });
        Self { gate, ..self }
    }
}

/// Gates of a product: those of some samples, whose columns lie side by side in it.
#[derive(Clone, Copy)]
pub struct Gates<'a> {
    pub gate: Gate<'a>,
    /// Columns of each sample.
    pub columns: usize,
    /// Elements from one sample to the next.
    pub sample: usize,
}

impl Gates<'_> {
    /// Copies the values of a row at the columns from this one on.
    fn row(&self, row: usize, first: usize, to: &mut [f32]) {
        let mut done = 0;
        while done < to.len() {
            let (sample, within) = ((first + done) / self.columns, (first + done) % self.columns);
            let count = (self.columns - within).min(to.len() - done);
            let from = sample * self.sample + row * self.columns + within;
            to[done..done + count].copy_from_slice(&self.gate.values[from..from + count]);
            done += count;
        }
    }
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
    let work = columns * depth * rows;
    let mut parts = Part::of(out, columns, Division::new(left, columns, threads::count(work)));
    threads::each(&mut parts, 1, work, |_, parts| {
        for part in parts {
            part.compute(left, &fill, finish);
        }
    });
}

/// Into parts of which sizes a product is divided.
struct Division {
    wide: usize,
    high: usize,
}

impl Division {
    fn new(left: &Left, columns: usize, threads: usize) -> Self {
        /// Tiles side by side that are worth reading the weights for, and rows that are worth laying out the right side for.
        const LEAST: usize = 4;
        const LEAST_ROWS: usize = 64;
        let most = (BLOCK / left.depth.min(DEPTH)).div_ceil(COLUMNS);
        let tiles = columns.div_ceil(COLUMNS);
        if threads == 1 {
            return Self { wide: most.min(tiles) * COLUMNS, high: left.rows };
        }
        // Enough that the last of them keeps no thread waiting for long.
        let wanted = threads * 4;
        let wide = tiles.div_ceil(wanted).max(LEAST).min(most).min(tiles);
        let over = wanted.div_ceil(tiles.div_ceil(wide)).min(left.rows / LEAST_ROWS).max(1);
        let high = left.rows.div_ceil(ROWS).div_ceil(over) * ROWS;
        Self { wide: wide * COLUMNS, high }
    }
}

/// Some rows and columns of a product, which one thread computes.
struct Part<'a> {
    first_row: usize,
    columns: Range<usize>,
    /// Each row's columns.
    out: Vec<&'a mut [f32]>,
}

impl<'a> Part<'a> {
    fn of(out: &'a mut [f32], columns: usize, Division { wide, high }: Division) -> Vec<Self> {
        let mut parts = Vec::new();
        for (index, rows) in out.chunks_mut(high * columns).enumerate() {
            let beside = parts.len();
            let height = rows.len() / columns;
            parts.extend((0..columns).step_by(wide).map(|first| Part {
                first_row: index * high,
                columns: first..(first + wide).min(columns),
                out: Vec::with_capacity(height),
            }));
            for row in rows.chunks_mut(columns) {
                for (part, row) in parts[beside..].iter_mut().zip(row.chunks_mut(wide)) {
                    part.out.push(row);
                }
            }
        }
        parts
    }

    /// Lays out the right side for these columns and multiplies, a part of the depth after the other.
    fn compute(
        &mut self,
        left: &Left,
        fill: &impl Fn(Range<usize>, Range<usize>, &mut [f32]),
        finish: Finish<'_>,
    ) {
        let Range { start: first, end: last } = self.columns;
        let deep = left.depth.min(DEPTH);
        let mut right = Scratch::new((last - first).next_multiple_of(COLUMNS) * deep);
        let looks = left.finite && left.rows >= WORTH_LOOKING;
        let mut kept = vec![0; if looks { right.len() / COLUMNS } else { 0 }];
        for start in (0..left.depth).step_by(deep) {
            let steps = start..(start + deep).min(left.depth);
            let group = COLUMNS * steps.len();
            let used = &mut right[..(last - first).div_ceil(COLUMNS) * group];
            let mut tiles = Vec::with_capacity((last - first).div_ceil(COLUMNS));
            let mut kept = &mut kept[..];
            for (from, place) in (first..last).step_by(COLUMNS).zip(used.chunks_exact_mut(group)) {
                let end = (from + COLUMNS).min(last);
                fill(from..end, steps.clone(), place);
                let (values, _) = place.as_chunks_mut::<COLUMNS>();
                if end - from < COLUMNS {
                    values.iter_mut().for_each(|values| values[end - from..].fill(0.0));
                }
                if !looks {
                    tiles.push(Tile { steps: None, values });
                    continue;
                }
                let (room, rest) = kept.split_at_mut(values.len());
                kept = rest;
                tiles.push(Tile::without_zeros(values, room));
            }
            let at = [self.first_row, first];
            let out = &mut self.out;
            match start {
                0 => Block::<true> { left, at, steps, tiles, finish, out }.compute(),
                _ => Block::<false> { left, at, steps, tiles, finish, out }.compute(),
            }
        }
    }
}

/// [`COLUMNS`] columns of the right side over a part of its depth.
struct Tile<'a> {
    /// The steps whose values are here, where some are left out.
    steps: Option<&'a [u32]>,
    values: &'a [[f32; COLUMNS]],
}

impl<'a> Tile<'a> {
    /// Leaves out the steps at which all columns are zero: many behind a rectifier, most where a gradient sets out from one class. No
    /// bit of a sum depends on them.
    /// `steps` is room for those that stay.
    fn without_zeros(values: &'a mut [[f32; COLUMNS]], steps: &'a mut [u32]) -> Self {
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
struct Block<'a, 'b, const FIRST: bool> {
    left: &'a Left,
    /// The first row and the first column.
    at: [usize; 2],
    steps: Range<usize>,
    tiles: Vec<Tile<'a>>,
    finish: Finish<'a>,
    out: &'a mut [&'b mut [f32]],
}

impl<const FIRST: bool> Block<'_, '_, FIRST> {
    fn compute(mut self) {
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
    /// Calls `visit` with the rows of one tile after the other.
    #[inline(always)]
    fn groups(&mut self, mut visit: impl FnMut(&[Tile<'_>], Group<'_, 'b, FIRST>)) {
        let Self { left, at, steps, tiles, finish, out } = self;
        let bounds = finish.bounds.filter(|_| steps.end == left.depth);
        let bounds = bounds.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
        for (index, out) in out.chunks_mut(ROWS).enumerate() {
            let first = at[0] + index * ROWS;
            let weights = &left.data[first * left.depth..][..ROWS * left.depth];
            let (weights, _) = weights[steps.start * ROWS..steps.end * ROWS].as_chunks::<ROWS>();
            let mut bias = [0.0; ROWS];
            if let Some(known) = finish.bias {
                bias[..out.len()].copy_from_slice(&known[first..first + out.len()]);
            }
            visit(tiles, Group { first, out, weights, bias, bounds });
        }
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
        self.groups(|tiles, mut group| {
            let whole = group.whole();
            for (index, right) in tiles[..whole].iter().enumerate() {
                group.some::<S, ROWS>(index, right, std::array::from_fn(|i| i));
            }
        });
    }
}

/// The tiles at the edge of a block, of which some rows or columns are missing.
struct Edge<'a, 'b, 'c, const FIRST: bool>(&'c mut Block<'a, 'b, FIRST>);

impl<const FIRST: bool> WithSimd for Edge<'_, '_, '_, FIRST> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        self.0.groups(|tiles, mut group| {
            let whole = group.whole();
            for (index, right) in tiles.iter().enumerate().skip(whole) {
                group.edge::<S>(index, right);
            }
        });
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
        block.groups(|_, Group { out, weights, bias, bounds: (low, high), .. }| {
            let sums = match steps {
                None => column::<S>(weights.iter().zip(values)),
                Some(steps) => column::<S>(steps.iter().map(|&step| &weights[step as usize]).zip(values)),
            };
            for ((out, sum), bias) in out.iter_mut().zip(sums).zip(bias) {
                let Some(out) = out.last_mut() else { break };
                *out = bounded(if FIRST { bias } else { *out } + sum, low, high);
            }
        });
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
        let ([_, first_column], ends) = (block.at, block.steps.end == block.left.depth);
        let Some(width) = block.out.first().map(|out| out.len()) else { return };
        let Gate { low, high, .. } = gates.gate;
        let padded = width.next_multiple_of(COLUMNS);
        let mut beside = Scratch::new(ROWS * padded);
        beside.fill(low);
        block.groups(|tiles, mut group| {
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
        });
    }
}

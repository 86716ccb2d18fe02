//! Products of matrices whose left side, the weights, is laid out once.
//!
//! The result is computed in tiles of [`ROWS`] rows and [`COLUMNS`] columns that stay in the processor's registers
//! while the depth passes by: a tile reads [`ROWS`] weights and [`COLUMNS`] values a step, both from one place after the other.

use std::ops::Range;

use crate::{
    block::{Block, Tile},
    elementwise::{Gate, bound_here},
    scratch::Scratch,
    threads,
    tile::{COLUMNS, ROWS},
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

    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The weights of a tile's rows from this one on, step by step.
    pub fn group(&self, row: usize, steps: Range<usize>) -> &[[f32; ROWS]] {
        let first = row / ROWS * self.depth;
        &self.data.as_chunks().0[first + steps.start..first + steps.end]
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
    pub fn row(&self, row: usize, first: usize, to: &mut [f32]) {
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

/// Into how many parts the tiles of a product are divided, beside and below each other.
struct Division {
    beside: usize,
    below: usize,
}

impl Division {
    fn new(left: &Left, columns: usize, threads: usize) -> Self {
        /// Tiles side by side that are worth reading the weights for.
        const LEAST: usize = 4;
        /// Rows that are worth laying out the right side for once more, and those that are where threads would have nothing to do.
        const ROWS_EACH: usize = 96;
        const LEAST_ROWS: usize = 32;
        let most = (BLOCK / left.depth.min(DEPTH)).div_ceil(COLUMNS);
        let tiles = columns.div_ceil(COLUMNS);
        let fitting = tiles.div_ceil(most);
        if threads == 1 {
            return Self { beside: fitting, below: 1 };
        }
        // As many for each thread, some more where a part is large, so that the last of them keeps none waiting for long.
        let even = |parts: usize, each: usize| (parts - parts % threads).min(threads * each);
        let beside = tiles / LEAST;
        if beside >= threads {
            return Self { beside: even(beside, 4).max(fitting), below: 1 };
        }
        let below = match left.rows / ROWS_EACH {
            few if few < threads => (left.rows / LEAST_ROWS).clamp(1, threads),
            many => even(many, 2),
        };
        Self { beside: threads.div_ceil(below).min(beside).max(fitting), below }
    }
}

/// Where each of `parts` begins and ends, whose sizes differ by a tile at most.
fn evenly(count: usize, tile: usize, parts: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let at = move |part: usize| (count.div_ceil(tile) * part / parts * tile).min(count);
    (0..parts).map(move |part| at(part)..at(part + 1))
}

/// Some rows and columns of a product, which one thread computes.
struct Part<'a> {
    first_row: usize,
    columns: Range<usize>,
    /// Each row's columns.
    out: Vec<&'a mut [f32]>,
}

impl<'a> Part<'a> {
    fn of(out: &'a mut [f32], columns: usize, Division { beside, below }: Division) -> Vec<Self> {
        let mut parts = Vec::with_capacity(beside * below);
        let beside = evenly(columns, COLUMNS, beside);
        let mut rest = out;
        for rows in evenly(rest.len() / columns, ROWS, below) {
            let first = parts.len();
            parts.extend(beside.clone().map(|columns| Part {
                first_row: rows.start,
                columns,
                out: Vec::with_capacity(rows.len()),
            }));
            for _ in rows {
                for part in &mut parts[first..] {
                    part.out.push(rest.split_off_mut(..part.columns.len()).unwrap_or_default());
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

//! A window that slides over planes, as one shift of whole rows a tap.
//!
//! A plane is spread out: padded, and with strides `s` split into the planes of every `s`-th row and column. There each tap of
//! the window lies at a fixed distance from the place of the output, whatever the output: a convolution, its gradient
//! and a pooling are then sums or maxima of shifted copies of one row of numbers.

use std::ops::Range;

/// A window of two dimensions on planes of a known size.
#[derive(Clone)]
pub struct Grid {
    strides: [usize; 2],
    before: [usize; 2],
    input: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// The remainders of row and column by the stride that some tap meets.
    phases: Vec<[usize; 2]>,
    /// Rows and columns of each phase.
    rows: usize,
    /// The distance between rows of the output in a spread plane.
    pub width: usize,
    /// Where each tap lies in a spread plane, seen from the output's place, row by row.
    pub taps: Vec<usize>,
}

/// What places a window: one entry for rows, one for columns.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Distances between windows.
    pub strides: [usize; 2],
    /// Distances between the taps of a window.
    pub dilations: [usize; 2],
    /// Padding before the first row and column.
    pub before: [usize; 2],
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
}

impl Grid {
    /// Places a window.
    pub fn new(shape: Shape) -> Self {
        let Shape { kernel, strides, dilations, before, input, output } = shape;
        let most = |axis: usize| (kernel[axis] - 1) * dilations[axis] / strides[axis];
        let (rows, width) = (output[0] + most(0), output[1] + most(1));
        let mut phases: Vec<[usize; 2]> = Vec::new();
        let mut taps = Vec::with_capacity(kernel[0] * kernel[1]);
        for y in (0..kernel[0]).map(|y| y * dilations[0]) {
            for x in (0..kernel[1]).map(|x| x * dilations[1]) {
                let phase = [y % strides[0], x % strides[1]];
                let index = phases.iter().position(|&known| known == phase).unwrap_or_else(|| {
                    phases.push(phase);
                    phases.len() - 1
                });
                taps.push((index * rows + y / strides[0]) * width + x / strides[1]);
            }
        }
        Self { strides, before, input, output, phases, rows, width, taps }
    }

    /// Whether a spread plane is the plane itself.
    pub fn is_plain(&self) -> bool {
        self.taps.len() == 1 && self.strides == [1, 1] && self.before == [0, 0] && self.input == self.output
    }

    /// The outputs as planes of their own.
    pub fn of_outputs(&self) -> Self {
        let [input, output] = [self.output; 2];
        Self::new(Shape { kernel: [1; 2], strides: [1; 2], dilations: [1; 2], before: [0; 2], input, output })
    }

    /// Elements of a plane.
    pub fn plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Elements of a spread plane.
    pub fn spread_plane(&self) -> usize {
        self.phases.len() * self.phase()
    }

    /// Elements of one phase of a spread plane.
    pub fn phase(&self) -> usize {
        self.rows * self.width
    }

    /// Number of outputs of a plane.
    pub fn outputs(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// From the first to the last output's place in a spread plane, those between rows included.
    pub fn reach(&self) -> usize {
        (self.output[0] - 1) * self.width + self.output[1]
    }

    /// The rows and columns that a phase has in common with the plane: for each row its place in both, and the columns of the
    /// spread row with the plane's first column among them.
    fn common(
        &self,
        phase: [usize; 2],
    ) -> impl Iterator<Item = (usize, Option<(usize, Range<usize>, usize)>)> {
        let inside = move |axis: usize, index: usize| {
            let at = index * self.strides[axis] + phase[axis];
            at.checked_sub(self.before[axis]).filter(|&at| at < self.input[axis])
        };
        let first = (0..self.width).find(|&x| inside(1, x).is_some());
        let columns = first.and_then(|first| {
            let start = inside(1, first)?;
            let count = (self.input[1] - start).div_ceil(self.strides[1]);
            Some((first..(first + count).min(self.width), start))
        });
        (0..self.rows).map(move |y| {
            let row = inside(0, y).zip(columns.clone());
            (y, row.map(|(row, (columns, start))| (row, columns, start)))
        })
    }

    /// Spreads a plane out, with `fill` where there is none of it.
    pub fn spread(&self, plane: &[f32], fill: f32, spread: &mut [f32]) {
        for (&phase, spread) in self.phases.iter().zip(spread.chunks_exact_mut(self.phase())) {
            for (y, row) in self.common(phase) {
                let spread = &mut spread[y * self.width..][..self.width];
                let Some((row, columns, start)) = row else {
                    spread.fill(fill);
                    continue;
                };
                let row = &plane[row * self.input[1]..][..self.input[1]];
                spread[..columns.start].fill(fill);
                spread[columns.end..].fill(fill);
                let spread = &mut spread[columns];
                match self.strides[1] {
                    1 => spread.copy_from_slice(&row[start..start + spread.len()]),
                    2 => {
                        for (to, from) in spread.iter_mut().zip(row[start..].chunks(2)) {
                            *to = from[0];
                        }
                    }
                    stride => {
                        for (to, from) in spread.iter_mut().zip(row[start..].iter().step_by(stride)) {
                            *to = *from;
                        }
                    }
                }
            }
        }
    }

    /// The inverse of spreading: what lies in the padding is left out, what no window meets is zero.
    pub fn gather(&self, spread: &[f32], plane: &mut [f32]) {
        plane.fill(0.0);
        for (&phase, spread) in self.phases.iter().zip(spread.chunks_exact(self.phase())) {
            for (y, row) in self.common(phase) {
                let Some((row, columns, start)) = row else { continue };
                let row = &mut plane[row * self.input[1]..][..self.input[1]];
                let spread = &spread[y * self.width..][columns];
                if self.strides[1] == 1 {
                    row[start..start + spread.len()].copy_from_slice(spread);
                } else {
                    for (to, from) in row[start..].iter_mut().step_by(self.strides[1]).zip(spread) {
                        *to = *from;
                    }
                }
            }
        }
    }

    /// Puts the rows of an output as far apart as those of a spread plane, with zeros between them.
    pub fn apart(&self, output: &[f32], rows: &mut [f32]) {
        let width = self.output[1];
        for (row, rows) in output.chunks_exact(width).zip(rows.chunks_mut(self.width)) {
            rows[..width].copy_from_slice(row);
            rows[width..].fill(0.0);
        }
    }

    /// The inverse of [`Self::apart`].
    pub fn together(&self, rows: &[f32], output: &mut [f32]) {
        let width = self.output[1];
        for (row, rows) in output.chunks_exact_mut(width).zip(rows.chunks(self.width)) {
            row.copy_from_slice(&rows[..width]);
        }
    }
}

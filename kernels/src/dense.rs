//! Convolutions as products: the weights, laid out once, by the windows of the input, side by side.

use std::{ops::Range, sync::OnceLock};

use crate::{
    elementwise::{Gate, pass_between},
    grid::{Grid, Shape},
    product::{Finish, Gates, Left, multiply},
    scratch::Scratch,
    threads::{self, MOVE},
    tile::{COLUMNS, ROWS},
};

/// A convolution whose weights are known when the model is loaded.
pub struct Dense {
    kernel: [usize; 2],
    strides: [usize; 2],
    dilations: [usize; 2],
    /// Channels of the input and filters, of each group.
    channels: usize,
    filters: usize,
    bias: Option<Vec<f32>>,
    /// `[filters, channels * taps]` for each group.
    weights: Vec<Left>,
    /// The weights of the gradient, laid out when one is first asked for: as a convolution, or window by window.
    turned: OnceLock<Vec<Left>>,
    windows: OnceLock<Vec<Left>>,
}

/// Where a convolution stands: its own geometry beside that of its gradient.
pub struct Place {
    forward: Grid,
    /// The convolution that is the gradient, where there is one.
    backward: Option<Grid>,
}

impl Dense {
    /// A convolution with `weights` of the shape `[filters, channels, kernel…]`, both numbers for all groups together.
    pub fn new(
        weights: &[f32],
        shape: [usize; 4],
        groups: usize,
        strides: [usize; 2],
        dilations: [usize; 2],
        bias: Option<Vec<f32>>,
    ) -> Self {
        let [filters, channels, height, width] = shape;
        let (filters, depth) = (filters / groups, channels * height * width);
        let group = |group: usize| {
            let weights = &weights[group * filters * depth..];
            Left::new(filters, depth, |row, step| weights[row * depth + step])
        };
        let weights = (0..groups).map(group).collect();
        let kernel = [height, width];
        Self {
            kernel,
            strides,
            dilations,
            channels,
            filters,
            bias,
            weights,
            turned: OnceLock::new(),
            windows: OnceLock::new(),
        }
    }

    /// Places it on planes with so much padding before the first row and column, and an output of this size.
    pub fn on(&self, before: [usize; 2], input: [usize; 2], output: [usize; 2]) -> Place {
        let (kernel, strides, dilations) = (self.kernel, self.strides, self.dilations);
        let forward = Grid::new(Shape { kernel, strides, dilations, before, input, output });
        let turned = |axis: usize| ((kernel[axis] - 1) * dilations[axis]).checked_sub(before[axis]);
        let backward = match (turned(0), turned(1)) {
            (Some(above), Some(left)) if self.turns() => Some(Grid::new(Shape {
                kernel,
                strides,
                dilations,
                before: [above, left],
                input: output,
                output: input,
            })),
            _ => None,
        };
        Place { forward, backward }
    }

    /// Whether its gradient is a convolution with the turned kernel. It is where strides are 1, and worth it where there are
    /// channels enough to fill the rows of a tile.
    fn turns(&self) -> bool {
        self.strides == [1, 1] && self.channels >= ROWS
    }

    /// Channels of the input.
    pub fn inputs(&self) -> usize {
        self.channels * self.weights.len()
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The convolution of `samples` inputs, kept between two bounds where there are any.
    pub fn forward(
        &self,
        place: &Place,
        samples: usize,
        x: &[f32],
        bounds: Option<(f32, f32)>,
        out: &mut [f32],
    ) {
        for (group, weights) in self.weights.iter().enumerate() {
            let bias = self.bias.as_ref().map(|bias| &bias[group * self.filters..][..self.filters]);
            let finish = Finish { bias, bounds, gate: None };
            let input = Channels::of(x, samples, self.weights.len(), group, place.forward.plane());
            Convolution { weights, grid: &place.forward, finish, group }.compute(&input, out);
        }
    }

    /// The gradient of the inputs from that of their convolution, as far as it passes the gate.
    pub fn backward(
        &self,
        place: &Place,
        samples: usize,
        gradient: &[f32],
        gate: Option<Gate<'_>>,
        out: &mut [f32],
    ) {
        /// Steps of the depth from which on it pays to look for rows of a tile that let nothing through.
        const WORTH_CLOSING: usize = 64;
        let groups = self.weights.len();
        let (inside, after) = match self.filters * self.taps() {
            WORTH_CLOSING.. if place.backward.is_some() => (gate, None),
            _ => (None, gate),
        };
        for group in 0..groups {
            let input = Channels::of(gradient, samples, groups, group, place.forward.outputs());
            match &place.backward {
                Some(grid) => {
                    let weights = &self.turned.get_or_init(|| self.turn())[group];
                    let gate = inside.map(|gate| {
                        let (columns, sample) = (place.forward.plane(), out.len() / samples);
                        Gates { gate: gate.from(group * self.channels * columns), columns, sample }
                    });
                    let finish = Finish { gate, ..Finish::default() };
                    Convolution { weights, grid, finish, group }.compute(&input, out);
                }
                None => {
                    let weights = &self.windows.get_or_init(|| self.transpose())[group];
                    self.scatter(weights, &place.forward, &input, out, group);
                }
            }
        }
        if let Some(gate) = after {
            pass_between(out, gate);
        }
    }

    /// The weights of a convolution with every filter turned by half a circle.
    fn turn(&self) -> Vec<Left> {
        let taps = self.taps();
        let turned = |weights: &Left| {
            Left::new(self.channels, self.filters * taps, |channel, step| {
                weights.at(step / taps, channel * taps + taps - 1 - step % taps)
            })
        };
        self.weights.iter().map(turned).collect()
    }

    /// The weights of the product that gives each window's gradient.
    fn transpose(&self) -> Vec<Left> {
        let rows = self.channels * self.taps();
        let transposed =
            |weights: &Left| Left::new(rows, self.filters, |row, filter| weights.at(filter, row));
        self.weights.iter().map(transposed).collect()
    }

    /// The gradient of every window, added up where windows overlap.
    fn scatter(&self, weights: &Left, grid: &Grid, input: &Channels<'_>, out: &mut [f32], group: usize) {
        let (outputs, taps) = (grid.outputs(), self.taps());
        let mut windows = Scratch::new(weights.rows() * outputs);
        let plain = grid.of_outputs();
        for sample in 0..input.samples {
            let one = input.some(sample..sample + 1);
            let finish = Finish::default();
            Convolution { weights, grid: &plain, finish, group: 0 }.compute(&one, &mut windows);
            let planes = (sample * self.weights.len() + group) * self.channels;
            let out = &mut out[planes * grid.plane()..][..self.channels * grid.plane()];
            threads::shares(out, grid.plane(), windows.len() * MOVE, |channel, out| {
                let mut spread = Scratch::new(grid.spread_plane());
                let windows = windows[channel * taps * outputs..].chunks_exact(taps * outputs);
                for (windows, out) in windows.zip(out.chunks_exact_mut(grid.plane())) {
                    spread.fill(0.0);
                    for (&tap, window) in grid.taps.iter().zip(windows.chunks_exact(outputs)) {
                        let rows = spread[tap..].chunks_mut(grid.width);
                        for (row, window) in rows.zip(window.chunks_exact(grid.output[1])) {
                            for (sum, value) in row.iter_mut().zip(window) {
                                *sum += value;
                            }
                        }
                    }
                    grid.gather(&spread, out);
                }
            });
        }
    }
}

/// The channels of one group in every sample.
struct Channels<'a> {
    data: &'a [f32],
    samples: usize,
    /// Elements from one sample to the next.
    stride: usize,
    /// Elements of the group in each sample.
    size: usize,
    /// Elements of each plane.
    plane: usize,
}

impl<'a> Channels<'a> {
    fn of(data: &'a [f32], samples: usize, groups: usize, group: usize, plane: usize) -> Self {
        let stride = data.len() / samples;
        let size = stride / groups;
        Self { data: &data[group * size..], samples, stride, size, plane }
    }

    /// Of these samples alone.
    fn some(&self, samples: Range<usize>) -> Self {
        Self { data: &self.data[samples.start * self.stride..], samples: samples.len(), ..*self }
    }

    fn group(&self, sample: usize) -> &'a [f32] {
        &self.data[sample * self.stride..][..self.size]
    }

    fn planes(&self) -> usize {
        self.size / self.plane
    }
}

/// Samples of so few outputs are computed side by side, so that no tile is filled in part but the last.
const SMALL: usize = 400;

/// A convolution of channels into the filters of a group.
struct Convolution<'a> {
    weights: &'a Left,
    grid: &'a Grid,
    finish: Finish<'a>,
    group: usize,
}

impl Convolution<'_> {
    /// That of these channels.
    fn compute(&self, input: &Channels<'_>, out: &mut [f32]) {
        let Self { weights, grid, .. } = self;
        let samples = input.samples;
        let work = samples * grid.outputs() * weights.rows() * weights.depth();
        let threads = threads::count(work);
        if threads == 1 || !samples.is_multiple_of(threads) {
            return self.products(input, out);
        }
        // Each thread has samples of its own, and finds what it has computed of them in its own cache, layer after layer.
        let share = samples / threads;
        threads::each(out, out.len() / threads, work, |index, out| {
            let first = index * share;
            let own = Self { finish: self.finish.of(first), ..*self };
            own.products(&input.some(first..first + share), out);
        });
    }

    /// The same, by products each of which the threads share that have nothing else to do.
    fn products(&self, input: &Channels<'_>, out: &mut [f32]) {
        let &Self { weights, grid, finish, group } = self;
        let (outputs, rows) = (grid.outputs(), weights.rows());
        let sample = out.len() / input.samples;
        let together = if outputs < SMALL { input.samples } else { 1 };
        let mut side = Scratch::new(if together > 1 { rows * outputs * together } else { 0 });
        let room =
            if grid.is_plain() { 0 } else { together * input.planes() * grid.spread_plane() + COLUMNS };
        let mut spread = Scratch::new(room);
        for first in (0..input.samples).step_by(together) {
            let windows = Windows::new(grid, input, first..first + together, &mut spread);
            let fill = |columns: Range<usize>, steps: Range<usize>, place: &mut [f32]| {
                windows.lay(columns, steps, place);
            };
            let filters = |sample_index: usize| sample_index * sample + group * rows * outputs;
            if together == 1 {
                let out = &mut out[filters(first)..][..rows * outputs];
                multiply(weights, outputs, fill, finish.of(first), out);
            } else {
                multiply(weights, outputs * together, fill, finish, &mut side);
                for (row, side) in side.chunks_exact(outputs * together).enumerate() {
                    for (index, side) in side.chunks_exact(outputs).enumerate() {
                        out[filters(first + index) + row * outputs..][..outputs].copy_from_slice(side);
                    }
                }
            }
        }
    }
}

/// The windows of some samples as the right side of a product: a column for each output, a row for each tap of each channel.
struct Windows<'a> {
    source: &'a [f32],
    /// Where each row's values begin.
    rows: Vec<usize>,
    outputs: usize,
    /// Elements of the source from one sample to the next.
    sample: usize,
    /// Outputs that lie side by side, and the distance to the next of them.
    length: usize,
    width: usize,
}

/// Columns of a tile whose values lie side by side: the first of them, where they begin, how many there are.
type Run = (usize, usize, usize);

impl<'a> Windows<'a> {
    fn new(grid: &Grid, input: &Channels<'a>, samples: Range<usize>, spread: &'a mut [f32]) -> Self {
        let (outputs, planes) = (grid.outputs(), input.planes());
        if grid.is_plain() {
            let rows = (0..planes).map(|plane| plane * outputs).collect();
            let source = &input.data[samples.start * input.stride..];
            return Self { source, rows, outputs, sample: input.stride, length: outputs, width: outputs };
        }
        let plane = grid.spread_plane();
        let sample = planes * plane;
        let used = &mut spread[..samples.len() * sample];
        let work = used.len() * MOVE;
        threads::each(used, plane.max(1), work, |index, to| {
            let from = index % planes * input.plane;
            let group = input.group(samples.start + index / planes);
            grid.spread(&group[from..][..input.plane], to);
        });
        let rows =
            (0..planes).flat_map(|index| grid.taps.iter().map(move |tap| index * plane + tap)).collect();
        let source = &spread[..];
        Self { source, rows, outputs, sample, length: grid.output[1], width: grid.width }
    }

    /// The runs of a tile's columns.
    fn runs(&self, columns: Range<usize>) -> impl Iterator<Item = Run> {
        let mut column = columns.start;
        std::iter::from_fn(move || {
            let (sample, output) = (column / self.outputs, column % self.outputs);
            let (row, within) = (output / self.length, output % self.length);
            let count = (self.length - within).min(columns.end - column);
            let from = sample * self.sample + row * self.width + within;
            let run = (column - columns.start, from, count);
            column += count;
            (count > 0).then_some(run)
        })
    }

    /// Lays out a tile's columns, step by step of the depth.
    fn lay(&self, columns: Range<usize>, steps: Range<usize>, place: &mut [f32]) {
        let rows = &self.rows[steps];
        let mut runs = self.runs(columns);
        let first = runs.next();
        if let Some((0, from, COLUMNS)) = first {
            for (to, row) in place.as_chunks_mut::<COLUMNS>().0.iter_mut().zip(rows) {
                if let Some(values) = self.source[row + from..].first_chunk() {
                    *to = *values;
                }
            }
            return;
        }
        let runs: Vec<Run> = first.into_iter().chain(runs).collect();
        for (step, row) in rows.iter().enumerate() {
            for &(to, from, count) in &runs {
                let (to, from) = (step * COLUMNS + to, row + from);
                // What is copied too much lies where a later copy goes.
                let values = self.source[from..].first_chunk::<COLUMNS>();
                match (place.get_mut(to..to + COLUMNS), values) {
                    (Some(to), Some(values)) => to.copy_from_slice(values),
                    _ => place[to..to + count].copy_from_slice(&self.source[from..from + count]),
                }
            }
        }
    }
}

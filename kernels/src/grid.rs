//! A window that slides over planes, as one shift of whole rows a tap.
//!
//! A plane is spread out: padded, and with strides `s` split into the planes of every `s`-th row and column. There each tap of
//! the window lies at a fixed distance from the place of the output, whatever the output.

/// A window of two dimensions on planes of a known size.
#[derive(Clone)]
pub struct Grid {
    strides: [usize; 2],
    before: [usize; 2],
    input: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// How many remainders of row and column by the stride some tap meets.
    phases: usize,
    /// Rows and columns of each phase.
    rows: usize,
    /// The distance between rows of the output in a spread plane.
    pub width: usize,
    /// Where each tap lies in a spread plane, seen from the output's place, row by row.
    pub taps: Vec<usize>,
    /// All that a spread plane has of the plane, and whether that is the whole plane.
    shared: Vec<Shared>,
    whole: bool,
}

/// What a row of a spread plane has in common with a row of the plane.
#[derive(Clone)]
struct Shared {
    /// Where it begins in both.
    spread: usize,
    plane: usize,
    count: usize,
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
        let rows_of = |number: usize, phase: [usize; 2]| {
            let inside = move |axis: usize, index: usize| {
                let at = index * strides[axis] + phase[axis];
                at.checked_sub(before[axis]).filter(|&at| at < input[axis])
            };
            let first = (0..width).find_map(|x| inside(1, x).map(|column| (x, column)));
            (0..rows).filter_map(move |y| {
                let (row, (x, column)) = (inside(0, y)?, first?);
                let count = (input[1] - column).div_ceil(strides[1]).min(width - x);
                let (spread, plane) = ((number * rows + y) * width + x, row * input[1] + column);
                Some(Shared { spread, plane, count })
            })
        };
        let shared: Vec<Shared> =
            phases.iter().enumerate().flat_map(|(number, &phase)| rows_of(number, phase)).collect();
        let whole = shared.iter().map(|shared| shared.count).sum::<usize>() == input[0] * input[1];
        Self { strides, before, input, output, phases: phases.len(), rows, width, taps, shared, whole }
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
        self.phases * self.phase()
    }

    /// Elements of one phase of a spread plane.
    pub fn phase(&self) -> usize {
        self.rows * self.width
    }

    /// Number of outputs of a plane.
    pub fn outputs(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Spreads a plane out, with zeros where there is none of it.
    pub fn spread(&self, plane: &[f32], spread: &mut [f32]) {
        spread.fill(0.0);
        for shared in &self.shared {
            let spread = &mut spread[shared.spread..][..shared.count];
            let row = &plane[shared.plane..];
            match self.strides[1] {
                1 => copy_row(spread, &row[..shared.count]),
                2 => {
                    for (to, from) in spread.iter_mut().zip(row.chunks(2)) {
                        *to = from[0];
                    }
                }
                stride => {
                    for (to, from) in spread.iter_mut().zip(row.iter().step_by(stride)) {
                        *to = *from;
                    }
                }
            }
        }
    }

    /// The inverse of spreading: what lies in the padding is left out, what no window meets is zero.
    pub fn gather(&self, spread: &[f32], plane: &mut [f32]) {
        if !self.whole {
            plane.fill(0.0);
        }
        for shared in &self.shared {
            let spread = &spread[shared.spread..][..shared.count];
            let row = &mut plane[shared.plane..];
            match self.strides[1] {
                1 => copy_row(&mut row[..shared.count], spread),
                2 => copy_to_seconds(row, spread),
                stride => {
                    for (to, from) in row.iter_mut().step_by(stride).zip(spread) {
                        *to = *from;
                    }
                }
            }
        }
    }
}

/// Copies numbers to every second place, some at once, which compilers would not do by themselves.
#[inline(always)]
fn copy_to_seconds(to: &mut [f32], from: &[f32]) {
    let mut done = 0;
    for (to, from) in to.as_chunks_mut::<8>().0.iter_mut().zip(from.as_chunks::<4>().0) {
        *to = [from[0], to[1], from[1], to[3], from[2], to[5], from[3], to[7]];
        done += 4;
    }
    for (to, from) in to[2 * done..].iter_mut().step_by(2).zip(&from[done..]) {
        *to = *from;
    }
}

/// Copies a row. WebAssembly's instruction for it, which compilers make of most loops too, takes longer than copying
/// some numbers does.
#[inline(always)]
fn copy_row(to: &mut [f32], from: &[f32]) {
    const FEW: usize = 64;
    const N: usize = 4;
    let count = to.len();
    if !(N..FEW).contains(&count) || cfg!(not(target_family = "wasm")) {
        to.copy_from_slice(from);
        return;
    }
    let mut at = 0;
    while let (Some(to), Some(from)) = (to[at..].first_chunk_mut::<N>(), from[at..].first_chunk::<N>()) {
        *to = *from;
        if at + N == count {
            return;
        }
        // The last ones overlap with those before.
        at = (at + N).min(count - N);
    }
}

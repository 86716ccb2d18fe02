//! Products of rows with a matrix of the network, both ways.

use cubecl::prelude::*;

use super::{
    buffer::{Buffer, GROUP, groups, optional},
    elementwise::{Finish, finish, finite, within},
};

/// Rows that a thread computes one number of each of, so that a weight is read once for all of them.
const ROWS: usize = 4;

/// What becomes of a product before it is written.
#[cube]
fn end(
    value: f32,
    at: usize,
    column: usize,
    bias: &ComptimeOption<&[f32]>,
    plus: &ComptimeOption<&[f32]>,
    kept: &ComptimeOption<&[f32]>,
    low: f32,
    high: f32,
    #[comptime] bounded: bool,
) -> f32 {
    let mut value = value;
    #[comptime]
    if let ComptimeOption::Some(bias) = bias {
        value += bias[column];
    }
    if comptime!(bounded) {
        value = within(value, low, high);
    } else {
        value = finish(value, at, plus, kept, low, high);
    }
    value
}

/// `x [rows, inner] matrix [inner, outer]`. The matrix may lie the other way round.
#[cube(launch_unchecked)]
fn product(
    x: &[f32],
    matrix: &[f32],
    bias: ComptimeOption<&[f32]>,
    plus: ComptimeOption<&[f32]>,
    kept: ComptimeOption<&[f32]>,
    out: &mut [f32],
    rows: u32,
    inner: u32,
    outer: u32,
    // From one number of `inner`, and of `outer`, to the next in the matrix.
    step: u32,
    across: u32,
    scale: f32,
    low: f32,
    high: f32,
    #[comptime] bounded: bool,
    #[comptime] each: usize,
) {
    let column = ABSOLUTE_POS_X;
    let first = CUBE_POS_Y * comptime!(each as u32);
    if column < outer {
        let mut sums = Array::<f32>::new(each);
        let mut from = Array::<u32>::new(each);
        #[unroll]
        for i in 0..each {
            sums[i] = 0.0f32;
            let row = first + comptime!(i as u32);
            from[i] = select(row < rows, row, 0u32) * inner;
        }
        let mut weight = column * across;
        for k in 0..inner {
            let w = matrix[weight as usize];
            #[unroll]
            for i in 0..each {
                sums[i] += x[(from[i] + k) as usize] * w;
            }
            weight += step;
        }
        #[unroll]
        for i in 0..each {
            let row = first + comptime!(i as u32);
            if row < rows {
                let at = (row * outer + column) as usize;
                let sum = sums[i] * scale;
                out[at] = end(sum, at, column as usize, &bias, &plus, &kept, low, high, bounded);
            }
        }
    }
}

/// Longer sums are shared by a group of threads; software rasterisers end a loop of 65,536 turns before it is done.
const LONG: usize = 4096;

/// [`product()`] by a group of threads for each number.
#[cube(launch_unchecked)]
fn long_product(
    x: &[f32],
    matrix: &[f32],
    bias: ComptimeOption<&[f32]>,
    plus: ComptimeOption<&[f32]>,
    kept: ComptimeOption<&[f32]>,
    out: &mut [f32],
    count: u32,
    inner: u32,
    outer: u32,
    step: u32,
    across: u32,
    scale: f32,
    low: f32,
    high: f32,
    #[comptime] bounded: bool,
) {
    let mut sums = Shared::<[f32]>::new_slice(comptime!(GROUP as usize));
    let at = CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X;
    let row = at / outer;
    let column = at - row * outer;
    let mut sum = 0.0f32;
    if at < count {
        let mut k = UNIT_POS_X;
        while k < inner {
            sum += x[(row * inner + k) as usize] * matrix[(column * across + k * step) as usize];
            k += GROUP;
        }
    }
    sums[UNIT_POS_X as usize] = sum;
    sync_cube();
    if UNIT_POS_X == 0u32 && at < count {
        let mut sum = 0.0f32;
        for i in 0..GROUP {
            sum += sums[i as usize];
        }
        let at = at as usize;
        out[at] = end(sum * scale, at, column as usize, &bias, &plus, &kept, low, high, bounded);
    }
}

/// A matrix of the network.
pub(crate) struct Linear {
    matrix: Buffer,
    /// Whether it is `[outputs, inputs]`.
    turned: bool,
    scale: f32,
    bias: Option<Buffer>,
}

impl Linear {
    pub fn new(matrix: Buffer, turned: bool, scale: f32, bias: Option<Buffer>) -> Self {
        Self { matrix, turned, scale, bias }
    }

    pub fn inputs(&self) -> usize {
        self.matrix.dims[usize::from(self.turned)]
    }

    pub fn outputs(&self) -> usize {
        self.matrix.dims[usize::from(!self.turned)]
    }

    /// The products of the rows of `x`, in the shape `dims`.
    pub fn forward(&self, x: &Buffer, dims: Vec<usize>, bounds: Option<(f32, f32)>) -> Option<Buffer> {
        self.run(x, dims, false, bounds, &Finish::default())
    }

    /// The gradient of the rows, in the shape `dims`.
    pub fn backward(&self, gradient: &Buffer, dims: Vec<usize>, with: &Finish) -> Option<Buffer> {
        self.run(gradient, dims, true, None, with)
    }

    fn run(
        &self,
        x: &Buffer,
        dims: Vec<usize>,
        back: bool,
        bounds: Option<(f32, f32)>,
        with: &Finish,
    ) -> Option<Buffer> {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        let (inner, outer) = if back { (outputs, inputs) } else { (inputs, outputs) };
        let rows = x.len() / inner;
        let out = x.room(dims);
        let (step, across) = if self.turned == back { (outer, 1) } else { (1, inner) };
        let each = if rows == 1 { 1 } else { ROWS };
        let down = rows.div_ceil(each);
        if down > 65_535 || out.len() != rows * outer || out.len().max(x.len()) > u32::MAX as usize {
            return None;
        }
        let (low, high) = bounds.map_or(with.bounds(), finite);
        let bias = self.bias.as_ref().filter(|_| !back);
        if inner > LONG {
            // Every index is checked by the kernel itself.
            unsafe {
                long_product::launch_unchecked(
                    x.client(),
                    groups(out.len() * GROUP as usize),
                    CubeDim::new_1d(GROUP),
                    x.arg(),
                    self.matrix.arg(),
                    optional(bias),
                    optional(with.plus.as_ref()),
                    optional(with.kept()),
                    out.arg(),
                    out.len() as u32,
                    inner as u32,
                    outer as u32,
                    step as u32,
                    across as u32,
                    self.scale,
                    low,
                    high,
                    bounds.is_some(),
                );
            }
            return Some(out);
        }
        // Every index is checked by the kernel itself.
        unsafe {
            product::launch_unchecked(
                x.client(),
                CubeCount::Static(outer.div_ceil(GROUP as usize) as u32, down as u32, 1),
                CubeDim::new_1d(GROUP),
                x.arg(),
                self.matrix.arg(),
                optional(bias),
                optional(with.plus.as_ref()),
                optional(with.kept()),
                out.arg(),
                rows as u32,
                inner as u32,
                outer as u32,
                step as u32,
                across as u32,
                self.scale,
                low,
                high,
                bounds.is_some(),
                each,
            );
        }
        Some(out)
    }
}

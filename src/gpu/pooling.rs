//! Maxima of windows, and means of planes.

use adversight_kernels::Shape;
use cubecl::prelude::*;

use super::{
    buffer::{Buffer, GROUP, groups, optional},
    convolution::{Planes, planes},
    elementwise::{Finish, finish},
};

/// Where the first of the largest values of a window lies.
#[cube]
fn largest(x: &[f32], plane: i32, row: i32, column: i32, planes: &Planes) -> i32 {
    let first = plane * planes.source_h * planes.source_w;
    let mut place = i32::new(-1);
    let mut best = 0.0f32;
    for tap_h in 0..planes.kernel_h {
        let y = row * planes.stride_h + tap_h * planes.dilation_h - planes.before_h;
        if y >= 0i32 && y < planes.source_h {
            for tap_w in 0..planes.kernel_w {
                let c = column * planes.stride_w + tap_w * planes.dilation_w - planes.before_w;
                if c >= 0i32 && c < planes.source_w {
                    let at = first + y * planes.source_w + c;
                    let value = x[at as usize];
                    if place < 0i32 || value > best {
                        place = at;
                        best = value;
                    }
                }
            }
        }
    }
    place
}

#[cube(launch_unchecked)]
fn maximum_kernel(x: &[f32], out: &mut [f32], planes: Planes, count: i32) {
    let at = ABSOLUTE_POS as i32;
    if at < count {
        let column = at % planes.target_w;
        let rest = at / planes.target_w;
        let row = rest % planes.target_h;
        let place = largest(x, rest / planes.target_h, row, column, &planes);
        out[at as usize] = x[place as usize];
    }
}

/// Every value asks the windows that it lies in whether it is their largest. `planes` are those of the way forward.
#[cube(launch_unchecked)]
fn maximum_backward_kernel(
    x: &[f32],
    gradient: &[f32],
    plus: ComptimeOption<&[f32]>,
    kept: ComptimeOption<&[f32]>,
    out: &mut [f32],
    planes: Planes,
    count: i32,
    low: f32,
    high: f32,
) {
    let at = ABSOLUTE_POS as i32;
    if at < count {
        let size = planes.source_h * planes.source_w;
        let plane = at / size;
        let place = at - plane * size;
        let y = place / planes.source_w;
        let x_at = place - y * planes.source_w;
        let mut sum = 0.0f32;
        for tap_h in 0..planes.kernel_h {
            let far = y + planes.before_h - tap_h * planes.dilation_h;
            let row = far / planes.stride_h;
            if far >= 0i32 && row * planes.stride_h == far && row < planes.target_h {
                for tap_w in 0..planes.kernel_w {
                    let far = x_at + planes.before_w - tap_w * planes.dilation_w;
                    let column = far / planes.stride_w;
                    if far >= 0i32 && column * planes.stride_w == far && column < planes.target_w {
                        if largest(x, plane, row, column, &planes) == at {
                            let from = (plane * planes.target_h + row) * planes.target_w + column;
                            sum += gradient[from as usize];
                        }
                    }
                }
            }
        }
        out[at as usize] = finish(sum, at as usize, &plus, &kept, low, high);
    }
}

/// The maxima of the windows of each plane.
pub(crate) fn maximum(shape: &Shape, x: &Buffer) -> Buffer {
    let out = x.room(vec![x.dims[0], x.dims[1], shape.output[0], shape.output[1]]);
    // Every index is checked by the kernel itself.
    unsafe {
        maximum_kernel::launch_unchecked(
            x.client(),
            groups(out.len()),
            CubeDim::new_1d(GROUP),
            x.arg(),
            out.arg(),
            planes(shape, false),
            out.len() as i32,
        );
    }
    out
}

/// The gradient of planes from that of their maxima: the first of the largest values gets it.
pub(crate) fn maximum_backward(shape: &Shape, x: &Buffer, gradient: &Buffer, with: &Finish) -> Buffer {
    let (out, (low, high)) = (x.room(x.dims.clone()), with.bounds());
    // Every index is checked by the kernel itself.
    unsafe {
        maximum_backward_kernel::launch_unchecked(
            x.client(),
            groups(out.len()),
            CubeDim::new_1d(GROUP),
            x.arg(),
            gradient.arg(),
            optional(with.plus.as_ref()),
            optional(with.kept()),
            out.arg(),
            planes(shape, false),
            out.len() as i32,
            low,
            high,
        );
    }
    out
}

/// Threads that work on one plane.
const TEAM: u32 = 32;

/// A group of threads for each plane, so that large planes are read side by side.
#[cube(launch_unchecked)]
fn mean_kernel(x: &[f32], out: &mut [f32], size: u32, planes: u32) {
    let mut sums = Shared::<[f32]>::new_slice(comptime!(TEAM as usize));
    let plane = CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X;
    let mut sum = 0.0f32;
    if plane < planes {
        let mut at = UNIT_POS_X;
        while at < size {
            sum += x[(plane * size + at) as usize];
            at += TEAM;
        }
    }
    sums[UNIT_POS_X as usize] = sum;
    sync_cube();
    if UNIT_POS_X == 0u32 && plane < planes {
        let mut sum = 0.0f32;
        for i in 0..TEAM {
            sum += sums[i as usize];
        }
        out[plane as usize] = sum / f32::cast_from(size);
    }
}

#[cube(launch_unchecked)]
fn mean_backward_kernel(
    gradient: &[f32],
    plus: ComptimeOption<&[f32]>,
    kept: ComptimeOption<&[f32]>,
    out: &mut [f32],
    size: u32,
    count: u32,
    low: f32,
    high: f32,
) {
    let at = ABSOLUTE_POS as u32;
    if at < count {
        let value = gradient[(at / size) as usize] / f32::cast_from(size);
        out[at as usize] = finish(value, at as usize, &plus, &kept, low, high);
    }
}

/// The mean of each plane of `size` numbers, in the shape `dims`.
pub(crate) fn mean(x: &Buffer, size: usize, dims: Vec<usize>) -> Buffer {
    let out = x.room(dims);
    // Every index is checked by the kernel itself.
    unsafe {
        mean_kernel::launch_unchecked(
            x.client(),
            groups(out.len() * GROUP as usize),
            CubeDim::new_1d(TEAM),
            x.arg(),
            out.arg(),
            size as u32,
            out.len() as u32,
        );
    }
    out
}

/// The gradient of planes, in the shape `dims`, from that of their means.
pub(crate) fn mean_backward(gradient: &Buffer, dims: Vec<usize>, with: &Finish) -> Buffer {
    let (out, (low, high)) = (gradient.room(dims), with.bounds());
    // Every index is checked by the kernel itself.
    unsafe {
        mean_backward_kernel::launch_unchecked(
            gradient.client(),
            groups(out.len()),
            CubeDim::new_1d(GROUP),
            gradient.arg(),
            optional(with.plus.as_ref()),
            optional(with.kept()),
            out.arg(),
            (out.len() / gradient.len()) as u32,
            out.len() as u32,
            low,
            high,
        );
    }
    out
}

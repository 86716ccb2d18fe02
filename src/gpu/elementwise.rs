//! Number by number: sums, bounds, and the passing of gradients through bounds.

use cubecl::prelude::*;

use super::buffer::{Buffer, GROUP, groups, optional};

pub(super) type Finish = crate::model::Finish<Buffer>;

impl Finish {
    pub(super) fn bounds(&self) -> (f32, f32) {
        self.between.as_ref().map_or((0.0, 0.0), |(_, bounds)| finite(*bounds))
    }

    pub(super) fn kept(&self) -> Option<&Buffer> {
        self.between.as_ref().map(|(kept, _)| kept)
    }
}

/// Shaders need not know infinities: the largest numbers do as well.
pub(super) fn finite((low, high): (f32, f32)) -> (f32, f32) {
    (low.max(f32::MIN), high.min(f32::MAX))
}

/// Keeps a value between bounds.
#[cube]
pub(super) fn within(value: f32, low: f32, high: f32) -> f32 {
    let above = select(value < low, low, value);
    select(high < above, high, above)
}

/// A number of a gradient after what [`Finish`] does to it.
#[cube]
pub(super) fn finish(
    value: f32,
    at: usize,
    plus: &ComptimeOption<&[f32]>,
    kept: &ComptimeOption<&[f32]>,
    low: f32,
    high: f32,
) -> f32 {
    let mut value = value;
    #[comptime]
    if let ComptimeOption::Some(plus) = plus {
        value += plus[at];
    }
    #[comptime]
    if let ComptimeOption::Some(kept) = kept {
        let y = kept[at];
        value = select(y > low && y < high, value, 0.0f32);
    }
    value
}

#[cube(launch)]
fn bound_kernel(x: &[f32], plus: ComptimeOption<&[f32]>, out: &mut [f32], count: u32, low: f32, high: f32) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let mut value = x[at];
        #[comptime]
        if let ComptimeOption::Some(plus) = plus {
            value += plus[at];
        }
        out[at] = within(value, low, high);
    }
}

#[cube(launch)]
fn finish_kernel(
    x: &[f32],
    plus: ComptimeOption<&[f32]>,
    kept: ComptimeOption<&[f32]>,
    out: &mut [f32],
    count: u32,
    low: f32,
    high: f32,
) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        out[at] = finish(x[at], at, &plus, &kept, low, high);
    }
}

/// The values, or the sums of two arrays of one shape, kept between bounds.
pub(crate) fn bounded(x: &Buffer, plus: Option<&Buffer>, bounds: (f32, f32)) -> Buffer {
    let (out, (low, high)) = (x.room(x.dims.clone()), finite(bounds));
    bound_kernel::launch(
        x.client(),
        groups(x.len()),
        CubeDim::new_1d(GROUP),
        x.arg(),
        optional(plus),
        out.arg(),
        x.len() as u32,
        low,
        high,
    );
    out
}

/// A gradient after what else is to be done to it.
pub(crate) fn finished(x: &Buffer, with: &Finish) -> Buffer {
    let (out, (low, high)) = (x.room(x.dims.clone()), with.bounds());
    finish_kernel::launch(
        x.client(),
        groups(x.len()),
        CubeDim::new_1d(GROUP),
        x.arg(),
        optional(with.plus.as_ref()),
        optional(with.kept()),
        out.arg(),
        x.len() as u32,
        low,
        high,
    );
    out
}

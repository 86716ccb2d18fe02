//! Arrays joined along an axis, and taken apart again.

use cubecl::prelude::*;

use super::{
    buffer::{Buffer, GROUP, groups, optional},
    elementwise::{Finish, finish},
};
use crate::model::joined_dims;

/// Arrays that one call joins; browsers allow eight in all.
const AT_ONCE: usize = 4;

/// Copies up to four arrays of rows into the rows of the whole, from column `start` on.
#[cube(launch_unchecked)]
fn join(
    first: &[f32],
    second: ComptimeOption<&[f32]>,
    third: ComptimeOption<&[f32]>,
    fourth: ComptimeOption<&[f32]>,
    whole: &mut [f32],
    count: u32,
    width: u32,
    start: u32,
    one: u32,
    two: u32,
    three: u32,
    four: u32,
) {
    let at = ABSOLUTE_POS as u32;
    if at < count {
        let all = one + two + three + four;
        let row = at / all;
        let column = at - row * all;
        let mut value = 0.0f32;
        if column < one {
            value = first[(row * one + column) as usize];
        }
        #[comptime]
        if let ComptimeOption::Some(second) = second {
            if column >= one && column < one + two {
                value = second[(row * two + column - one) as usize];
            }
        }
        #[comptime]
        if let ComptimeOption::Some(third) = third {
            if column >= one + two && column < one + two + three {
                value = third[(row * three + column - one - two) as usize];
            }
        }
        #[comptime]
        if let ComptimeOption::Some(fourth) = fourth {
            if column >= one + two + three {
                value = fourth[(row * four + column - one - two - three) as usize];
            }
        }
        whole[(row * width + start + column) as usize] = value;
    }
}

#[cube(launch_unchecked)]
fn part(
    whole: &[f32],
    plus: ComptimeOption<&[f32]>,
    kept: ComptimeOption<&[f32]>,
    out: &mut [f32],
    count: u32,
    width: u32,
    start: u32,
    own: u32,
    low: f32,
    high: f32,
) {
    let at = ABSOLUTE_POS as u32;
    if at < count {
        let row = at / own;
        let value = whole[(row * width + start + at - row * own) as usize];
        out[at as usize] = finish(value, at as usize, &plus, &kept, low, high);
    }
}

/// The arrays one after the other along an axis; nothing where their shapes do not allow it.
pub(crate) fn joined(parts: &[Buffer], axis: i64) -> Option<Buffer> {
    let first = parts.first()?;
    let shapes: Vec<Vec<usize>> = parts.iter().map(|part| part.dims.clone()).collect();
    let (axis, dims) = joined_dims(&shapes, axis)?;
    let whole = first.room(dims);
    let rows: usize = whole.dims[..axis].iter().product();
    let mut start = 0;
    for some in parts.chunks(AT_ONCE) {
        let width = |i: usize| some.get(i).map_or(0, |part: &Buffer| part.len() / rows);
        let widths = [0, 1, 2, 3].map(width);
        let count = rows * widths.iter().sum::<usize>();
        // Every index is checked by the kernel itself.
        unsafe {
            join::launch_unchecked(
                whole.client(),
                groups(count),
                CubeDim::new_1d(GROUP),
                some[0].arg(),
                optional(some.get(1)),
                optional(some.get(2)),
                optional(some.get(3)),
                whole.arg(),
                count as u32,
                (whole.len() / rows) as u32,
                start as u32,
                widths[0] as u32,
                widths[1] as u32,
                widths[2] as u32,
                widths[3] as u32,
            );
        }
        start += widths.iter().sum::<usize>();
    }
    Some(whole)
}

/// The inverse of [`joined`]: arrays of the shapes `dims`, each finished in its own way.
pub(crate) fn parted(whole: &Buffer, dims: &[Vec<usize>], axis: i64, with: &[Finish]) -> Option<Vec<Buffer>> {
    let (axis, _) = joined_dims(dims, axis)?;
    let rows: usize = whole.dims[..axis].iter().product();
    let mut start = 0;
    let one = |(dims, with): (&Vec<usize>, &Finish)| {
        let (out, (low, high)) = (whole.room(dims.clone()), with.bounds());
        let own = out.len() / rows;
        // Every index is checked by the kernel itself.
        unsafe {
            part::launch_unchecked(
                whole.client(),
                groups(out.len()),
                CubeDim::new_1d(GROUP),
                whole.arg(),
                optional(with.plus.as_ref()),
                optional(with.kept()),
                out.arg(),
                out.len() as u32,
                (whole.len() / rows) as u32,
                start as u32,
                own as u32,
                low,
                high,
            );
        }
        start += own;
        out
    };
    Some(dims.iter().zip(with).map(one).collect())
}

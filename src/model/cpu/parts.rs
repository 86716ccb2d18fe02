//! Arrays joined along an axis, and taken apart again.

use std::sync::Arc;

use adversight_kernels as kernels;

use super::numbers::{Numbers, Pool};

fn axis_of(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}

/// The shape of arrays of these shapes one after the other along an axis; nothing where they do not fit together.
pub fn joined_shape(parts: &[Vec<usize>], axis: i64) -> Option<Vec<usize>> {
    let mut dims = parts.first()?.clone();
    let axis = axis_of(axis, dims.len())?;
    dims[axis] = 0;
    for part in parts {
        let fits = part.len() == dims.len() && (0..dims.len()).all(|i| i == axis || part[i] == dims[i]);
        if !fits {
            return None;
        }
        dims[axis] += part[axis];
    }
    Some(dims)
}

/// The arrays one after the other along an axis; nothing where their shapes do not allow it.
pub fn joined(parts: &[Arc<Numbers>], axis: i64, pool: &Pool) -> Option<Numbers> {
    let shapes: Vec<Vec<usize>> = parts.iter().map(|part| part.dims.clone()).collect();
    let dims = joined_shape(&shapes, axis)?;
    let axis = axis_of(axis, dims.len())?;
    let inner: usize = dims[axis..].iter().product();
    let mut data = pool.take(dims.iter().product());
    let mut start = 0;
    for part in parts {
        let size: usize = part.dims[axis..].iter().product();
        if size > 0 {
            for (from, to) in part.data.chunks_exact(size).zip(data.chunks_exact_mut(inner)) {
                kernels::copy(&mut to[start..start + size], from);
            }
        }
        start += size;
    }
    Some(Numbers { dims, data })
}

/// The inverse of [`joined`]: arrays of the shapes `dims`.
pub fn parted(whole: &Numbers, dims: &[Vec<usize>], axis: i64, pool: &Pool) -> Vec<Numbers> {
    let axis = axis_of(axis, whole.dims.len()).unwrap_or(0);
    let inner: usize = whole.dims[axis..].iter().product();
    let mut start = 0;
    let part = |dims: &Vec<usize>| {
        let size: usize = dims[axis..].iter().product();
        let mut data = pool.take(dims.iter().product());
        if size > 0 {
            for (to, from) in data.chunks_exact_mut(size).zip(whole.data.chunks_exact(inner)) {
                kernels::copy(to, &from[start..start + size]);
            }
        }
        start += size;
        Numbers { dims: dims.clone(), data }
    };
    dims.iter().map(part).collect()
}

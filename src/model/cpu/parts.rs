//! Arrays joined along an axis, and taken apart again.

use std::sync::Arc;

use adversight_kernels as kernels;

use super::numbers::{Numbers, Pool};
use crate::model::exec::joined_dims;

/// The arrays one after the other along an axis; nothing where their shapes do not allow it.
pub fn joined(parts: &[Arc<Numbers>], axis: i64, pool: &Pool) -> Option<Numbers> {
    let shapes: Vec<Vec<usize>> = parts.iter().map(|part| part.dims.clone()).collect();
    let (axis, dims) = joined_dims(&shapes, axis)?;
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

/// The inverse of [`joined`]: arrays of the shapes `dims`, or nothing where those do not fit together.
pub fn parted(whole: &Numbers, dims: &[Vec<usize>], axis: i64, pool: &Pool) -> Option<Vec<Numbers>> {
    let (axis, _) = joined_dims(dims, axis)?;
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
    Some(dims.iter().map(part).collect())
}

//! Kernels of the engine's own for GPUs, written in CubeCL: what browsers run as WGSL.
//!
//! They compute in 32 bits on arrays that lie in memory row by row. A thread keeps a tile of what it computes in
//! registers, threads beside each other read numbers beside each other, and no two threads write to one place, so that a
//! result does not depend on who came first. Sizes come with the call, so that networks of any size share a few shaders.
//! Nothing here waits for the GPU.

#![allow(
    clippy::approx_constant,
    clippy::assign_op_pattern,
    clippy::collapsible_if,
    reason = "CubeCL's kernels know neither chains of conditions nor every operator, and a polynomial's coefficients are no constants"
)]
// A kernel that leaves the checks of its indices to the one who wrote it is launched as unsafe code.
#![allow(unsafe_code)]

mod buffer;
mod convolution;
mod elementwise;
mod linear;
mod parts;
mod pooling;
mod quickshift;

pub(crate) use self::{
    buffer::Buffer,
    convolution::{BothWays, Convolution, Depthwise},
    elementwise::{bounded, finished},
    linear::Linear,
    parts::{joined, parted},
    pooling::{maximum, maximum_backward, mean, mean_backward},
    quickshift::{Pixels, parents},
};

//! Convolutions, poolings and their gradients on the processor, on plain arrays of numbers in ONNX's order
//! (`[samples, channels, height, width]`).
//!
//! A convolution over all channels is a product ([`Dense`]), one of each channel by itself a sum of shifted planes
//! ([`Depthwise`]); both give the gradient of their input alone, since nobody here trains. There is no unsafe code: loops
//! over rows that the compiler turns into vector instructions, of the processor that is found at run time.
//!
//! It is a package of its own so that it is compiled with all optimisations in a build for tests too.

mod dense;
mod depthwise;
mod elementwise;
mod grid;
mod pooling;
mod product;
mod scratch;
mod taps;
mod threads;
mod tile;
mod warm_up;

#[cfg(test)]
mod tests;

pub use dense::{Dense, Place};
pub use depthwise::Depthwise;
pub use elementwise::{add, bound, pass_between, pass_within};
pub use grid::{Grid, Shape};
pub use pooling::{maximum, maximum_backward, mean};
pub use warm_up::warm_up;

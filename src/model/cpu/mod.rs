//! Networks on the processor: kernels of the engine's own for the operators that convolutional networks are made of.
//!
//! Burn's kernels and its autodiff run any graph on any device. On the processor convolutions take nearly all of the time,
//! and there it pays to lay weights out once, to bound what a convolution computes while it is at hand, to take the
//! gradient of an input alone, and to use the same memory again. The kernels are a package of their own.

mod numbers;
mod operation;
mod parts;

pub use self::{numbers::at_once, operation::Operation};

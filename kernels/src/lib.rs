//! Convolutions, poolings and their gradients on the processor, on plain arrays of numbers in ONNX's order
//! (`[samples, channels, height, width]`).
//!
//! A convolution over all channels is a product ([`Dense`]), one of each channel by itself ([`Depthwise`]) and a pooling look at the windows
//! of some planes side by side; all give the gradient of their input alone, since nobody here trains. The kernels hold no unsafe code (the thread pool for browsers does, in one place): loops
//! over rows that the compiler turns into vector instructions, of the processor that is found at run time. Whatever the number of
//! threads, each result is computed by one of them in one order, so that no bit depends on it.
//!
//! It is a package of its own so that it is compiled with all optimisations in a build for tests too.

mod across;
mod block;
#[cfg(any(all(target_family = "wasm", feature = "threads"), test))]
mod crew;
#[cfg(test)]
mod crew_tests;
mod curves;
mod dense;
mod depthwise;
mod elementwise;
mod grid;
mod pooling;
mod product;
mod recurrent;
#[cfg(test)]
mod recurrent_tests;
mod scratch;
mod sweep;
#[cfg(any(all(target_family = "wasm", feature = "threads"), test))]
mod sync;
mod threads;
mod tile;
mod warm_up;
mod windows;

#[cfg(test)]
mod tests;

pub use dense::{Dense, Place};
pub use depthwise::Depthwise;
pub use elementwise::{Gate, add, bound, copy, pass_between};
pub use grid::Shape;
pub use pooling::{maximum, maximum_backward, mean};
pub use recurrent::{Cell, Output, Recurrent, Sequence};
#[cfg(all(target_family = "wasm", feature = "threads"))]
pub use threads::CREW;
pub use threads::available as threads;
pub use warm_up::warm_up;

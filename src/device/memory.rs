//! How much memory an explanation took.

use serde::Serialize;

/// The memory of an explanation, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Memory {
    /// What the values of one batch may take; larger batches are computed in parts.
    pub budget: usize,
    /// The most that was taken. In a browser on the CPU the size of the engine's memory, which holds all that it has ever held
    /// at once and never shrinks; else what the weights and the values of the largest batch take by their sizes.
    pub peak: usize,
    /// Whether the peak was measured, or else computed from sizes.
    pub measured: bool,
}

/// The size of the engine's own memory, where it can be told.
pub(crate) fn own() -> Option<usize> {
    #[cfg(target_family = "wasm")]
    return Some(core::arch::wasm32::memory_size::<0>() << 16);
    #[cfg(not(target_family = "wasm"))]
    None
}

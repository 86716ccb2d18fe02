//! What the thread pool stands on: the standard library's, for which `tests/crew.rs` puts loom's.

pub use std::{
    hint::spin_loop,
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize},
    },
};

/// How often a thread looks before it sleeps: a few tenths of a millisecond. WebAssembly has no instruction to pause by, so that a look
/// takes a nanosecond there.
pub const LOOKS: usize = if cfg!(target_family = "wasm") { 1 << 18 } else { 1 << 14 };

//! Work shared out among threads: natively by rayon's pool, in a browser with shared memory by the engine's crew, else there is one.

use std::cell::Cell;

/// Multiplications below which handing out costs more than it gains.
#[cfg(any(not(target_family = "wasm"), feature = "threads"))]
const WORTH: usize = 1 << 18;

/// As how many multiplications moving a number counts.
pub const MOVE: usize = 4;

/// How many threads there are.
#[cfg(not(target_family = "wasm"))]
pub fn available() -> usize {
    rayon::current_num_threads()
}

/// How many threads there are.
#[cfg(all(target_family = "wasm", not(feature = "threads")))]
pub fn available() -> usize {
    1
}

#[cfg(all(target_family = "wasm", feature = "threads"))]
pub use in_browser::{CREW, available};

#[cfg(all(target_family = "wasm", feature = "threads"))]
mod in_browser {
    use crate::crew::Crew;

    /// The engine's helpers.
    pub static CREW: Crew = Crew::new();

    /// How many threads there are.
    pub fn available() -> usize {
        CREW.threads()
    }
}

thread_local! {
    /// Whether this thread is at a task that all take part in.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// How many threads take part in `work` multiplications: one in those of a task that all take part in already.
pub fn count(work: usize) -> usize {
    #[cfg(any(not(target_family = "wasm"), feature = "threads"))]
    if work >= WORTH && !AT_WORK.get() {
        return available();
    }
    let _ = work;
    1
}

/// Calls `task` with each chunk of `size` elements and its place; `work` is that of all chunks together.
pub fn each<T: Send>(data: &mut [T], size: usize, work: usize, task: impl Fn(usize, &mut [T]) + Sync) {
    let task = |index: usize, chunk: &mut [T]| {
        let before = AT_WORK.replace(true);
        task(index, chunk);
        AT_WORK.set(before);
    };
    #[cfg(not(target_family = "wasm"))]
    if count(work) > 1 {
        use rayon::prelude::*;
        data.par_chunks_mut(size).enumerate().for_each(|(index, chunk)| task(index, chunk));
        return;
    }
    #[cfg(all(target_family = "wasm", feature = "threads"))]
    if count(work) > 1 {
        CREW.each(data, size, task);
        return;
    }
    let _ = work;
    for (index, chunk) in data.chunks_mut(size).enumerate() {
        task(index, chunk);
    }
}

/// Calls `task` with shares of units of `size` elements: the number of the first of them, and all of them. There are few, so that what a
/// task prepares is prepared a few times only.
pub fn shares(data: &mut [f32], size: usize, work: usize, task: impl Fn(usize, &mut [f32]) + Sync) {
    /// In a browser a thread may be held up by another program's, and leaves a share to the others.
    const EACH: usize = if cfg!(target_family = "wasm") { 4 } else { 1 };
    let threads = count(work);
    let shares = if threads > 1 { threads * EACH } else { 1 };
    let share = data.len().div_ceil(size).div_ceil(shares).max(1);
    each(data, share * size, work, |index, units| task(index * share, units));
}

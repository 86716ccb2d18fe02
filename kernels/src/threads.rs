//! Work shared out among threads: natively by rayon's pool, in a browser there is one.

/// Multiplications below which handing out costs more than it gains.
#[cfg(not(target_family = "wasm"))]
const WORTH: usize = 1 << 18;

/// How many threads take part in `work` multiplications.
pub fn count(work: usize) -> usize {
    #[cfg(not(target_family = "wasm"))]
    if work >= WORTH {
        return rayon::current_num_threads();
    }
    let _ = work;
    1
}

/// Calls `task` with each chunk of `size` elements and its place; `work` is that of all chunks together.
pub fn each(data: &mut [f32], size: usize, work: usize, task: impl Fn(usize, &mut [f32]) + Sync) {
    #[cfg(not(target_family = "wasm"))]
    if count(work) > 1 {
        use rayon::prelude::*;
        data.par_chunks_mut(size).enumerate().for_each(|(index, chunk)| task(index, chunk));
        return;
    }
    let _ = work;
    for (index, chunk) in data.chunks_mut(size).enumerate() {
        task(index, chunk);
    }
}

//! The engine's threads: workers of the page, each with an instance of the module on the same memory.

use adversight_kernels::CREW;
use js_sys::Array;
use wasm_bindgen::prelude::*;

/// What a helper's worker makes its instance of: the module and the memory.
#[wasm_bindgen(unchecked_return_type = "[WebAssembly.Module, WebAssembly.Memory]")]
pub fn shared() -> Array {
    Array::of2(&wasm_bindgen::module(), &wasm_bindgen::memory())
}

/// Says how many helpers are there.
#[wasm_bindgen(js_name = joinedBy)]
pub fn joined_by(helpers: usize) {
    CREW.joined_by(helpers);
}

/// Computes with the engine's own thread until the worker is ended; for a helper's instance.
#[wasm_bindgen]
pub fn help() {
    CREW.help();
}

/// Says that [`help`] has trapped in this worker, so that the engine does not wait for it.
#[wasm_bindgen]
pub fn lose() {
    CREW.lose();
}

//! The boundary to JavaScript: a file of its own, loaded when a sound is decoded.

use js_sys::{Array, Float32Array, Object, Reflect};
use wasm_bindgen::prelude::*;

/// Decodes a file: `{ channels: Float32Array[], sampleRate: number }`. Throws an `Error` with a `code`.
#[wasm_bindgen(js_name = decodeSound, unchecked_return_type = "{ channels: Float32Array[]; sampleRate: number }")]
pub fn decode_sound(bytes: &[u8]) -> Result<Object, JsValue> {
    let sound = crate::decode(bytes).map_err(|error| {
        let thrown = js_sys::Error::new(&error.to_string());
        let _ = Reflect::set(&thrown, &"code".into(), &error.code().into());
        JsValue::from(thrown)
    })?;
    let channels: Array =
        sound.channels().iter().map(|channel| Float32Array::from(channel.as_slice())).collect();
    let object = Object::new();
    Reflect::set(&object, &"channels".into(), &channels)?;
    Reflect::set(&object, &"sampleRate".into(), &sound.rate().into())?;
    Ok(object)
}

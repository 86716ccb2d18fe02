//! Sounds: files decoded, channels mixed, samples resampled, taken apart into a short-time spectrum and put together again.
//!
//! The same code runs natively and in WebAssembly, with numbers of 64 bits inside, so that a clip has the same samples in both. With the
//! feature `decode` (on by default) it reads WAV, FLAC, MP3 and Ogg Vorbis; without it is small enough to be a part of every engine.

#[cfg(feature = "decode")]
mod decode;
mod error;
#[cfg(all(feature = "decode", target_family = "wasm"))]
mod glue;
mod resample;
mod spectrum;
mod wav;
mod waveform;

#[cfg(feature = "decode")]
pub use decode::decode;
pub use error::{Error, Result};
pub use resample::{resample, resampled_length};
pub use spectrum::Spectrum;
pub use wav::wav;
pub use waveform::{MAX_SECONDS, RATES, Waveform, level};

//! Adversight explains why a neural network decided, on the device where the input already is.
//!
//! The same engine runs natively and, compiled to WebAssembly, in a browser.
//!
//! **First**, open a [`Device`], load an ONNX network on it and say how its pictures are prepared: [`Explainer::load`],
//! [`Explainer::with_preprocessing`]. A file of which more must be said (the input that is explained, open sizes, weights in other
//! files) is loaded by [`Explainer::load_with`]; [`model::inspect`] tells what a file holds.
//!
//! **Second**, ask: [`Explainer::classify`] for the classes, [`Explainer::explain`] for why. An [`Explanation`] holds the method's raw values,
//! a heat map from 0 to 1, sentences, and how it came about. [`attribution::registry::methods`] lists the methods with their parameters.
//!
//! ```no_run
//! # async fn example(onnx: &[u8], rgba: &[u8]) -> adversight::Result<()> {
//! use adversight::{Device, DeviceChoice, ExplainOptions, Explainer, Input, Preprocessing};
//!
//! let device = Device::open(DeviceChoice::Auto).await?;
//! let explainer = Explainer::load(onnx, &device)?.with_preprocessing(Preprocessing::imagenet(224))?;
//! let input = Input::Pixels { rgba, width: 640, height: 480 };
//! let options = ExplainOptions { method: "agi".into(), ..Default::default() };
//! let (explanation, _) = explainer.explain(&input, &options, &Default::default()).await?;
//! println!("{}", explanation.words.join(" "));
//! # Ok(())
//! # }
//! ```
//!
//! **Third**, do not believe it yet: [`metric::measure`] judges a map on the network, [`metric::game()`] plays insertion and deletion,
//! [`attack::attack`] changes the input so that the answer turns, and [`metric::randomise`] makes a network forget what it learned.
//!
//! `examples/explain.rs` does all three. Calls are asynchronous since a GPU is; natively, any executor will do (`pollster::block_on`). Long ones
//! take a [`Control`], for progress and cancelling. Nothing here panics on what a user gives: what cannot be done is an [`Error`] that says what to do.
//!
//! To read the engine, begin with [`attribution::registry`] and one method's file, then [`model`]. ARCHITECTURE.md has the layers.

pub mod attack;
pub mod attribution;
pub mod device;
mod error;
mod explainer;
mod filter;
#[cfg(feature = "webgpu")]
mod gpu;
pub mod input;
pub mod metric;
pub mod model;
pub mod narrate;
pub mod render;
pub mod segment;
pub mod statistics;
#[cfg(target_family = "wasm")]
mod wasm;

pub use attribution::{
    ClassScore, Control, ExplainOptions, Explanation, ExplanationInfo, Progress,
    anytime::{Anytime, Partial, Stop, Stopped},
};
pub use device::{Device, DeviceChoice, DeviceKind, DeviceReport, Memory};
pub use error::{Error, Result};
pub use explainer::{
    Aim, Aimed, Classification, Detected, Detections, Explainer, Input, ModelInfo, SoundInfo, TokenLabel,
};
pub use input::{
    HostTensor,
    image::Photograph,
    parts::Part,
    preprocessing::Preprocessing,
    sound::{SoundPreparation, SoundView, Waveform},
    table::{Columns, Table, TableKind, TableRow},
    text::Tokens,
};
pub use model::{
    BoxScore, BoxTarget, Follow, HostValue, Model, ModelFile, ModelOptions, RegionTarget, Score, Target,
    detect::{DetectOptions, DetectorInfo, DetectorOptions},
};

//! Adversight explains why a neural network decided, on the device where the input already is.
//!
//! The same engine runs natively and, compiled to WebAssembly, in a browser. Data goes one way:
//! [`input`] makes a tensor of a photograph, [`model`] runs the network, [`attribution`] finds what counted,
//! [`metric`] judges how well, [`narrate`] puts it in words and [`render`] in colours.
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
//! A newcomer reads [`attribution::registry`] first, then one method's file, then [`model`].

pub mod attack;
pub mod attribution;
pub mod device;
mod error;
mod explainer;
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
pub use explainer::{Classification, Explainer, Input, ModelInfo};
pub use input::{HostTensor, image::Photograph, preprocessing::Preprocessing};
pub use model::{HostValue, Model, ModelFile, ModelOptions, Score};

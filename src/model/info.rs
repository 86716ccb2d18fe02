//! What a model is made of, as every interface tells it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    HostValue, TokensInfo,
    detect::{DetectorInfo, DetectorOptions},
    front_end::FrontEnd,
};
use crate::input::layout::Layout;

/// The name, shape and type of a model's input or output; `null` where any size is accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(missing_as_null))]
pub struct ValueInfo {
    /// The name in the file.
    pub name: String,
    /// Sizes of the dimensions; the first is the batch.
    pub shape: Vec<Option<usize>>,
    /// The names that the file gives to dimensions, in the places of `shape`: "batch", "height".
    pub symbols: Vec<Option<String>>,
    /// The type of the elements, as ONNX calls it.
    pub element_type: String,
}

/// How a model's scores become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Activation {
    /// One class of several.
    Softmax,
    /// Each class for itself (multi-label).
    Sigmoid,
    /// The scores are what they are.
    None,
}

/// What a caller may know about a file beyond what it says itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelOptions {
    /// The explained input, where there are several.
    pub input: Option<String>,
    /// The inputs that are explained at once, as one row of all of their values; see `input` for one of them. Sizes that the file
    /// leaves open are those of their values in `values`.
    pub joint: Vec<String>,
    /// The explained output, where there are several.
    pub output: Option<String>,
    /// Explain the output of this node instead of an input: an embedding, above all.
    pub at: Option<String>,
    /// Sizes of open dimensions, by the symbolic name in the file or as `input:axis`.
    pub sizes: BTreeMap<String, usize>,
    /// The shape of an input at hand, from which the explained input takes the sizes that the file leaves open and `sizes`
    /// does not name.
    pub explained_shape: Option<Vec<usize>>,
    /// Values of inputs that are not explained, by name: those that decide what is computed have to be known here. Others can be
    /// given later ([`super::Model::with_inputs`]).
    #[serde(skip)]
    pub values: BTreeMap<String, HostValue>,
    /// How scores become probabilities; found in the graph where it is left out, and softmax where the graph has
    /// nothing to say. With another than the graph's own, `none` above all, the graph is left as it is.
    pub activation: Option<Activation>,
    /// What the axes of the explained value mean; found by its shape and its readers where it is left out.
    pub layout: Option<Layout>,
    /// Whether it is asked about texts: the table that its tokens are looked up in is then found, and what they are looked up
    /// as is explained, for texts of any length.
    pub text: bool,
    /// The most tokens of a text, where the file takes any number: those that it has places for, else 512, where it is left out.
    pub longest: Option<usize>,
    /// The axis of a text network's tokens that holds the texts: 0 where they are `[texts, tokens]`, 1 where they are `[tokens, texts]`;
    /// found by trying both where it is left out.
    pub batch_axis: Option<usize>,
    /// What is known of a detector's outputs; what they are is found by the file where it is left out.
    pub detector: Option<DetectorOptions>,
    /// What stands before the network, which hears: the explained input is then a sound's ([`crate::Explainer::load_for_sound`]).
    #[serde(skip)]
    pub front_end: Option<FrontEnd>,
}

/// What the scores of one sample are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum OutputKind {
    /// One score for each class.
    Classes,
    /// One number: a probability, a regression, an energy.
    Single,
    /// Scores at several positions: pixels, tokens, boxes. An element is explained by its number.
    Positions,
}

/// How often an operator occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct OperatorCount {
    /// The operator's ONNX name.
    pub name: String,
    /// Number of nodes.
    pub count: usize,
}

/// A node of the graph, in the order in which the nodes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// The name in the file, or that of its first output.
    pub name: String,
    /// The operator's ONNX name.
    pub operator: String,
}

/// A node whose output can be looked at: feature maps on the way from the input to the scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Layer {
    /// The name in the file, or that of its first output.
    pub name: String,
    /// The operator's ONNX name.
    pub operator: String,
    /// Channels, height and width of its output.
    pub shape: [usize; 3],
}

/// What a model is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct GraphInfo {
    /// The input that is explained.
    pub input: ValueInfo,
    /// What its axes mean.
    pub layout: Layout,
    /// The logits.
    pub output: ValueInfo,
    /// All inputs that have no value in the file.
    pub inputs: Vec<ValueInfo>,
    /// All outputs.
    pub outputs: Vec<ValueInfo>,
    /// Number of scores of one sample.
    pub classes: usize,
    /// What the scores are.
    pub output_kind: OutputKind,
    /// How scores become probabilities.
    pub activation: Activation,
    /// Whether what they become are probabilities: by the activation, or as the graph leaves them.
    pub probabilities: bool,
    /// Number of weights.
    pub parameters: usize,
    /// Memory that the weights take on the device.
    pub weight_bytes: usize,
    /// Memory that one sample of a gradient takes.
    pub bytes_per_sample: usize,
    /// Number of nodes that run.
    pub nodes: usize,
    /// The operators of the file, by name.
    pub operators: Vec<OperatorCount>,
    /// The nodes that methods of activations can look at, in the order in which they run: their outputs are maps of more
    /// than one position on the way to the scores.
    pub layers: Vec<Layer>,
    /// The one of `layers` that they look at where none is named: the last one that every path to the scores passes and
    /// from which all positions count.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layer: Option<String>,
    /// What it does with tokens, where it was loaded as a network of text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tokens: Option<TokensInfo>,
    /// The boxes that it gives, where it is seen to be a detector.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub detector: Option<DetectorInfo>,
    /// What was guessed about the network, in sentences that name the option which changes it.
    pub notes: Vec<String>,
}

//! The errors of the engine: one type, each with a stable code and a sentence that says what to do.

use std::fmt;

/// What every fallible function of the engine returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong between a user's file and an explanation.
///
/// [`Error::code`] is stable and is what programs match on; the message is for people.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device that was asked for does not exist or failed its self-test.
    #[error("{0}")]
    DeviceUnavailable(String),
    /// The device stopped answering while it was in use.
    #[error("The GPU stopped answering ({0}). Open the engine again, or use the CPU.")]
    DeviceLost(String),
    /// The bytes are not an ONNX model, or the file is damaged.
    #[error("This is not a readable ONNX model: {0}. If it was downloaded, download it again.")]
    ModelMalformed(String),
    /// The model is sound, but needs something that this engine lacks.
    #[error("Node \"{node}\" uses the operator {operator}, which is not supported ({reason}). {advice}")]
    UnsupportedOperator {
        /// Name of the node, or of its first output where the node has none.
        node: String,
        /// The operator, with its domain where that is not ONNX's own.
        operator: String,
        /// What about it is unsupported.
        reason: String,
        /// What to do about it, in sentences.
        advice: String,
    },
    /// The model is readable but contradicts itself, or its output is not one score per class.
    #[error("The model is invalid{}: {reason}.", at_node(.node))]
    ModelInvalid {
        /// The node at fault, where there is one.
        node: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// A weight is larger than the device can bind at once, and its operator cannot be split.
    #[error(
        "The weights of node \"{node}\" take {} MB, and this device binds at most {} MB at once. Run the model on \
         the CPU.", .bytes / 1_000_000, .limit / 1_000_000
    )]
    ModelTooLarge {
        /// The node.
        node: String,
        /// Size of the weights.
        bytes: usize,
        /// What the device binds at once.
        limit: usize,
    },
    /// The input is not an image or a tensor that can be read.
    #[error("{0}")]
    InputInvalid(String),
    /// The input's shape is not the one that the model takes.
    #[error("The model's input \"{input}\" takes {expected}, but the data has shape {actual:?}.")]
    InputShape {
        /// Name of the model's input.
        input: String,
        /// The shape that is accepted, in words.
        expected: String,
        /// The shape that was given.
        actual: Vec<usize>,
    },
    /// The image has more pixels than [`crate::input::image::MAX_PIXELS`].
    #[error(
        "The image has {pixels} pixels, more than the {limit} that are accepted. Scale it down first; \
         the network sees only a few hundred pixels a side."
    )]
    InputTooLarge {
        /// Pixels in the image.
        pixels: u64,
        /// Pixels that are accepted.
        limit: u64,
    },
    /// The input holds a NaN or an infinity.
    #[error("The input holds {count} value(s) that are not finite, the first at index {index}.")]
    InputNotFinite {
        /// How many values are NaN or infinite.
        count: usize,
        /// Where the first of them stands in the flattened input.
        index: usize,
    },
    /// The sound cannot be read, or is none.
    #[error("{0}")]
    Sound(#[from] adversight_sound::Error),
    /// The declared preprocessing cannot be applied.
    #[error("The preprocessing is invalid: {0}.")]
    PreprocessingInvalid(String),
    /// The names of the classes cannot be read, or are not the model's.
    #[error("The labels are invalid: {0}.")]
    LabelsInvalid(String),
    /// The explained class is not one of the model's.
    #[error("Class {target} is out of range: the model has {classes} classes, 0 to {}.", .classes.saturating_sub(1))]
    TargetOutOfRange {
        /// The class that was asked for.
        target: i64,
        /// How many classes the model has.
        classes: usize,
    },
    /// What a detector's outputs hold is not known.
    #[error("No boxes can be read from this network: {0}. If it is a detector, {advice}.", advice = DETECTOR)]
    DetectorUnknown(String),
    /// What is to be explained is not there, or cannot be asked of this network.
    #[error("The target cannot be explained: {0}.")]
    TargetInvalid(String),
    /// No method of that name is registered.
    #[error("There is no method \"{name}\". Choose one of: {known}.")]
    MethodUnknown {
        /// The name that was asked for.
        name: String,
        /// The registered names.
        known: String,
    },
    /// A parameter of a method has a wrong name, type or value.
    #[error("Parameter \"{name}\" of {method}: {reason}.")]
    ParameterInvalid {
        /// The method.
        method: String,
        /// The parameter, as far as it is known.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The method cannot work on this model or this input.
    #[error("{method} cannot explain this: {reason}.")]
    MethodUnsuited {
        /// The method.
        method: String,
        /// What it would need.
        reason: String,
    },
    /// The attribution map that is to be judged holds a NaN or an infinity.
    #[error("The map holds {count} value(s) that are not finite, the first at index {index}.")]
    MapNotFinite {
        /// How many values are NaN or infinite.
        count: usize,
        /// Where the first of them stands in the flattened map.
        index: usize,
    },
    /// The attribution map does not belong to the input.
    #[error(
        "The map has shape {map:?} and the input {input:?}. Give one value for each of the input's, or one a pixel."
    )]
    MapShape {
        /// The shape of the map.
        map: Vec<usize>,
        /// The shape of the input.
        input: Vec<usize>,
    },
    /// No metric of that name is registered.
    #[error("There is no metric \"{name}\". Choose one of: {known}.")]
    MetricUnknown {
        /// The name that was asked for.
        name: String,
        /// The registered names.
        known: String,
    },
    /// The metric lacks something that it needs.
    #[error("{metric} cannot be measured here: {reason}.")]
    MetricUnsuited {
        /// The metric.
        metric: String,
        /// What it would need.
        reason: String,
    },
    /// The user stopped the computation.
    #[error("Cancelled.")]
    Cancelled,
    /// A fault of the engine itself.
    #[error("Internal error: {0}. Please report it.")]
    Internal(String),
}

/// What to give where a detector's outputs are not recognised.
const DETECTOR: &str = "say how the outputs are arranged by a small JSON (`detector`, on the command line `--detector FILE`), at least \
     {\"style\": …} of yolov8, yolov5, yolov3 (with \"anchors\"), boxes, detr or centernet, and \"outputs\" where it does not have those of the style \
     alone";

fn at_node(node: &Option<String>) -> String {
    node.as_ref().map(|name| format!(" at node \"{name}\"")).unwrap_or_default()
}

impl Error {
    /// The stable name of this kind of error, as in the package's `AdversightError.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DeviceUnavailable(_) => "device_unavailable",
            Self::DeviceLost(_) => "device_lost",
            Self::ModelMalformed(_) => "model_malformed",
            Self::UnsupportedOperator { .. } => "model_unsupported",
            Self::ModelInvalid { .. } => "model_invalid",
            Self::ModelTooLarge { .. } => "model_too_large",
            Self::InputInvalid(_) => "input_invalid",
            Self::InputShape { .. } => "input_shape",
            Self::InputTooLarge { .. } => "input_too_large",
            Self::InputNotFinite { .. } => "input_not_finite",
            Self::Sound(error) => error.code(),
            Self::PreprocessingInvalid(_) => "preprocessing_invalid",
            Self::LabelsInvalid(_) => "labels_invalid",
            Self::TargetOutOfRange { .. } => "target_out_of_range",
            Self::DetectorUnknown(_) => "detector_unknown",
            Self::TargetInvalid(_) => "target_invalid",
            Self::MethodUnknown { .. } => "method_unknown",
            Self::ParameterInvalid { .. } => "parameter_invalid",
            Self::MethodUnsuited { .. } => "method_unsuited",
            Self::MapNotFinite { .. } => "map_not_finite",
            Self::MapShape { .. } => "map_shape",
            Self::MetricUnknown { .. } => "metric_unknown",
            Self::MetricUnsuited { .. } => "metric_unsuited",
            Self::Cancelled => "cancelled",
            Self::Internal(_) => "internal",
        }
    }

    /// The graph node at fault, where there is one.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::UnsupportedOperator { node, .. } | Self::ModelTooLarge { node, .. } => Some(node),
            Self::ModelInvalid { node, .. } => node.as_deref(),
            _ => None,
        }
    }

    pub(crate) fn invalid_model(reason: impl fmt::Display) -> Self {
        Self::ModelInvalid { node: None, reason: reason.to_string() }
    }

    pub(crate) fn invalid_node(node: &str, reason: impl fmt::Display) -> Self {
        Self::ModelInvalid { node: Some(node.to_owned()), reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_node_and_say_what_to_do() {
        let error = Error::invalid_node("conv_3", "its weights do not fit");
        assert_eq!(error.to_string(), "The model is invalid at node \"conv_3\": its weights do not fit.");
        assert_eq!(error.node(), Some("conv_3"));
        assert_eq!(error.code(), "model_invalid");
        let range = Error::TargetOutOfRange { target: 1000, classes: 1000 };
        assert!(range.to_string().ends_with("0 to 999."));
    }
}

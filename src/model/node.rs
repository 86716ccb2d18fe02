//! A node of the file: its attributes, read with their types.

use burn::tensor::TensorData;
use onnx_ir::{AttributeProto, NodeProto};

use super::element::{self, Element};

/// A node's name, or that of its first output where it has none.
pub(super) fn name_of(node: &NodeProto) -> String {
    if !node.name.is_empty() {
        return node.name.clone();
    }
    node.output.iter().find(|output| !output.is_empty()).unwrap_or(&node.op_type).clone()
}

/// The operator's name, with its domain where that is not ONNX's own.
pub(super) fn operator_of(node: &NodeProto) -> String {
    if is_default_domain(&node.domain) {
        node.op_type.clone()
    } else {
        format!("{}::{}", node.domain, node.op_type)
    }
}

pub(super) fn is_default_domain(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// What an operator's function reads when a model is loaded.
pub(crate) struct Node<'a> {
    pub proto: &'a NodeProto,
    /// The version of ONNX's operator set that the file was written for.
    pub opset: i64,
    /// The element types of the inputs, where they are known.
    pub types: Vec<Option<Element>>,
}

/// Attribute types of `AttributeProto.AttributeType`.
mod kind {
    pub const FLOAT: i32 = 1;
    pub const INT: i32 = 2;
    pub const STRING: i32 = 3;
    pub const TENSOR: i32 = 4;
    pub const FLOATS: i32 = 6;
    pub const INTS: i32 = 7;
    pub const STRINGS: i32 = 8;
}

impl Node<'_> {
    fn attribute(&self, name: &str, kind: i32) -> Result<Option<&AttributeProto>, String> {
        match self.proto.attribute.iter().find(|attribute| attribute.name == name) {
            None => Ok(None),
            // Old files leave the type out.
            Some(attribute) if [kind, 0].contains(&attribute.type_.value()) => Ok(Some(attribute)),
            Some(_) => Err(format!("its attribute {name} has the wrong type")),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.proto.attribute.iter().any(|attribute| attribute.name == name)
    }

    pub fn int(&self, name: &str, default: i64) -> Result<i64, String> {
        Ok(self.attribute(name, kind::INT)?.map_or(default, |attribute| attribute.i))
    }

    pub fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        Ok(self.int(name, i64::from(default))? != 0)
    }

    /// A whole number of at least 1.
    pub fn positive(&self, name: &str, default: usize) -> Result<usize, String> {
        match self.attribute(name, kind::INT)? {
            None => Ok(default),
            Some(attribute) => small(attribute.i, name),
        }
    }

    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, String> {
        Ok(self.attribute(name, kind::INTS)?.map(|attribute| attribute.ints.clone()))
    }

    /// Whole numbers of at least 1.
    pub fn positives(&self, name: &str) -> Result<Option<Vec<usize>>, String> {
        match self.ints(name)? {
            None => Ok(None),
            Some(values) => {
                values.into_iter().map(|value| small(value, name)).collect::<Result<_, _>>().map(Some)
            }
        }
    }

    pub fn float(&self, name: &str, default: f32) -> Result<f32, String> {
        Ok(self.attribute(name, kind::FLOAT)?.map_or(default, |attribute| attribute.f))
    }

    pub fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, String> {
        Ok(self.attribute(name, kind::FLOATS)?.map(|attribute| attribute.floats.clone()))
    }

    pub fn text(&self, name: &str, default: &str) -> Result<String, String> {
        match self.attribute(name, kind::STRING)? {
            None => Ok(default.to_owned()),
            Some(attribute) => utf8(&attribute.s, name),
        }
    }

    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        match self.attribute(name, kind::STRINGS)? {
            None => Ok(None),
            Some(attribute) => {
                attribute.strings.iter().map(|text| utf8(text, name)).collect::<Result<_, _>>().map(Some)
            }
        }
    }

    pub fn tensor(&self, name: &str) -> Result<Option<TensorData>, String> {
        match self.attribute(name, kind::TENSOR)? {
            None => Ok(None),
            Some(attribute) => element::read(&attribute.t, None)
                .map(Some)
                .map_err(|reason| format!("its tensor {name} {reason}")),
        }
    }

    /// Whether the node names output `index`.
    pub fn writes(&self, index: usize) -> bool {
        self.proto.output.get(index).is_some_and(|name| !name.is_empty())
    }

    /// The element type of input `index`, where it is known.
    pub fn element(&self, index: usize) -> Option<Element> {
        self.types.get(index).copied().flatten()
    }
}

fn utf8(bytes: &[u8], name: &str) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| format!("its attribute {name} is no text"))
}

fn small(value: i64, name: &str) -> Result<usize, String> {
    // No size of a network is near this; arithmetic with it cannot overflow.
    match value {
        1..=0x7fff_ffff => Ok(value as usize),
        _ => Err(format!("its {name} must be positive, not {value}")),
    }
}
